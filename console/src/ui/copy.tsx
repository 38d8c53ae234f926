// Texts that are made to be taken elsewhere.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { IconButton, Button } from './button';
import { Check, Copy, Eye, EyeOff } from './icons';
import { tell } from './feedback';

async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // plain HTTP from another machine has no clipboard
  }
}

function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'hidden-text';
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}

function useCopy(text: string) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1800);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    const done = await toClipboard(text);
    setCopied(done);
    if (!done) tell(t('copy.failed'), 'warn');
  };
  return { copied, copy };
}

export function CopyButton({ text, label, small }: { text: string; label?: string; small?: boolean }) {
  const { copied, copy } = useCopy(text);
  if (!label) {
    return <IconButton icon={copied ? Check : Copy} label={copied ? t('copy.done') : t('copy.copy')} onClick={copy} />;
  }
  return (
    <Button icon={copied ? Check : Copy} onClick={copy} small={small ?? true}>
      {copied ? t('copy.done') : label}
    </Button>
  );
}

interface CopyFieldProps {
  label: string;
  value: string;
  secret?: boolean;
  look?: 'fingerprint';
  testName?: string;
}

// A value under its name; a secret is shown on demand, and can be copied without being shown.
export function CopyField({ label, value, secret, look, testName }: CopyFieldProps) {
  const [shown, setShown] = useState(!secret);
  return (
    <div class="copy-field">
      <span class="copy-label">{label}</span>
      <span class="copy-value">
        <code data-name={testName} class={look} dir="ltr">
          {shown ? value : '•'.repeat(16)}
        </code>
        <span class="copy-tools">
          {secret && (
            <IconButton
              icon={shown ? EyeOff : Eye}
              label={shown ? t('secret.hide') : t('secret.show')}
              onClick={() => setShown(!shown)}
            />
          )}
          <CopyButton text={value} />
        </span>
      </span>
    </div>
  );
}

interface CodeBlockProps {
  text: string;
  title?: string;
  secrets?: string[]; // shown on demand, copied in any case
  actions?: ComponentChildren;
  testName?: string;
}

export function CodeBlock({ text, title, secrets = [], actions, testName }: CodeBlockProps) {
  const [open, setOpen] = useState(false);
  const hidden = secrets.reduce((left, secret) => left.replaceAll(secret, '•'.repeat(16)), text);
  return (
    <figure class="code-block">
      <figcaption>
        <span>{title}</span>
        <span class="code-tools">
          {hidden !== text && (
            <IconButton
              icon={open ? EyeOff : Eye}
              label={open ? t('secret.hide') : t('secret.show')}
              onClick={() => setOpen(!open)}
            />
          )}
          {actions}
          <CopyButton text={text} label={t('copy.copy')} />
        </span>
      </figcaption>
      <pre tabIndex={0} aria-label={title}>
        <code data-name={testName}>{open ? text : hidden}</code>
      </pre>
    </figure>
  );
}
