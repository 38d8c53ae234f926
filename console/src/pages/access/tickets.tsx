import { useState } from 'preact/hooks';
import { api, ask, type NewTicket, type Ticket } from '../../api/client';
import { t } from '../../i18n';
import { useAction } from '../../lib/hooks';
import { usePages } from '../../lib/pages';
import { to } from '../../lib/router';
import { may } from '../../state/session';
import { Button, IconButton } from '../../ui/button';
import { FormDialog } from '../../ui/dialog';
import { Empty, FailureNotice, tell } from '../../ui/feedback';
import { AreaField, CheckField, Segments, SelectField, TextField } from '../../ui/field';
import { Ban, Plus, Ticket as TicketIcon } from '../../ui/icons';
import { Ago, Badge, Card } from '../../ui/page';
import { Pager, Table, type Column } from '../../ui/table';
import { linesOf } from './accounts';
import { ShownOnce } from './shown-once';

const lifetimes = ['900', '3600', '28800', '86400'] as const;
type Lifetime = (typeof lifetimes)[number];

export function Tickets() {
  const [all, setAll] = useState(false);
  const [minting, setMinting] = useState(false);
  const [made, setMade] = useState<Ticket | null>(null);
  const pages = usePages(`tickets ${all}`, (cursor, signal) =>
    ask(api.GET('/tickets', { params: { query: { all, cursor: cursor || undefined, limit: 50 } }, signal })),
  );
  const revoke = useAction(async (id: string) => {
    await ask(api.DELETE('/tickets/{id}', { params: { path: { id } } }));
    tell(t('tickets.revoked'));
    pages.query.reload();
  });
  const add = may('admin') && (
    <Button small icon={Plus} look="primary" onClick={() => setMinting(true)}>
      {t('tickets.new')}
    </Button>
  );
  return (
    <Card title={t('access.tickets')} lead={t('tickets.lead')} flush actions={pages.rows?.length ? add : undefined}>
      <div class="pad">
        <CheckField label={t('tickets.all')} checked={all} onChange={setAll} />
      </div>
      <FailureNotice failure={pages.query.failure ?? revoke.failure} retry={pages.query.reload} />
      {!pages.query.failure && (
        <Table
          label={t('access.tickets')}
          columns={columns((id) => void revoke.run(id))}
          rows={pages.rows}
          stale={pages.stale}
          rowKey={(ticket) => ticket.id}
          empty={
            <Empty icon={TicketIcon} title={t('tickets.none')} action={add}>
              {t('tickets.noneText')}
            </Empty>
          }
        />
      )}
      <Pager paging={pages.paging} onChange={pages.turnTo} />
      {minting && (
        <TicketDialog
          onClose={() => setMinting(false)}
          onDone={(ticket) => {
            setMinting(false);
            setMade(ticket);
            pages.query.reload();
          }}
        />
      )}
      {made && <Made ticket={made} onClose={() => setMade(null)} />}
    </Card>
  );
}

const stateTones = { valid: 'good', expired: 'quiet', revoked: 'bad' } as const;

function columns(onRevoke: (id: string) => void): Column<Ticket>[] {
  return [
    {
      id: 'holder',
      title: t('tickets.holder'),
      main: true,
      cell: (ticket) => (
        <>
          {ticket.account !== undefined ? (
            <bdi class="strong-link">{ticket.account}</bdi>
          ) : (
            <a href={to('products', ticket.productKey ?? '', 'devices', ticket.deviceName ?? '')}>
              <bdi>
                {ticket.productKey} / {ticket.deviceName}
              </bdi>
            </a>
          )}
          <code class="sub">{ticket.username}</code>
        </>
      ),
    },
    {
      id: 'kind',
      title: t('tickets.kind'),
      cell: (ticket) => (ticket.account !== undefined ? t('tickets.account') : t(`tickets.${ticket.as ?? 'app'}`)),
    },
    {
      id: 'state',
      title: t('tickets.state'),
      cell: (ticket) => <Badge tone={stateTones[ticket.state]}>{t(`tickets.${ticket.state}`)}</Badge>,
    },
    { id: 'expires', title: t('tickets.expires'), cell: (ticket) => <Ago time={ticket.expires} /> },
    { id: 'by', title: t('tickets.mintedBy'), cell: (ticket) => <bdi class="muted">{ticket.mintedBy}</bdi> },
    {
      id: 'tools',
      title: t('common.actions'),
      hideTitle: true,
      cell: (ticket) =>
        ticket.state === 'valid' &&
        may('operator') && (
          <IconButton icon={Ban} label={t('tickets.revoke', { id: ticket.id })} onClick={() => onRevoke(ticket.id)} />
        ),
    },
  ];
}

type Who = 'app' | 'device' | 'account';

function TicketDialog({ onClose, onDone }: { onClose: () => void; onDone: (ticket: Ticket) => void }) {
  const [who, setWho] = useState<Who>('app');
  const [productKey, setProductKey] = useState('');
  const [deviceName, setDeviceName] = useState('');
  const [account, setAccount] = useState('');
  const [origins, setOrigins] = useState('');
  const [permissions, setPermissions] = useState('');
  const [lifetime, setLifetime] = useState<Lifetime>('3600');
  const action = useAction(async () => {
    const body: NewTicket = {
      ...(who === 'account' ? { account } : { productKey, deviceName, as: who }),
      ...(origins.trim() ? { origins: linesOf(origins) } : {}),
      ...(permissions.trim() ? { permissions: linesOf(permissions) } : {}),
      lifetime: Number(lifetime),
    };
    onDone(await ask(api.POST('/tickets', { body })));
  });
  return (
    <FormDialog
      title={t('tickets.new')}
      submit={t('tickets.mint')}
      busy={action.busy}
      failure={action.failure}
      onSubmit={() => void action.run()}
      onClose={onClose}
    >
      <Segments
        label={t('tickets.kind')}
        value={who}
        choices={[
          { value: 'app', label: t('tickets.app') },
          { value: 'device', label: t('tickets.device') },
          { value: 'account', label: t('tickets.account') },
        ]}
        onChange={setWho}
      />
      {who === 'account' ? (
        <TextField label={t('accounts.name')} value={account} onInput={setAccount} required />
      ) : (
        <div class="fields">
          <TextField label="ProductKey" value={productKey} onInput={setProductKey} mono required />
          <TextField label="DeviceName" value={deviceName} onInput={setDeviceName} mono required />
        </div>
      )}
      <SelectField
        label={t('tickets.lifetime')}
        value={lifetime}
        choices={lifetimes.map((value) => ({ value, label: t(`tickets.lifetime.${value}`) }))}
        onChange={setLifetime}
      />
      <AreaField
        label={t('tickets.origins')}
        value={origins}
        onInput={setOrigins}
        rows={2}
        hint={t('tickets.originsHint')}
        example="https://app.example.com"
        mono
      />
      <AreaField
        label={t('tickets.permissions')}
        value={permissions}
        onInput={setPermissions}
        rows={2}
        hint={t('tickets.permissionsHint')}
        mono
      />
    </FormDialog>
  );
}

function Made({ ticket, onClose }: { ticket: Ticket; onClose: () => void }) {
  const address = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/mqtt`;
  const text = [
    `const client = mqtt.connect(${JSON.stringify(address)}, {`,
    `  username: ${JSON.stringify(ticket.username)},`,
    `  password: ${JSON.stringify(ticket.password ?? '')},`,
    '});',
  ].join('\n');
  return (
    <ShownOnce
      title={t('tickets.made')}
      values={[
        { label: 'username', value: ticket.username },
        { label: 'password', value: ticket.password ?? '' },
      ]}
      code={{ title: 'MQTT.js', text }}
      onClose={onClose}
    />
  );
}
