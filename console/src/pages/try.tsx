import { useEffect, useRef, useState } from 'preact/hooks';
import { exampleTopics, productLabel } from './product-words';
import { api, ask, type NewTicket, type Product } from '../api/client';
import { locale, t } from '../i18n';
import { logTime } from '../lib/format';
import { useAction, useQuery, useSettled } from '../lib/hooks';
import type { ClientState, Received, TryClient } from '../lib/mqtt-client';
import { place } from '../lib/router';
import { may } from '../state/session';
import { Button, IconButton } from '../ui/button';
import { Empty, FailureNotice, Notice } from '../ui/feedback';
import { AreaField, Segments, SelectField, TextField } from '../ui/field';
import { Plug, Radio, Send, Unplug, X } from '../ui/icons';
import { Badge, Card, Page } from '../ui/page';

const messagesMax = 200;
const ticketSeconds = 3_600;

type Who = 'device' | 'app' | 'account';

interface Holder {
  who: Who;
  productKey: string;
  deviceName: string;
  account: string;
}

function ticketOf({ who, productKey, deviceName, account }: Holder): NewTicket {
  const common = { origins: [location.origin], lifetime: ticketSeconds };
  if (who === 'account') return { ...common, account };
  return { ...common, productKey, deviceName, as: who };
}

export function TryPage() {
  const { query } = place.value;
  const [holder, setHolder] = useState<Holder>({
    who: query.has('account') ? 'account' : 'device',
    productKey: query.get('product') ?? '',
    deviceName: query.get('device') ?? '',
    account: query.get('account') ?? '',
  });
  const client = useTryClient();
  if (!may('admin')) {
    return (
      <Page title={t('try.title')} lead={t('try.lead')}>
        <Notice tone="info">{t('try.admin')}</Notice>
      </Page>
    );
  }
  const connected = client.state.at === 'connected';
  return (
    <Page title={t('try.title')} lead={t('try.lead')} actions={<StateBadge state={client.state} />}>
      <HolderCard holder={holder} onChange={setHolder} client={client} />
      {connected && (
        <>
          <TopicCards holder={holder} client={client} />
          <MessagesCard messages={client.messages} onClear={client.clear} />
        </>
      )}
    </Page>
  );
}

interface Suggestions {
  filter: string;
  topic: string;
}

// A device has the topics of its product, and its app looks from the other side.
function topicsOfHolder({ who, ...device }: Holder, product: Product): Suggestions {
  const { publishTo, subscribeTo } = exampleTopics(product, device);
  return who === 'device' ? { filter: subscribeTo, topic: publishTo } : { filter: publishTo, topic: subscribeTo };
}

// 'all:shop/#' as the API writes it.
function topicsOfAccount(permissions: string[]): Suggestions {
  const filterOf = (without: string) =>
    permissions.find((one) => !one.startsWith(without))?.replace(/^\w+:/, '') ?? '#';
  return { filter: filterOf('pub:'), topic: filterOf('sub:').replaceAll('#', 'hello').replaceAll('+', 'hello') };
}

async function suggest(holder: Holder): Promise<Suggestions> {
  const { who, productKey, account } = holder;
  if (who !== 'account') {
    return topicsOfHolder(holder, await ask(api.GET('/products/{productKey}', { params: { path: { productKey } } })));
  }
  const found = await ask(api.GET('/accounts/{name}', { params: { path: { name: account } } }));
  return topicsOfAccount(found.permissions);
}

function TopicCards({ holder, client }: { holder: Holder; client: TryState }) {
  const suggestions = useQuery(`try ${JSON.stringify(holder)}`, () => suggest(holder));
  if (!suggestions.data) return <FailureNotice failure={suggestions.failure} retry={suggestions.reload} />;
  const { filter, topic } = suggestions.data;
  return (
    <div class="columns">
      <SubscribeCard client={client} suggestion={filter} />
      <PublishCard client={client} suggestion={topic} />
    </div>
  );
}

interface TryState {
  state: ClientState | { at: 'idle' };
  messages: Received[];
  filters: string[];
  connect: (holder: Holder) => Promise<void>;
  disconnect: () => void;
  subscribe: (filter: string, qos: 0 | 1) => Promise<void>;
  unsubscribe: (filter: string) => Promise<void>;
  publish: (topic: string, text: string, qos: 0 | 1) => Promise<void>;
  clear: () => void;
}

function useTryClient(): TryState {
  const [state, setState] = useState<TryState['state']>({ at: 'idle' });
  const [messages, setMessages] = useState<Received[]>([]);
  const [filters, setFilters] = useState<string[]>([]);
  const client = useRef<TryClient>();
  useEffect(() => () => client.current?.end(), []);

  const connect = async (holder: Holder) => {
    client.current?.end();
    setFilters([]);
    setState({ at: 'connecting' });
    try {
      const [{ TryClient }, ticket] = await Promise.all([
        import('../lib/mqtt-client'),
        ask(api.POST('/tickets', { body: ticketOf(holder) })),
      ]);
      const clientId = `console-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
      const onState = (next: ClientState) =>
        setState((old) => (old.at === 'failed' && next.at === 'closed' ? old : next));
      const onMessage = (message: Received) =>
        setMessages((old) => [message, ...old].sort((a, b) => b.id - a.id).slice(0, messagesMax));
      const credentials = { username: ticket.username, password: ticket.password ?? '', clientId };
      client.current = new TryClient(credentials, { onState, onMessage });
    } catch (error) {
      setState({ at: 'idle' });
      throw error;
    }
  };
  const current = (): TryClient => {
    if (!client.current) throw new Error(t('try.notConnected'));
    return client.current;
  };
  return {
    state,
    messages,
    filters,
    connect,
    disconnect: () => client.current?.end(),
    subscribe: async (filter, qos) => {
      await current().subscribe(filter, qos);
      setFilters((old) => [...old.filter((one) => one !== filter), filter]);
    },
    unsubscribe: async (filter) => {
      await current().unsubscribe(filter);
      setFilters((old) => old.filter((one) => one !== filter));
    },
    publish: (topic, text, qos) => current().publish(topic, text, qos),
    clear: () => setMessages([]),
  };
}

function StateBadge({ state }: { state: TryState['state'] }) {
  if (state.at === 'connected') return <Badge tone="good">{t('try.connected')}</Badge>;
  if (state.at === 'connecting') return <Badge tone="warn">{t('try.connecting')}</Badge>;
  return <Badge tone="quiet">{t('try.notConnected')}</Badge>;
}

interface HolderProps {
  holder: Holder;
  onChange: (holder: Holder) => void;
  client: TryState;
}

function HolderCard({ holder, onChange, client }: HolderProps) {
  const action = useAction(() => client.connect(holder));
  const { state } = client;
  const connected = state.at === 'connected' || state.at === 'connecting';
  const ready = holder.who === 'account' ? holder.account !== '' : holder.productKey !== '' && holder.deviceName !== '';
  return (
    <Card title={t('try.as')} lead={t(`try.${holder.who}Lead`)}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void action.run();
        }}
      >
        <fieldset class="bare stack" disabled={connected}>
          <Segments
            label={t('try.as')}
            value={holder.who}
            choices={[
              { value: 'device', label: t('try.device') },
              { value: 'app', label: t('try.app') },
              { value: 'account', label: t('try.account') },
            ]}
            onChange={(who) => onChange({ ...holder, who })}
          />
          <div class="fields">
            {holder.who === 'account' ? (
              <AccountChoice value={holder.account} onChange={(account) => onChange({ ...holder, account })} />
            ) : (
              <DeviceChoice holder={holder} onChange={onChange} />
            )}
          </div>
        </fieldset>
        <FailureNotice failure={action.failure} />
        {state.at === 'failed' && (
          <Notice tone="bad" title={t('try.failed')}>
            {state.reason}
          </Notice>
        )}
        {state.at === 'closed' && <Notice tone="info">{t('try.closed')}</Notice>}
        <div class="row">
          {connected ? (
            <Button icon={Unplug} onClick={client.disconnect}>
              {t('try.disconnect')}
            </Button>
          ) : (
            <Button type="submit" look="primary" icon={Plug} busy={action.busy} disabled={!ready}>
              {t('try.connect')}
            </Button>
          )}
        </div>
      </form>
    </Card>
  );
}

function DeviceChoice({ holder, onChange }: { holder: Holder; onChange: (holder: Holder) => void }) {
  const products = useQuery('products', () => ask(api.GET('/products', { params: { query: { limit: 1000 } } })));
  const search = useSettled(holder.deviceName, 250);
  const { productKey } = holder;
  const found = useQuery(`names ${productKey} ${search}`, async (signal) => {
    if (!productKey) return { items: [] };
    const query = { prefix: search || undefined, limit: 12 };
    return ask(api.GET('/products/{productKey}/devices', { params: { path: { productKey }, query }, signal }));
  });
  return (
    <>
      <SelectField
        label={t('devices.product')}
        value={productKey}
        choices={[
          { value: '', label: t('newDevices.chooseProduct') },
          ...(products.data?.items ?? []).map((one) => ({ value: one.productKey, label: productLabel(one) })),
        ]}
        onChange={(value) => onChange({ ...holder, productKey: value })}
      />
      <TextField
        label={t('device.name')}
        value={holder.deviceName}
        onInput={(deviceName) => onChange({ ...holder, deviceName })}
        list="try-devices"
        mono
        required
      />
      <datalist id="try-devices">
        {found.data?.items.map((device) => (
          <option key={device.deviceName} value={device.deviceName} />
        ))}
      </datalist>
    </>
  );
}

function AccountChoice({ value, onChange }: { value: string; onChange: (account: string) => void }) {
  const accounts = useQuery('accounts', () => ask(api.GET('/accounts', { params: { query: { limit: 1000 } } })));
  return (
    <SelectField
      label={t('try.account')}
      value={value}
      choices={[
        { value: '', label: t('try.chooseAccount') },
        ...(accounts.data?.items ?? []).map((one) => ({ value: one.name, label: one.name })),
      ]}
      onChange={onChange}
    />
  );
}

const qosChoices = [
  { value: '0' as const, label: 'QoS 0' },
  { value: '1' as const, label: 'QoS 1' },
];

function SubscribeCard({ client, suggestion }: { client: TryState; suggestion: string }) {
  const [filter, setFilter] = useState(suggestion);
  const [qos, setQos] = useState<'0' | '1'>('1');
  const action = useAction(() => client.subscribe(filter, qos === '1' ? 1 : 0));
  return (
    <Card title={t('try.subscribe')}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void action.run();
        }}
      >
        <TextField label={t('try.filter')} value={filter} onInput={setFilter} mono required />
        <div class="row">
          <Segments label="QoS" value={qos} choices={qosChoices} onChange={setQos} />
          <Button type="submit" icon={Radio} busy={action.busy}>
            {t('try.subscribe')}
          </Button>
        </div>
        {action.failure && <Notice tone="bad">{t('try.denied', { reason: action.failure.message })}</Notice>}
      </form>
      {client.filters.length > 0 && (
        <ul class="plain-list">
          {client.filters.map((one) => (
            <li key={one} class="row spread">
              <bdi class="topic">{one}</bdi>
              <IconButton
                icon={X}
                label={t('try.unsubscribe', { filter: one })}
                onClick={() => void client.unsubscribe(one)}
              />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function PublishCard({ client, suggestion }: { client: TryState; suggestion: string }) {
  const [topic, setTopic] = useState(suggestion);
  const [payload, setPayload] = useState('{"hello": "Mooring"}');
  const [qos, setQos] = useState<'0' | '1'>('1');
  const action = useAction(() => client.publish(topic, payload, qos === '1' ? 1 : 0));
  return (
    <Card title={t('publish.title')}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void action.run();
        }}
      >
        <TextField label={t('publish.topic')} value={topic} onInput={setTopic} mono required />
        <AreaField label={t('publish.payload')} value={payload} onInput={setPayload} rows={3} mono />
        <div class="row">
          <Segments label="QoS" value={qos} choices={qosChoices} onChange={setQos} />
          <Button type="submit" look="primary" icon={Send} busy={action.busy}>
            {t('publish.submit')}
          </Button>
        </div>
        {action.failure && <Notice tone="bad">{t('try.denied', { reason: action.failure.message })}</Notice>}
      </form>
    </Card>
  );
}

function MessagesCard({ messages, onClear }: { messages: Received[]; onClear: () => void }) {
  return (
    <Card
      title={t('try.messages')}
      flush
      actions={
        messages.length > 0 && (
          <Button small look="quiet" onClick={onClear}>
            {t('try.clear')}
          </Button>
        )
      }
    >
      {messages.length === 0 ? (
        <Empty icon={Radio} title={t('try.noMessages')}>
          {t('try.noMessagesText')}
        </Empty>
      ) : (
        <ol class="log" aria-live="polite" aria-label={t('try.messages')}>
          {messages.map((message) => (
            <li key={message.id} class="fresh">
              <time>{logTime(new Date(message.time).toISOString(), locale.value, Date.now())}</time>
              <span>
                <Badge tone={message.direction === 'in' ? 'good' : 'quiet'}>
                  {message.direction === 'in' ? t('try.received') : t('try.sent')}
                </Badge>
              </span>
              <div class="what">
                <bdi class="topic">{message.topic}</bdi>
                <pre class="payload">{message.text}</pre>
                <p class="details">
                  QoS {message.qos}
                  {message.retain ? ` · ${t('try.retained')}` : ''}
                </p>
              </div>
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}
