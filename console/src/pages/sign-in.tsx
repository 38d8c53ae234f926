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

export function NewPasswordFields(props: {
  next: string;
  again: string;
  onNext: (value: string) => void;
  onAgain: (value: string) => void;
}) {
  const different = props.again !== '' && props.again !== props.next;
  return (
    <>
      <TextField
        label={t('password.new')}
        name="new-password"
        type="password"
        autoComplete="new-password"
        value={props.next}
        onInput={props.onNext}
        required
        hint={t('password.rule', { count: passwordCharactersMin })}
      />
      <TextField
        label={t('password.again')}
        name="new-password-again"
        type="password"
        autoComplete="new-password"
        value={props.again}
        onInput={props.onAgain}
        required
        error={different ? t('password.different') : undefined}
      />
    </>
  );
}

export function passwordFits(next: string, again: string): boolean {
  return [...next].length >= passwordCharactersMin && next === again;
}

// The first password was printed on a terminal; whoever uses it chooses their own before anything else.
export function FirstPassword() {
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const action = useAction(() => changePassword(current, next));
  return (
    <Gate title={t('password.title')} lead={t('password.lead', { user: session.value?.user ?? '' })}>
      <form
        class="card stack"
        onSubmit={(event) => {
          event.preventDefault();
          void action.run();
        }}
      >
        <input type="hidden" name="username" autocomplete="username" value={session.value?.user ?? ''} />
        <TextField
          label={t('password.current')}
          name="current-password"
          type="password"
          autoComplete="current-password"
          value={current}
          onInput={setCurrent}
          required
          autoFocus
        />
        <NewPasswordFields next={next} again={again} onNext={setNext} onAgain={setAgain} />
        <FailureNotice failure={action.failure} />
        <Button type="submit" look="primary" busy={action.busy} disabled={!passwordFits(next, again)}>
          {t('password.submit')}
        </Button>
        <Button look="quiet" onClick={() => void signOut()}>
          {t('signOut')}
        </Button>
      </form>
    </Gate>
  );
}
