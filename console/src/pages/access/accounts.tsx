import { useState } from 'preact/hooks';
import { api, ask, type Account } from '../../api/client';
import { t } from '../../i18n';
import { useAction } from '../../lib/hooks';
import { usePages } from '../../lib/pages';
import { to } from '../../lib/router';
import { may } from '../../state/session';
import { Button, IconButton } from '../../ui/button';
import { ConflictNotice } from '../../ui/conflict';
import { ConfirmDialog, FormDialog } from '../../ui/dialog';
import { Empty, FailureNotice, tell } from '../../ui/feedback';
import { AreaField, TextField } from '../../ui/field';
import { KeyRound, Pencil, Plus, Trash } from '../../ui/icons';
import { Ago, Card } from '../../ui/page';
import { Pager, Table, type Column } from '../../ui/table';
import { ShownOnce } from './shown-once';

type Open = { kind: 'new' } | { kind: 'edit' | 'delete'; account: Account } | { kind: 'made'; account: Account };

export function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}

export function Accounts() {
  const [open, setOpen] = useState<Open | null>(null);
  const pages = usePages('accounts', (cursor, signal) =>
    ask(api.GET('/accounts', { params: { query: { cursor: cursor || undefined, limit: 50 } }, signal })),
  );
  const close = () => setOpen(null);
  const add = may('admin') && (
    <Button small icon={Plus} look="primary" onClick={() => setOpen({ kind: 'new' })}>
      {t('accounts.new')}
    </Button>
  );
  return (
    <Card title={t('access.accounts')} lead={t('accounts.lead')} flush actions={pages.rows?.length ? add : undefined}>
      <FailureNotice failure={pages.query.failure} retry={pages.query.reload} />
      {!pages.query.failure && (
        <Table
          label={t('access.accounts')}
          columns={columns(setOpen)}
          rows={pages.rows}
          stale={pages.stale}
          rowKey={(account) => account.name}
          empty={
            <Empty icon={KeyRound} title={t('accounts.none')} action={add}>
              {t('accounts.noneText')}
            </Empty>
          }
        />
      )}
      <Pager paging={pages.paging} onChange={pages.turnTo} />
      {(open?.kind === 'new' || open?.kind === 'edit') && (
        <AccountDialog
          account={open.kind === 'edit' ? open.account : null}
          onClose={close}
          onDone={(account) => {
            pages.query.reload();
            setOpen(account.password ? { kind: 'made', account } : null);
          }}
        />
      )}
      {open?.kind === 'delete' && (
        <DeleteAccount account={open.account} onClose={close} onDone={() => (close(), pages.query.reload())} />
      )}
      {open?.kind === 'made' && (
        <ShownOnce
          title={t('accounts.made')}
          values={[
            { label: 'username', value: open.account.name },
            { label: 'password', value: open.account.password ?? '' },
          ]}
          onClose={close}
        />
      )}
    </Card>
  );
}

function columns(setOpen: (open: Open) => void): Column<Account>[] {
  return [
    {
      id: 'name',
      title: t('accounts.name'),
      main: true,
      cell: (account) => <bdi class="strong-link">{account.name}</bdi>,
    },
    {
      id: 'permissions',
      title: t('accounts.permissions'),
      cell: (account) => (
        <span>
          {account.permissions.length === 0 && <span class="muted">{t('accounts.noPermissions')}</span>}
          {account.permissions.slice(0, 4).map((one) => (
            <bdi key={one} class="topic">
              {one}
            </bdi>
          ))}
          {account.permissions.length > 4 && <span class="muted">+{account.permissions.length - 4}</span>}
        </span>
      ),
    },
    { id: 'created', title: t('common.created'), cell: (account) => <Ago time={account.created} /> },
    {
      id: 'tools',
      title: t('common.actions'),
      hideTitle: true,
      cell: (account) =>
        may('admin') && (
          <>
            <a class="button quiet small" href={to('try', { account: account.name })}>
              {t('nav.try')}
            </a>
            <IconButton
              icon={Pencil}
              label={t('accounts.edit', { name: account.name })}
              onClick={() => setOpen({ kind: 'edit', account })}
            />
            <IconButton
              icon={Trash}
              label={t('accounts.delete', { name: account.name })}
              onClick={() => setOpen({ kind: 'delete', account })}
            />
          </>
        ),
    },
  ];
}

interface AccountDialogProps {
  account: Account | null; // null: a new one
  onClose: () => void;
  onDone: (account: Account) => void;
}

function AccountDialog({ account, onClose, onDone }: AccountDialogProps) {
  const [name, setName] = useState(account?.name ?? '');
  const [password, setPassword] = useState('');
  const [permissions, setPermissions] = useState(account?.permissions.join('\n') ?? 'subscribe:#');
  const action = useAction(async (version: number | undefined) => {
    const common = { permissions: linesOf(permissions), ...(password ? { password } : {}) };
    const done = account
      ? await ask(api.PATCH('/accounts/{name}', { params: { path: { name } }, body: { ...common, version } }))
      : await ask(api.POST('/accounts', { body: { name, ...common } }));
    tell(account ? t('accounts.saved') : t('accounts.made'));
    onDone(done);
  });
  const conflict = action.failure?.code === 'version_conflict';
  return (
    <FormDialog
      title={account ? t('accounts.edit', { name }) : t('accounts.new')}
      submit={account ? t('action.save') : t('action.create')}
      busy={action.busy}
      failure={conflict ? undefined : action.failure}
      onSubmit={() => void action.run(account?.version)}
      onClose={onClose}
    >
      {!account && <TextField label={t('accounts.name')} value={name} onInput={setName} required autoFocus />}
      <TextField
        label={account ? t('accounts.newPassword') : t('accounts.password')}
        type="password"
        autoComplete="new-password"
        value={password}
        onInput={setPassword}
        hint={account ? t('accounts.newPasswordHint') : t('accounts.passwordHint')}
      />
      <AreaField
        label={t('accounts.permissions')}
        value={permissions}
        onInput={setPermissions}
        hint={t('accounts.permissionsHint')}
        rows={5}
        mono
      />
      {conflict && account && (
        <ConflictNotice
          seen={account}
          load={() => ask(api.GET('/accounts/{name}', { params: { path: { name } } }))}
          fields={['permissions']}
          onTakeTheirs={(now) => onDone(now)}
          onKeepMine={(now) => void action.run(now.version)}
        />
      )}
    </FormDialog>
  );
}

function DeleteAccount({ account, onClose, onDone }: { account: Account; onClose: () => void; onDone: () => void }) {
  const { name } = account;
  return (
    <ConfirmDialog
      title={t('accounts.delete', { name })}
      submit={t('action.delete')}
      perform={() => ask(api.DELETE('/accounts/{name}', { params: { path: { name } } }))}
      onDone={() => {
        tell(t('accounts.deleted', { name }));
        onDone();
      }}
      onClose={onClose}
    >
      <p>{t('accounts.deleteText')}</p>
    </ConfirmDialog>
  );
}
