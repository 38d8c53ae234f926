import { useState } from 'preact/hooks';
import { api, ask, type Configuration, type Server } from '../api/client';
import { locale, t } from '../i18n';
import { useQuery } from '../lib/hooks';
import { may, session } from '../state/session';
import { Empty, FailureNotice, SkeletonLines, tell } from '../ui/feedback';
import { CheckField } from '../ui/field';
import { Search } from '../ui/icons';
import { Ago, Badge, Card, Facts, Page } from '../ui/page';
import { SearchField } from '../ui/search';
import { Table, type Column } from '../ui/table';
import { PasswordForm } from './sign-in';

type Option = Configuration['items'][number];

export function Settings() {
  const server = useQuery('server', () => ask(api.GET('/server')));
  return (
    <Page title={t('settings.title')} lead={t('settings.lead')}>
      <FailureNotice failure={server.failure} retry={server.reload} />
      {server.data ? (
        <ServerCard server={server.data} />
      ) : (
        !server.failure && (
          <Card>
            <SkeletonLines count={5} />
          </Card>
        )
      )}
      {session.value?.kind === 'user' && <PasswordCard />}
      {may('admin') && <Options />}
    </Page>
  );
}

function ServerCard({ server }: { server: Server }) {
  const listener = (one: Server['listeners'][number]) => `${one.address || '*'}:${one.port}`;
  return (
    <Card title={t('settings.server')}>
      <Facts
        items={[
          { name: t('settings.version'), value: server.version },
          { name: t('overview.started'), value: <Ago time={server.started} /> },
          { name: t('settings.listeners'), value: server.listeners.map(listener).join(', ') },
          {
            name: t('settings.publicHost'),
            value: server.publicHost ? `${server.publicHost}:${server.publicPort}` : '–',
          },
          { name: t('settings.region'), value: server.region || '–' },
          { name: t('settings.instance'), value: server.instanceId || '–' },
          { name: t('settings.threads'), value: server.threads },
          { name: t('settings.durability'), value: server.durability },
          { name: t('settings.limits'), value: server.limitsProfile },
          { name: t('settings.sessions'), value: new Intl.NumberFormat(locale.value).format(server.sessions) },
          { name: t('settings.retained'), value: new Intl.NumberFormat(locale.value).format(server.retainedMessages) },
        ]}
      />
    </Card>
  );
}

function Options() {
  const query = useQuery('configuration', () => ask(api.GET('/server/configuration')));
  const [text, setText] = useState('');
  const [changedOnly, setChangedOnly] = useState(false);
  const wanted = text.trim().toLowerCase();
  const rows = query.data?.items.filter(
    (option) =>
      (!changedOnly || option.source !== 'default') &&
      (option.key.toLowerCase().includes(wanted) || option.description.toLowerCase().includes(wanted)),
  );
  return (
    <Card title={t('settings.configuration')} lead={t('settings.configurationLead')} flush>
      <div class="toolbar pad">
        <SearchField label={t('settings.search')} value={text} onInput={setText} />
        <CheckField label={t('settings.changedOnly')} checked={changedOnly} onChange={setChangedOnly} />
      </div>
      <FailureNotice failure={query.failure} retry={query.reload} />
      {!query.failure && (
        <Table
          label={t('settings.configuration')}
          columns={optionColumns()}
          rows={rows}
          rowKey={(option) => option.key}
          group={sectionOf}
          skeletonRows={12}
          empty={<Empty icon={Search} title={t('settings.noneFound')} />}
        />
      )}
    </Card>
  );
}

// 'listener[0]' of 'listener[0].tls'
function sectionOf({ key }: Option): string {
  const dot = key.indexOf('.');
  return dot < 0 ? key : key.slice(0, dot);
}

function optionColumns(): Column<Option>[] {
  return [
    {
      id: 'key',
      title: t('settings.option'),
      main: true,
      cell: (option) => (
        <>
          <code>{option.key}</code>
          <span class="sub">{option.description}</span>
        </>
      ),
    },
    { id: 'value', title: t('settings.value'), cell: optionValue },
    {
      id: 'source',
      title: t('settings.source'),
      cell: (option) => (
        <Badge tone={option.source === 'default' ? 'quiet' : 'good'}>
          <bdi>{option.source === 'default' ? t('settings.source.default') : option.source}</bdi>
        </Badge>
      ),
    },
    {
      id: 'reload',
      title: t('settings.reloadable'),
      minor: true,
      cell: (option) => (
        <span class="muted small nowrap">{option.reloadable ? t('settings.reload') : t('settings.restart')}</span>
      ),
    },
  ];
}

function optionValue(option: Option) {
  const shown = option.value || t('settings.empty');
  return (
    <span>
      <code>{shown}</code>
      {option.value !== option.default && (
        <span class="sub">{t('settings.default', { value: option.default || t('settings.empty') })}</span>
      )}
    </span>
  );
}

function PasswordCard() {
  return (
    <Card title={t('password.own')}>
      <PasswordForm look="stack" onDone={() => tell(t('password.changed'))} />
    </Card>
  );
}
