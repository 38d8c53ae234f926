import { useRef, useState } from 'preact/hooks';
import { api, ask, type MqttSession } from '../../api/client';
import { counted, locale, t } from '../../i18n';
import { bytes, duration } from '../../lib/format';
import { useAction, useQuery } from '../../lib/hooks';
import { may } from '../../state/session';
import { Button } from '../../ui/button';
import { Empty, FailureNotice, SkeletonLines, tell } from '../../ui/feedback';
import { AreaField, Segments, TextField } from '../../ui/field';
import { Radio, Send } from '../../ui/icons';
import { Ago, Badge, Card, Facts } from '../../ui/page';
import { topicsOf, type KnownTopic } from '../product-words';
import type { DeviceName } from './live';

export function MessagesTab({ path, turn }: { path: DeviceName; turn: number }) {
  const key = `${path.productKey} ${path.deviceName}`;
  const sessions = useQuery(`session ${key} ${turn}`, () =>
    ask(api.GET('/products/{productKey}/devices/{deviceName}/session', { params: { path } })),
  );
  const product = useQuery(`product ${path.productKey}`, () =>
    ask(api.GET('/products/{productKey}', { params: { path: { productKey: path.productKey } } })),
  );
  const known = product.data ? topicsOf(product.data, path) : [];
  const [chosen, setTopic] = useState<string | undefined>();
  const form = useRef<HTMLDivElement>(null);
  const session = sessions.data?.items[0];
  const topic = chosen ?? firstTopic(path, session, known);
  const publishTo = (wanted: string) => {
    setTopic(wanted);
    form.current?.scrollIntoView({ block: 'nearest' });
    form.current?.querySelector('textarea')?.focus({ preventScroll: true });
  };
  return (
    <>
      {may('operator') && (
        <div ref={form}>
          <PublishCard topic={topic} onTopic={setTopic} suggestions={known} subscribed={session} />
        </div>
      )}
      <Card title={t('session.title')} flush>
        <FailureNotice failure={sessions.failure} retry={sessions.reload} />
        {!sessions.data && !sessions.failure && (
          <div class="pad">
            <SkeletonLines count={4} />
          </div>
        )}
        {sessions.data && (session ? <SessionView session={session} onPublish={publishTo} /> : <NoSession />)}
      </Card>
      <Card title={t('topics.title')} lead={t('topics.lead')} flush>
        {product.data && known.length === 0 && (
          <Empty icon={Radio} title={t('topicClass.none')}>
            {t('topicClass.noneText')}
          </Empty>
        )}
        <ul class="plain-list pad">
          {known.map((one) => (
            <li key={one.topic} class="row spread">
              <bdi class="topic">{one.topic}</bdi>
              <span class="row">
                <span class="muted small">
                  {t(one.toDevice && one.fromDevice ? 'right.all' : one.toDevice ? 'right.sub' : 'right.pub')}
                </span>
                {one.toDevice && may('operator') && (
                  <Button small look="quiet" onClick={() => publishTo(one.topic)}>
                    {t('publish.use')}
                  </Button>
                )}
              </span>
            </li>
          ))}
        </ul>
      </Card>
    </>
  );
}

function topicsSubscribed(session: MqttSession | undefined): string[] {
  return session?.subscriptions.map((one) => one.filter).filter((filter) => !/[#+]/.test(filter)) ?? [];
}

// One that the device listens to, if any is known.
function firstTopic(path: DeviceName, session: MqttSession | undefined, known: KnownTopic[]): string {
  const offered = topicsSubscribed(session)[0] ?? known.find((one) => one.toDevice)?.topic;
  return offered ?? `/${path.productKey}/${path.deviceName}/user/get`;
}

interface PublishProps {
  topic: string;
  onTopic: (topic: string) => void;
  suggestions: KnownTopic[];
  subscribed: MqttSession | undefined;
}

function PublishCard({ topic, onTopic, suggestions, subscribed }: PublishProps) {
  const [payload, setPayload] = useState('{"power": "on"}');
  const [qos, setQos] = useState<'0' | '1'>('1');
  const action = useAction(async () => {
    const sent = await ask(api.POST('/publish', { body: { topic, payload, qos: Number(qos) } }));
    tell(t('publish.done', { bytes: bytes(sent.bytes, locale.value) }));
  });
  const filters = topicsSubscribed(subscribed);
  const topics = [...new Set([...suggestions.filter((one) => one.toDevice).map((one) => one.topic), ...filters])];
  return (
    <Card title={t('publish.title')} lead={t('publish.lead')}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void action.run();
        }}
      >
        <TextField label={t('publish.topic')} value={topic} onInput={onTopic} list="known-topics" mono required />
        <datalist id="known-topics">
          {topics.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
        <AreaField label={t('publish.payload')} value={payload} onInput={setPayload} rows={3} mono />
        <div class="row">
          <Segments
            label="QoS"
            value={qos}
            choices={[
              { value: '0', label: 'QoS 0' },
              { value: '1', label: 'QoS 1' },
            ]}
            onChange={setQos}
          />
          <Button type="submit" look="primary" icon={Send} busy={action.busy}>
            {t('publish.submit')}
          </Button>
        </div>
        <FailureNotice failure={action.failure} />
      </form>
    </Card>
  );
}

function NoSession() {
  return (
    <Empty icon={Radio} title={t('session.none')}>
      {t('session.noneText')}
    </Empty>
  );
}

function SessionView({ session, onPublish }: { session: MqttSession; onPublish: (topic: string) => void }) {
  return (
    <div class="pad stack">
      <Facts
        items={[
          {
            name: t('session.state'),
            value: session.connected ? (
              <Badge tone="good">{t('session.connected')}</Badge>
            ) : (
              <Badge tone="quiet">{t('session.away')}</Badge>
            ),
          },
          !session.connected && { name: t('session.offlineSince'), value: <Ago time={session.offlineSince} /> },
          {
            name: t('session.protocol'),
            value: [session.protocol, session.transport].filter(Boolean).join(' · ') || '–',
          },
          { name: t('session.keepAlive'), value: duration(session.keepAlive, locale.value) },
          { name: t('session.clean'), value: session.cleanSession ? t('common.yes') : t('common.no') },
          {
            name: t('session.queued'),
            value: [counted('session.messages', session.queuedMessages), bytes(session.queuedBytes, locale.value)].join(
              ' · ',
            ),
          },
        ]}
      />
      <h3>{t('session.subscriptions')}</h3>
      {session.subscriptions.length === 0 && <p class="muted">{t('session.noSubscriptions')}</p>}
      <ul class="plain-list" data-name="subscriptions">
        {session.subscriptions.map((one) => (
          <li key={one.filter} class="row spread">
            <bdi class="topic">{one.filter}</bdi>
            <span class="row">
              {one.automatic && <Badge tone="quiet">{t('session.automatic')}</Badge>}
              <span class="muted small">QoS {one.qos}</span>
              {may('operator') && !/[#+]/.test(one.filter) && (
                <Button small look="quiet" onClick={() => onPublish(one.filter)}>
                  {t('publish.use')}
                </Button>
              )}
            </span>
          </li>
        ))}
      </ul>
      {session.moreSubscriptions > 0 && <p class="muted">{counted('session.more', session.moreSubscriptions)}</p>}
    </div>
  );
}
