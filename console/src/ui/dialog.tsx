import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiFailure } from '../api/client';
import { t } from '../i18n';
import { useAction, useUniqueId } from '../lib/hooks';
import { Button, IconButton } from './button';
import { FailureNotice } from './feedback';
import { TextField } from './field';
import { X } from './icons';

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
  side?: boolean; // a panel at the edge, for the navigation of small screens
  keepOpen?: boolean; // while something is done that must be seen through
}

// The native dialog: it holds the focus, gives it back, and closes with Escape.
export function Dialog({ title, onClose, children, wide, side, keepOpen }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useUniqueId('dialog');
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      class={`dialog${wide ? ' wide' : ''}${side ? ' side' : ''}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        if (!keepOpen) onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === element.current && side) onClose();
      }}
    >
      <div class="dialog-frame">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <IconButton icon={X} label={t('action.close')} onClick={onClose} disabled={keepOpen} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface FormDialogProps {
  title: string;
  submit: string;
  danger?: boolean;
  busy: boolean;
  disabled?: boolean;
  failure: ApiFailure | undefined;
  onSubmit: () => void;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
}

export function FormDialog(props: FormDialogProps) {
  return (
    <Dialog title={props.title} onClose={props.onClose} wide={props.wide}>
      <form
        class="dialog-form"
        onSubmit={(event) => {
          event.preventDefault();
          props.onSubmit();
        }}
      >
        <div class="dialog-body">
          {props.children}
          <FailureNotice failure={props.failure} />
        </div>
        <footer class="dialog-foot">
          <Button onClick={props.onClose}>{t('action.cancel')}</Button>
          <Button
            type="submit"
            look={props.danger ? 'danger' : 'primary'}
            busy={props.busy}
            disabled={props.disabled ?? false}
          >
            {props.submit}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

interface ConfirmProps {
  title: string;
  children: ComponentChildren;
  submit: string;
  typed?: string; // what has to be typed before something cannot be undone
  danger?: boolean;
  perform: () => Promise<unknown>;
  onDone: () => void;
  onClose: () => void;
}

export function ConfirmDialog(props: ConfirmProps) {
  const [typed, setTyped] = useState('');
  const action = useAction(props.perform);
  return (
    <FormDialog
      title={props.title}
      submit={props.submit}
      danger={props.danger ?? true}
      busy={action.busy}
      failure={action.failure}
      disabled={props.typed !== undefined && typed !== props.typed}
      onClose={props.onClose}
      onSubmit={async () => {
        if (await action.run()) props.onDone();
      }}
    >
      <div class="prose">{props.children}</div>
      {props.typed !== undefined && (
        <TextField label={t('confirm.type', { name: props.typed })} value={typed} onInput={setTyped} autoFocus mono />
      )}
    </FormDialog>
  );
}
