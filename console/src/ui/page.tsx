import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { locale, t, textOr } from '../i18n';
import { dateTime, relativeTime } from '../lib/format';
import { useNow } from '../lib/hooks';
import type { DeviceStatus } from '../api/client';
import { ChevronRight } from './icons';

interface PageProps {
  title: string;
  heading?: ComponentChildren; // when more than the title's text is shown
  lead?: ComponentChildren;
  trail?: { label: string; href: string }[];
  actions?: ComponentChildren;
  children: ComponentChildren;
}

export function Page({ title, heading, lead, trail, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Mooring`;
  }, [title]);
  return (
    <>
      <header class="page-head">
        <div class="page-title">
          {trail && (
            <nav class="trail" aria-label={t('common.trail')}>
              {trail.map((step) => (
                <span key={step.href}>
                  <a href={step.href}>
                    <bdi>{step.label}</bdi>
                  </a>
                  <ChevronRight aria-hidden="true" />
                </span>
              ))}
            </nav>
          )}
          <h1 tabIndex={-1}>{heading ?? <bdi>{title}</bdi>}</h1>
          {lead && <p class="lead">{lead}</p>}
        </div>
        {actions && <div class="page-actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

interface CardProps {
  title?: ComponentChildren;
  lead?: ComponentChildren;
  actions?: ComponentChildren;
  flush?: boolean; // content reaches the edges
  children: ComponentChildren;
}

export function Card({ title, lead, actions, flush, children }: CardProps) {
  return (
    <section class={flush ? 'card flush' : 'card'}>
      {(title || actions) && (
        <header class="card-head">
          <div>
            {title && <h2>{title}</h2>}
            {lead && <p class="muted small">{lead}</p>}
          </div>
          {actions && <div class="card-actions">{actions}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

export interface Fact {
  name: string;
  value: ComponentChildren;
  wide?: boolean; // takes two columns
}

export function Facts({ items }: { items: (Fact | false | undefined)[] }) {
  return (
    <dl class="facts">
      {items.map((fact) =>
        fact ? (
          <div key={fact.name} class={fact.wide ? 'wide' : ''}>
            <dt>{fact.name}</dt>
            <dd>{fact.value}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}

// "2 minutes ago", with the exact time at hand.
export function Ago({ time, never }: { time: string | null | undefined; never?: string }) {
  const now = useNow(15_000);
  if (!time) return <span class="muted">{never ?? '–'}</span>;
  return (
    <time dateTime={time} title={dateTime(time, locale.value)}>
      {relativeTime(time, locale.value, now.value)}
    </time>
  );
}

export function At({ time }: { time: string | null | undefined }) {
  if (!time) return <span class="muted">–</span>;
  return <time dateTime={time}>{dateTime(time, locale.value)}</time>;
}

export function Badge({ tone, children }: { tone: 'good' | 'warn' | 'bad' | 'quiet'; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

const statusTones = { ONLINE: 'good', OFFLINE: 'quiet', UNACTIVE: 'quiet', DISABLE: 'bad' } as const;

export function StatusBadge({ status }: { status: DeviceStatus }) {
  return (
    <span class={`badge status ${statusTones[status]} ${status.toLowerCase()}`} data-status={status}>
      {textOr(`status.${status}`, status)}
    </span>
  );
}
