import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { ApiFailure } from '../api/client';
import { t, textOr } from '../i18n';
import { Button } from './button';
import { CircleAlert, CircleCheck, Info, RotateCw, TriangleAlert, X, type LucideIcon } from './icons';

type Tone = 'info' | 'good' | 'warn' | 'bad';
const icons: Record<Tone, LucideIcon> = { info: Info, good: CircleCheck, warn: TriangleAlert, bad: CircleAlert };

interface NoticeProps {
  tone: Tone;
  title?: ComponentChildren;
  children?: ComponentChildren;
  actions?: ComponentChildren;
}

export function Notice({ tone, title, children, actions }: NoticeProps) {
  const Icon = icons[tone];
  return (
    <div class={`notice ${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      <Icon aria-hidden="true" />
      <div class="notice-body">
        {title && <p class="notice-title">{title}</p>}
        {children && <div class="notice-text">{children}</div>}
      </div>
      {actions && <div class="notice-actions">{actions}</div>}
    </div>
  );
}

// What went wrong, in the reader's language as far as the code tells; the server's own words are more exact.
export function failureText(failure: ApiFailure): string {
  const known = textOr(`failure.${failure.code}`, '');
  if (failure.message && known) return `${known} ${t('failure.told', { message: failure.message })}`;
  return known || failure.message || t('failure.unexpected');
}

export function FailureNotice({ failure, retry }: { failure: ApiFailure | undefined; retry?: () => void }) {
  if (!failure) return null;
  const again = retry && (
    <Button small icon={RotateCw} onClick={retry}>
      {t('action.retry')}
    </Button>
  );
  return (
    <Notice tone="bad" actions={again}>
      {failureText(failure)}
    </Notice>
  );
}

interface EmptyProps {
  icon: LucideIcon;
  title: string;
  children?: ComponentChildren;
  action?: ComponentChildren;
}

export function Empty({ icon: Icon, title, children, action }: EmptyProps) {
  return (
    <div class="empty">
      <span class="empty-icon">
        <Icon aria-hidden="true" />
      </span>
      <p class="empty-title">{title}</p>
      {children && <div class="empty-text">{children}</div>}
      {action && <div class="empty-action">{action}</div>}
    </div>
  );
}

export function Skeleton({ width = '100%' }: { width?: string }) {
  return <span class="skeleton" style={{ width }} aria-hidden="true" />;
}

export function SkeletonLines({ count }: { count: number }) {
  const widths = ['92%', '74%', '83%', '61%'];
  return (
    <div class="skeleton-lines" role="status" aria-label={t('common.loading')}>
      {Array.from({ length: count }, (_, index) => (
        <Skeleton key={index} width={widths[index % widths.length]} />
      ))}
    </div>
  );
}

interface Toast {
  id: number;
  tone: Tone;
  text: string;
}

const toasts = signal<Toast[]>([]);
const toastMs = 6_000;
let lastToast = 0;

export function tell(text: string, tone: Tone = 'good'): void {
  const id = (lastToast += 1);
  toasts.value = [...toasts.value.slice(-3), { id, tone, text }];
  setTimeout(() => forget(id), toastMs);
}

function forget(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((toast) => {
        const Icon = icons[toast.tone];
        return (
          <div key={toast.id} class={`toast ${toast.tone}`}>
            <Icon aria-hidden="true" />
            <span>{toast.text}</span>
            <button type="button" class="icon-button" aria-label={t('action.close')} onClick={() => forget(toast.id)}>
              <X aria-hidden="true" />
            </button>
          </div>
        );
      })}
    </div>
  );
}
