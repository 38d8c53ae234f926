import { useState } from 'preact/hooks';
import { api, ask, type Role, type Token } from '../../api/client';
import { t } from '../../i18n';
import { useAction, useQuery } from '../../lib/hooks';
import { Button, IconButton } from '../../ui/button';
import { ConfirmDialog, FormDialog } from '../../ui/dialog';
import { Empty, FailureNotice, tell } from '../../ui/feedback';
import { SelectField, TextField } from '../../ui/field';
import { KeyRound, Plus, Trash } from '../../ui/icons';
import { Ago, Badge, Card } from '../../ui/page';
import { Table, type Column } from '../../ui/table';
import { RoleField } from './people';
import { ShownOnce } from './shown-once';

const lifetimes = ['43200', '2592000', '7776000', ''] as const;
type Lifetime = (typeof lifetimes)[number];

export function Tokens() {
  const [creating, setCreating] = useState(false);
  const [made, setMade] = useState<Token | null>(null);
  const [leaving, setLeaving] = useState<Token | null>(null);
  const tokens = useQuery('tokens', () => ask(api.GET('/tokens', { params: { query: { limit: 1000 } } })));
  const add = (
    <Button small icon={Plus} look="primary" onClick={() => setCreating(true)}>
      {t('tokens.new')}
    </Button>
  );
  return (
    <Card
      title={t('access.tokens')}
      lead={t('tokens.lead')}
      flush
      actions={tokens.data?.items.length ? add : undefined}
    >
      <FailureNotice failure={tokens.failure} retry={tokens.reload} />
      {!tokens.failure && (
        <Table
          label={t('access.tokens')}
          columns={columns(setLeaving)}
          rows={tokens.data?.items}
          rowKey={(token) => token.name}
          empty={
            <Empty icon={KeyRound} title={t('tokens.none')} action={add}>
              {t('tokens.noneText')}
            </Empty>
          }
        />
      )}
      {creating && (
        <TokenDialog
          onClose={() => setCreating(false)}
          onDone={(token) => {
            setCreating(false);
            setMade(token);
            tokens.reload();
          }}
        />
      )}
      {made && (
        <ShownOnce
          title={t('tokens.made')}
          values={[{ label: t('tokens.token'), value: made.token ?? '' }]}
          code={{
            title: 'curl',
            text: `curl -H 'Authorization: Bearer ${made.token ?? ''}' ${location.origin}/api/v1/devices`,
          }}
          onClose={() => setMade(null)}
        />
      )}
      {leaving && (
        <ConfirmDialog
          title={t('tokens.revoke', { name: leaving.name })}
          submit={t('tokens.revokeIt')}
          perform={() => ask(api.DELETE('/tokens/{name}', { params: { path: { name: leaving.name } } }))}
          onDone={() => {
            tell(t('tokens.revoked', { name: leaving.name }));
            setLeaving(null);
            tokens.reload();
          }}
          onClose={() => setLeaving(null)}
        >
          <p>{t('tokens.revokeText')}</p>
        </ConfirmDialog>
      )}
    </Card>
  );
}

function columns(onRevoke: (token: Token) => void): Column<Token>[] {
  return [
    { id: 'name', title: t('tokens.name'), main: true, cell: (token) => <bdi class="strong-link">{token.name}</bdi> },
    { id: 'role', title: t('people.role'), cell: (token) => <Badge tone="quiet">{t(`role.${token.role}`)}</Badge> },
    { id: 'created', title: t('common.created'), cell: (token) => <Ago time={token.created} /> },
    {
      id: 'expires',
      title: t('tokens.expires'),
      cell: (token) => <Ago time={token.expires} never={t('tokens.never')} />,
    },
    {
      id: 'tools',
      title: t('common.actions'),
      hideTitle: true,
      cell: (token) => (
        <IconButton icon={Trash} label={t('tokens.revoke', { name: token.name })} onClick={() => onRevoke(token)} />
      ),
    },
  ];
}

function TokenDialog({ onClose, onDone }: { onClose: () => void; onDone: (token: Token) => void }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [lifetime, setLifetime] = useState<Lifetime>('7776000');
  const action = useAction(async () => {
    const body = { name, role, ...(lifetime ? { lifetime: Number(lifetime) } : {}) };
    onDone(await ask(api.POST('/tokens', { body })));
  });
  return (
    <FormDialog
      title={t('tokens.new')}
      submit={t('action.create')}
      busy={action.busy}
      failure={action.failure}
      onSubmit={() => void action.run()}
      onClose={onClose}
    >
      <TextField label={t('tokens.name')} value={name} onInput={setName} example="deploy" required autoFocus />
      <RoleField role={role} onChange={setRole} />
      <SelectField
        label={t('tokens.lifetime')}
        value={lifetime}
        choices={lifetimes.map((value) => ({ value, label: t(`tokens.lifetime.${value === '' ? 'ever' : value}`) }))}
        onChange={setLifetime}
      />
    </FormDialog>
  );
}
