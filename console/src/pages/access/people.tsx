import { useState } from 'preact/hooks';
import { api, ask, type Role, type User } from '../../api/client';
import { t } from '../../i18n';
import { useAction, useQuery } from '../../lib/hooks';
import { session } from '../../state/session';
import { Button, IconButton } from '../../ui/button';
import { ConfirmDialog, FormDialog } from '../../ui/dialog';
import { FailureNotice, tell } from '../../ui/feedback';
import { SelectField, TextField, type Choice } from '../../ui/field';
import { Pencil, Plus, Trash } from '../../ui/icons';
import { Ago, Badge, Card } from '../../ui/page';
import { Table, type Column } from '../../ui/table';
import { ShownOnce } from './shown-once';

type Open = { kind: 'new' } | { kind: 'edit' | 'delete' | 'made'; user: User };

function roleChoices(): Choice<Role>[] {
  return [
    { value: 'viewer', label: t('role.viewer') },
    { value: 'operator', label: t('role.operator') },
    { value: 'admin', label: t('role.admin') },
  ];
}

export function RoleField({ role, onChange }: { role: Role; onChange: (role: Role) => void }) {
  return (
    <SelectField
      label={t('people.role')}
      value={role}
      choices={roleChoices()}
      onChange={onChange}
      hint={t(`role.${role}Hint`)}
    />
  );
}

export function People() {
  const [open, setOpen] = useState<Open | null>(null);
  const users = useQuery('users', () => ask(api.GET('/users')));
  const done = (user: User) => {
    users.reload();
    setOpen(user.password ? { kind: 'made', user } : null);
  };
  const close = () => setOpen(null);
  return (
    <Card
      title={t('access.people')}
      lead={t('people.lead')}
      flush
      actions={
        <Button small icon={Plus} look="primary" onClick={() => setOpen({ kind: 'new' })}>
          {t('people.new')}
        </Button>
      }
    >
      <FailureNotice failure={users.failure} retry={users.reload} />
      {!users.failure && (
        <Table
          label={t('access.people')}
          columns={columns(setOpen)}
          rows={users.data?.items}
          rowKey={(user) => user.name}
          empty={null}
          skeletonRows={2}
        />
      )}
      {open?.kind === 'new' && <NewUser onClose={close} onDone={done} />}
      {open?.kind === 'edit' && <EditUser user={open.user} onClose={close} onDone={done} />}
      {open?.kind === 'delete' && (
        <DeleteUser user={open.user} onClose={close} onDone={() => (close(), users.reload())} />
      )}
      {open?.kind === 'made' && (
        <ShownOnce
          title={t('people.made')}
          values={[
            { label: t('signIn.user'), value: open.user.name },
            { label: t('signIn.password'), value: open.user.password ?? '', testName: 'made-password' },
          ]}
          onClose={close}
        />
      )}
    </Card>
  );
}

function columns(setOpen: (open: Open) => void): Column<User>[] {
  return [
    {
      id: 'name',
      title: t('people.name'),
      main: true,
      cell: (user) => (
        <>
          <bdi class="strong-link">{user.name}</bdi>{' '}
          {user.name === session.value?.user && <Badge tone="quiet">{t('people.you')}</Badge>}
          {user.mustChangePassword && <span class="sub">{t('people.mustChange')}</span>}
        </>
      ),
    },
    { id: 'role', title: t('people.role'), cell: (user) => <Badge tone="quiet">{t(`role.${user.role}`)}</Badge> },
    {
      id: 'seen',
      title: t('people.lastSignIn'),
      cell: (user) => <Ago time={user.lastSignIn} never={t('device.never')} />,
    },
    { id: 'sessions', title: t('people.sessions'), align: 'end', cell: (user) => user.sessions },
    {
      id: 'tools',
      title: t('common.actions'),
      hideTitle: true,
      cell: (user) => (
        <>
          <IconButton
            icon={Pencil}
            label={t('people.edit', { name: user.name })}
            onClick={() => setOpen({ kind: 'edit', user })}
          />
          <IconButton
            icon={Trash}
            label={t('people.delete', { name: user.name })}
            disabled={user.name === session.value?.user}
            onClick={() => setOpen({ kind: 'delete', user })}
          />
        </>
      ),
    },
  ];
}

interface DialogProps {
  onClose: () => void;
  onDone: (user: User) => void;
}

function NewUser({ onClose, onDone }: DialogProps) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('operator');
  const action = useAction(async () => onDone(await ask(api.POST('/users', { body: { name, role } }))));
  return (
    <FormDialog
      title={t('people.new')}
      submit={t('action.create')}
      busy={action.busy}
      failure={action.failure}
      onSubmit={() => void action.run()}
      onClose={onClose}
    >
      <TextField
        label={t('people.name')}
        value={name}
        onInput={setName}
        required
        autoFocus
        hint={t('people.newHint')}
      />
      <RoleField role={role} onChange={setRole} />
    </FormDialog>
  );
}

function EditUser({ user, onClose, onDone }: DialogProps & { user: User }) {
  const [role, setRole] = useState<Role>(user.role);
  const [password, setPassword] = useState('');
  const action = useAction(async () => {
    const body = { role, version: user.version, ...(password ? { password } : {}) };
    const saved = await ask(api.PATCH('/users/{name}', { params: { path: { name: user.name } }, body }));
    tell(t('people.saved'));
    onDone(saved);
  });
  return (
    <FormDialog
      title={t('people.edit', { name: user.name })}
      submit={t('action.save')}
      busy={action.busy}
      failure={action.failure}
      onSubmit={() => void action.run()}
      onClose={onClose}
    >
      <RoleField role={role} onChange={setRole} />
      <TextField
        label={t('people.newPassword')}
        type="password"
        autoComplete="new-password"
        value={password}
        onInput={setPassword}
        hint={t('people.newPasswordHint')}
      />
    </FormDialog>
  );
}

function DeleteUser({ user, onClose, onDone }: { user: User; onClose: () => void; onDone: () => void }) {
  const { name } = user;
  return (
    <ConfirmDialog
      title={t('people.delete', { name })}
      submit={t('action.delete')}
      perform={() => ask(api.DELETE('/users/{name}', { params: { path: { name } } }))}
      onDone={() => {
        tell(t('people.deleted', { name }));
        onDone();
      }}
      onClose={onClose}
    >
      <p>{t('people.deleteText')}</p>
    </ConfirmDialog>
  );
}
