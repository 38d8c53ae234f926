import type { ComponentChildren } from 'preact';
import type { LucideIcon } from 'lucide-preact';

export interface ButtonProps {
  children: ComponentChildren;
  icon?: LucideIcon;
  look?: 'plain' | 'primary' | 'danger' | 'warning' | 'quiet'; // warning: opens a question before danger
  type?: 'button' | 'submit';
  small?: boolean;
  busy?: boolean;
  disabled?: boolean;
  onClick?: () => void;
  describedBy?: string;
  pressed?: boolean;
}

export function Button(props: ButtonProps) {
  const { children, icon: Icon, look = 'plain', type = 'button', small, busy, disabled, onClick, describedBy } = props;
  return (
    <button
      type={type}
      class={`button ${look}${small ? ' small' : ''}`}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      aria-describedby={describedBy}
      aria-pressed={props.pressed}
      onClick={onClick}
    >
      {Icon && <Icon aria-hidden="true" />}
      <span>{children}</span>
    </button>
  );
}

interface IconButtonProps {
  icon: LucideIcon;
  label: string;
  onClick: () => void;
  disabled?: boolean;
  expanded?: boolean;
}

export function IconButton({ icon: Icon, label, onClick, disabled, expanded }: IconButtonProps) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={label}
      aria-expanded={expanded}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon aria-hidden="true" />
    </button>
  );
}

interface LinkButtonProps {
  href: string;
  children: ComponentChildren;
  icon?: LucideIcon;
  look?: 'plain' | 'primary' | 'quiet';
  small?: boolean;
  download?: string;
}

export function LinkButton({ href, children, icon: Icon, look = 'plain', small, download }: LinkButtonProps) {
  return (
    <a class={`button ${look}${small ? ' small' : ''}`} href={href} download={download}>
      {Icon && <Icon aria-hidden="true" />}
      <span>{children}</span>
    </a>
  );
}
