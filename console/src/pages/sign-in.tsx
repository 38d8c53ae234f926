import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import icon from '../icon.svg';
import { t } from '../i18n';
import { useAction } from '../lib/hooks';
import { changePassword, serverUnreachable, session, sessionEnded, signIn, signOut } from '../state/session';
import { Button } from '../ui/button';
import { FailureNotice, Notice } from '../ui/feedback';
import { TextField } from '../ui/field';
import { LanguageChoice, ThemeChoice } from '../ui/preferences';

const passwordCharactersMin = 10;

function Gate({ title, lead, children }: { title: string; lead?: ComponentChildren; children: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} · Mooring`;
  }, [title]);
  return (
    <main class="gate">
      <div class="gate-card">
        <div class="gate-brand">
          <img src={icon} alt="" />
          <div>
            <h1>{title}</h1>
            {lead && <p class="lead">{lead}</p>}
          </div>
        </div>
        {children}
        <div class="gate-foot">
          <LanguageChoice />
          <ThemeChoice />
        </div>
      </div>
    </main>
  );
}

export function SignIn() {
  const [user, setUser] = useState('admin');
  const [password, setPassword] = useState('');
  const action = useAction(() => signIn(user, password));
  return (
    <Gate title={t('signIn.title')}>
      <form
        class="card stack"
        onSubmit={(event) => {
          event.preventDefault();
          void action.run();
        }}
      >
        {sessionEnded.value && !action.failure && <Notice tone="info">{t('signIn.ended')}</Notice>}
        {serverUnreachable.value && !action.failure && <Notice tone="warn">{t('failure.offline')}</Notice>}
        <TextField
          label={t('signIn.user')}
          name="username"
          autoComplete="username"
          value={user}
          onInput={setUser}
          required
        />
        <TextField
          label={t('signIn.password')}
          name="password"
          type="password"
          autoComplete="current-password"
          value={password}
          onInput={setPassword}
          required
          autoFocus
          hint={t('signIn.hint')}
        />
        {action.failure?.code === 'unauthorized' ? (
          <Notice tone="bad">{t('signIn.wrong')}</Notice>
        ) : (
          <FailureNotice failure={action.failure} />
        )}
        <Button type="submit" look="primary" busy={action.busy}>
          {t('signIn.submit')}
        </Button>
      </form>
    </Gate>
  );
}

interface PasswordFormProps {
  look: string; // classes of the form
  first?: boolean; // the only thing on the page
  onDone?: () => void;
  children?: ComponentChildren; // below the button
}

// One's own password: the present one, then another one twice.
export function PasswordForm({ look, first, onDone, children }: PasswordFormProps) {
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const action = useAction(async () => {
    await changePassword(current, next);
    for (const set of [setCurrent, setNext, setAgain]) set('');
    onDone?.();
  });
  const fits = [...next].length >= passwordCharactersMin && next === again;
  const fresh = { type: 'password', autoComplete: 'new-password', required: true } as const;
  return (
    <form
      class={look}
      onSubmit={(event) => {
        event.preventDefault();
        void action.run();
      }}
    >
      <input type="hidden" name="username" autocomplete="username" value={session.value?.user ?? ''} />
      <div class={first ? 'stack' : 'fields'}>
        <TextField
          label={t('password.current')}
          name="current-password"
          type="password"
          autoComplete="current-password"
          value={current}
          onInput={setCurrent}
          required
          autoFocus={first}
        />
        <TextField
          {...fresh}
          label={t('password.new')}
          name="new-password"
          value={next}
          onInput={setNext}
          hint={t('password.rule', { count: passwordCharactersMin })}
        />
        <TextField
          {...fresh}
          label={t('password.again')}
          name="new-password-again"
          value={again}
          onInput={setAgain}
          error={again !== '' && again !== next ? t('password.different') : undefined}
        />
      </div>
      <FailureNotice failure={action.failure} />
      <Button type="submit" look={first ? 'primary' : 'plain'} busy={action.busy} disabled={!fits}>
        {t('password.submit')}
      </Button>
      {children}
    </form>
  );
}

// The first password was printed on a terminal; whoever uses it chooses their own before anything else.
export function FirstPassword() {
  return (
    <Gate title={t('password.title')} lead={t('password.lead', { user: session.value?.user ?? '' })}>
      <PasswordForm look="card stack" first>
        <Button look="quiet" onClick={() => void signOut()}>
          {t('signOut')}
        </Button>
      </PasswordForm>
    </Gate>
  );
}
