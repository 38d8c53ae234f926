import { useEffect, useMemo, useState } from 'preact/hooks';
import { api, ask, type LogEntry, type Product, type Sample, type Server } from '../api/client';
import { followEvents } from '../api/live';
import { causeName, counted, diagnosisOf, locale, t } from '../i18n';
import { attention, type Attention } from '../lib/attention';
import { bytes, number } from '../lib/format';
import { useQuery, useSettled } from '../lib/hooks';
import { growth, leadingReasons, rates, rolling, seconds, windowSeconds, withSample } from '../lib/rates';
import { to } from '../lib/router';
import { FailureNotice, Skeleton } from '../ui/feedback';
import { LinkButton } from '../ui/button';
import { CircleAlert, CircleCheck, Cpu, Plug, Plus, TriangleAlert, Unplug } from '../ui/icons';
import { Ago, Card, Page } from '../ui/page';
import { Plot, type Series } from '../ui/plot';
import { may } from '../state/session';

interface LiveSamples {
  samples: Sample[];
  connected: boolean;
}

// The last minutes, then one sample a second.
function useSamples(): LiveSamples {
  const [samples, setSamples] = useState<Sample[]>([]);
  const [connected, setConnected] = useState(false);
  useEffect(() => {
    const begin = async () => {
      const found = await ask(api.GET('/statistics', { params: { query: { seconds: windowSeconds } } }));
      setSamples(found.items);
    };
    return followEvents({
      statistics: (sample) => setSamples((old) => withSample(old, sample)),
      onStart: () => void begin().catch(() => setConnected(false)),
      onState: setConnected,
    });
  }, []);
  return { samples, connected };
}

export function Overview() {
  const { samples, connected } = useSamples();
  const server = useQuery('server', () => ask(api.GET('/server')));
  const products = useQuery('products', () => ask(api.GET('/products', { params: { query: { limit: 1000 } } })));
  return (
    <Page
      title={t('overview.title')}
      lead={server.data ? <ServerLine server={server.data} /> : <Skeleton width="260px" />}
      actions={<span class={connected ? 'live on' : 'live'}>{connected ? t('live.on') : t('live.off')}</span>}
    >
      <FailureNotice failure={server.failure} retry={server.reload} />
      <Tiles samples={samples} products={products.data?.items} />
      <AttentionCard samples={samples} products={products.data?.items} />
      <Plots samples={samples} />
      <Strangers refused={refusedCount(samples)} />
    </Page>
  );
}

function ServerLine({ server }: { server: Server }) {
  return (
    <>
      Mooring {server.version} · {t('overview.started')} <Ago time={server.started} />
    </>
  );
}

function refusedCount(samples: Sample[]): number {
  return growth(samples, (sample) => sample.refusals).reduce((sum, one) => sum + one.count, 0);
}

interface PartProps {
  samples: Sample[];
  products: Product[] | undefined;
}

function deviceCount(products: Product[]): number {
  return products.reduce((sum, product) => sum + product.deviceCount, 0);
}

function Tiles({ samples, products }: PartProps) {
  const last = samples.at(-1);
  const refused = refusedCount(samples);
  const text = (value: number | undefined) =>
    value === undefined ? <Skeleton width="56px" /> : number(value, locale.value);
  const rate = (counter: (sample: Sample) => number) => rates(samples.slice(-6), counter);
  const mean = (values: number[]) =>
    last && (values.length > 0 ? values.reduce((sum, one) => sum + one, 0) / values.length : 0);
  return (
    <dl class="tiles">
      <Tile name={t('overview.connections')} value={text(last?.connections)} />
      <Tile
        name={t('overview.devicesOnline')}
        value={text(last?.devicesOnline)}
        note={products && t('overview.ofDevices', { count: number(deviceCount(products), locale.value) })}
      />
      <Tile
        name={t('overview.messagesIn')}
        value={text(mean(rate((sample) => sample.messagesIn)))}
        note={t('overview.perSecond')}
      />
      <Tile
        name={t('overview.messagesOut')}
        value={text(mean(rate((sample) => sample.messagesOut)))}
        note={t('overview.perSecond')}
      />
      <Tile name={t('overview.refused')} value={text(last && refused)} note={t('overview.lastMinutes')} />
    </dl>
  );
}

function Tile({
  name,
  value,
  note,
}: {
  name: string;
  value: preact.ComponentChildren;
  note?: preact.ComponentChildren;
}) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd>{value}</dd>
      <dd>{note ?? '\u00a0'}</dd>
    </div>
  );
}

function AttentionCard({ samples, products }: PartProps) {
  const certificates = useQuery('certificates', () => ask(api.GET('/server/certificates')));
  const ready = (certificates.data || certificates.failure) && samples.length > 0;
  const devices = products && deviceCount(products);
  const found = attention({
    samples,
    certificates: certificates.data,
    products: products ?? [],
    nowMs: Date.now(),
  });
  return (
    <Card title={t('attention.title')} flush>
      {ready && products ? (
        <ul class="attention">
          {found.map((one, index) => (
            <AttentionLine key={index} one={one} />
          ))}
          {products.length === 0 && <FirstStep icon={Plug} kind="product" />}
          {products.length > 0 && devices === 0 && <FirstStep icon={Cpu} kind="device" />}
          {found.length === 0 && devices !== 0 && (
            <li class="good">
              <CircleCheck aria-hidden="true" />
              <div>{t('attention.nothing')}</div>
            </li>
          )}
        </ul>
      ) : (
        <ul class="attention">
          <li>
            <Skeleton width="52%" />
          </li>
        </ul>
      )}
    </Card>
  );
}

function FirstStep({ icon: Icon, kind }: { icon: typeof Plug; kind: 'product' | 'device' }) {
  const href = kind === 'product' ? to('products', { new: '1' }) : to('products');
  return (
    <li class="info">
      <Icon aria-hidden="true" />
      <div class="stack-tight">
        <p>{kind === 'product' ? t('attention.noProduct') : t('attention.noDevice')}</p>
        {may(kind === 'product' ? 'admin' : 'operator') && (
          <LinkButton href={href} icon={Plus} look="primary">
            {kind === 'product' ? t('products.new') : t('devices.new')}
          </LinkButton>
        )}
      </div>
    </li>
  );
}

function AttentionLine({ one }: { one: Attention }) {
  const Icon = one.tone === 'bad' ? CircleAlert : TriangleAlert;
  return (
    <li class={one.tone}>
      <Icon aria-hidden="true" />
      <div>
        <AttentionText one={one} />
      </div>
    </li>
  );
}

function AttentionText({ one }: { one: Attention }) {
  switch (one.kind) {
    case 'certificate':
      return (
        <>
          {one.days < 0
            ? t('attention.certificateEnded', { name: one.name })
            : t('attention.certificate', { name: one.name, days: one.days })}{' '}
          <a href={to('certificates')}>{t('nav.certificates')}</a>
        </>
      );
    case 'busy':
      return <>{t('attention.busy', { share: Math.round(one.share * 100) })}</>;
    case 'open-registration':
    case 'first-use':
      return (
        <>
          {one.kind === 'first-use' ? t('attention.firstUse') : t('attention.openRegistration')}{' '}
          <a href={to('products', one.product.productKey)}>
            <bdi>{one.product.name || one.product.productKey}</bdi>
          </a>
        </>
      );
    case 'refusals':
    case 'dropped':
      return (
        <>
          {counted(one.kind === 'refusals' ? 'attention.refusals' : 'attention.dropped', one.total)}
          <span class="sub">
            {one.reasons
              .slice(0, 4)
              .map((reason) => `${causeName(reason.reason)} (${number(reason.count, locale.value)})`)
              .join(', ')}
          </span>
        </>
      );
  }
}

const strangersShown = 8;

// Peers whose device does not exist: often a slip in the firmware, and seen nowhere else.
function Strangers({ refused }: { refused: number }) {
  const settled = useSettled(refused, 2_000);
  const query = useQuery(`refusals ${settled}`, () =>
    ask(api.GET('/refusals', { params: { query: { limit: strangersShown } } })),
  );
  const [shown, setShown] = useState<LogEntry[]>([]);
  useEffect(() => {
    if (query.data) setShown(query.data.items);
  }, [query.data]);
  if (shown.length === 0) return null;
  return (
    <Card title={t('strangers.title')} lead={t('strangers.lead')} flush>
      <ul class="attention">
        {shown.map((entry) => (
          <li key={entry.id} class="info">
            <Unplug aria-hidden="true" />
            <div>
              <bdi>
                {[entry.productKey, entry.deviceName].filter(Boolean).join(' / ') || entry.subject || entry.address}
              </bdi>
              <span class="sub">
                <bdi>{diagnosisOf(entry).text}</bdi>
              </span>
              <span class="sub">
                {counted('doctor.times', entry.count)} · <Ago time={entry.lastTime ?? entry.time} />
                {entry.address && ` · ${entry.address}`}
              </span>
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Plots({ samples }: { samples: Sample[] }) {
  const times = useMemo(() => samples.slice(1).map(seconds), [samples]);
  const later = samples.slice(1);
  const line = (id: string, label: string, values: number[]): Series => ({ id, label, values });
  const reasons = leadingReasons(samples, (sample) => sample.refusals);
  const perSecond = (value: number) => `${number(value, locale.value)}/s`;
  const perMinute = (value: number) => `${number(value, locale.value)}/min`;
  return (
    <div class="columns even">
      <Card>
        <Plot
          title={t('overview.connections')}
          unit="whole"
          seconds={windowSeconds}
          times={times}
          empty={t('overview.noData')}
          series={[
            line(
              'all',
              t('overview.all'),
              later.map((sample) => sample.connections),
            ),
            line(
              'devices',
              t('overview.devices'),
              later.map((sample) => sample.devicesOnline),
            ),
          ]}
        />
      </Card>
      <Card>
        <Plot
          title={t('overview.messages')}
          unit="tenths"
          seconds={windowSeconds}
          times={times}
          empty={t('overview.noData')}
          format={perSecond}
          series={[
            line(
              'in',
              t('overview.in'),
              rates(samples, (sample) => sample.messagesIn),
            ),
            line(
              'out',
              t('overview.out'),
              rates(samples, (sample) => sample.messagesOut),
            ),
          ]}
        />
      </Card>
      <Card>
        <Plot
          title={t('overview.refusals')}
          unit="whole"
          seconds={windowSeconds}
          times={times}
          empty={t('overview.noRefusals')}
          format={perMinute}
          series={reasons.map((reason) =>
            line(
              reason,
              causeName(reason),
              rolling(samples, (sample) => sample.refusals[reason] ?? 0, 60),
            ),
          )}
        />
      </Card>
      <Card>
        <Plot
          title={t('overview.traffic')}
          unit="bytes"
          seconds={windowSeconds}
          times={times}
          empty={t('overview.noData')}
          format={(value) => `${bytes(value, locale.value)}/s`}
          series={[
            line(
              'in',
              t('overview.in'),
              rates(samples, (sample) => sample.bytesIn),
            ),
            line(
              'out',
              t('overview.out'),
              rates(samples, (sample) => sample.bytesOut),
            ),
          ]}
        />
      </Card>
    </div>
  );
}
