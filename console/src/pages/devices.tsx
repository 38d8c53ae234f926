import { useEffect, useRef, useState } from 'preact/hooks';
import { productLabel } from './product-words';
import { api, ask, type Device, type DeviceStatus } from '../api/client';
import { followEvents } from '../api/live';
import { t } from '../i18n';
import { useQuery, useSettled } from '../lib/hooks';
import { usePages, type Pages } from '../lib/pages';
import { go, place, to } from '../lib/router';
import { may } from '../state/session';
import { Button, LinkButton } from '../ui/button';
import { Empty, FailureNotice } from '../ui/feedback';
import { SelectField } from '../ui/field';
import { Cpu, Download, FileUp, Plus, Search } from '../ui/icons';
import { Ago, Card, Page, StatusBadge } from '../ui/page';
import { SearchField } from '../ui/search';
import { Pager, Table, type Column } from '../ui/table';
import { ExportDialog } from './export';
import { NewDevicesDialog } from './new-devices';

const typingPauseMs = 250;
const pageRows = 50;

type StatusFilter = DeviceStatus | '';

function statusChoices() {
  return [
    { value: '' as const, label: t('devices.anyStatus') },
    { value: 'ONLINE' as const, label: t('status.ONLINE') },
    { value: 'OFFLINE' as const, label: t('status.OFFLINE') },
    { value: 'UNACTIVE' as const, label: t('status.UNACTIVE') },
    { value: 'DISABLE' as const, label: t('status.DISABLE') },
  ];
}

interface Filter {
  product: string;
  status: StatusFilter;
  text: string;
}

function filterOfAddress(): Filter {
  const { query } = place.value;
  const status = query.get('status') as DeviceStatus | null;
  return { product: query.get('product') ?? '', status: status ?? '', text: query.get('q') ?? '' };
}

export function Devices() {
  const [filter, setFilter] = useState(filterOfAddress);
  const [dialog, setDialog] = useState<'new' | 'export' | null>(null);
  const search = useSettled(filter.text.trim(), typingPauseMs);
  const ownAddress = useRef(location.hash);
  useEffect(() => {
    ownAddress.current = to('devices', { product: filter.product, status: filter.status, q: search });
    if (ownAddress.current !== location.hash) go(ownAddress.current, 'replace');
  }, [filter.product, filter.status, search]);
  // A link to this page, while it is open, sets the filters anew.
  const { query } = place.value;
  useEffect(() => {
    if (location.hash !== ownAddress.current) setFilter(filterOfAddress());
  }, [query]);
  const pages = usePages(`devices ${filter.product} ${filter.status} ${search}`, (cursor, signal) =>
    loadRows({ ...filter, text: search }, cursor, signal),
  );
  const rows = useLiveStatus(pages, filter.product);
  const filtered = filter.product !== '' || filter.status !== '' || search !== '';
  return (
    <Page title={t('devices.title')} lead={t('devices.lead')} actions={<Actions onOpen={setDialog} />}>
      <Filters filter={filter} onChange={setFilter} />
      <FailureNotice failure={pages.query.failure} retry={pages.query.reload} />
      {!pages.query.failure && (
        <Card flush>
          <Table
            label={t('devices.title')}
            columns={deviceColumns(filter.product === '')}
            rows={rows}
            stale={pages.stale}
            rowKey={keyOf}
            skeletonRows={10}
            empty={
              <NoDevices
                filtered={filtered}
                product={filter.product}
                onNew={() => setDialog('new')}
                onClear={() => setFilter({ product: '', status: '', text: '' })}
              />
            }
          />
          <Pager paging={pages.paging} onChange={pages.turnTo} />
        </Card>
      )}
      <Dialogs dialog={dialog} product={filter.product} pages={pages} onClose={() => setDialog(null)} />
    </Page>
  );
}

// A search looks at a bounded number of devices for each request, and may have to go on before the page is full.
async function loadRows(filter: Filter, cursor: string, signal: AbortSignal) {
  const items: Device[] = [];
  let next: string | undefined = cursor;
  do {
    const query = listQuery(filter, next, pageRows - items.length);
    const page: { items: Device[]; nextCursor?: string } = await ask(
      api.GET('/devices', { params: { query }, signal }),
    );
    items.push(...page.items);
    next = page.nextCursor;
  } while (next && items.length < pageRows);
  return next ? { items, nextCursor: next } : { items };
}

function listQuery(filter: Filter, cursor: string, limit: number) {
  return {
    productKey: filter.product || undefined,
    status: filter.status || undefined,
    search: filter.text || undefined,
    cursor: cursor || undefined,
    limit,
  };
}

const keyOf = ({ productKey, deviceName }: { productKey: string; deviceName: string }) => `${productKey}/${deviceName}`;

// The rows on the screen follow what happens, without being asked for again; after a gap they are.
function useLiveStatus({ rows, query }: Pages<Device>, productKey: string): Device[] | undefined {
  const [news, setNews] = useState(new Map<string, DeviceStatus>());
  const latest = useRef({ shown: new Set<string>(), reload: query.reload });
  latest.current = { shown: new Set(rows?.map(keyOf)), reload: query.reload };
  useEffect(() => setNews(new Map()), [rows]);
  useEffect(() => {
    let begun = false;
    return followEvents(
      {
        device: (event) => {
          const { shown, reload } = latest.current;
          const { status } = event;
          if (!shown.has(keyOf(event))) return;
          if (status === 'DELETED') reload();
          else setNews((old) => new Map(old).set(keyOf(event), status));
        },
        onStart: () => {
          if (begun) latest.current.reload();
          begun = true;
        },
        onGap: () => latest.current.reload(),
      },
      productKey ? { productKey } : {},
    );
  }, [productKey]);
  return rows?.map((device) => ({ ...device, status: news.get(keyOf(device)) ?? device.status }));
}

function Actions({ onOpen }: { onOpen: (dialog: 'new' | 'export') => void }) {
  return (
    <>
      {may('admin') && (
        <LinkButton href={to('devices', 'import')} icon={FileUp}>
          {t('devices.import')}
        </LinkButton>
      )}
      {may('operator') && (
        <>
          <Button icon={Download} onClick={() => onOpen('export')}>
            {t('devices.export')}
          </Button>
          <Button look="primary" icon={Plus} onClick={() => onOpen('new')}>
            {t('devices.new')}
          </Button>
        </>
      )}
    </>
  );
}

function Filters({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }) {
  const products = useQuery('products', () => ask(api.GET('/products', { params: { query: { limit: 1000 } } })));
  const found = products.data?.items ?? [];
  const known = filter.product === '' || found.some((one) => one.productKey === filter.product);
  return (
    <div class="toolbar">
      <SearchField label={t('devices.search')} value={filter.text} onInput={(text) => onChange({ ...filter, text })} />
      <SelectField
        label={t('devices.product')}
        hideLabel
        value={filter.product}
        choices={[
          { value: '', label: t('devices.anyProduct') },
          ...(known ? [] : [{ value: filter.product, label: filter.product }]),
          ...found.map((one) => ({ value: one.productKey, label: productLabel(one) })),
        ]}
        onChange={(product) => onChange({ ...filter, product })}
      />
      <SelectField
        label={t('devices.status')}
        hideLabel
        value={filter.status}
        choices={statusChoices()}
        onChange={(status) => onChange({ ...filter, status })}
      />
    </div>
  );
}

function deviceColumns(withProduct: boolean): Column<Device>[] {
  const columns: (Column<Device> | false)[] = [
    {
      id: 'name',
      title: t('device.name'),
      main: true,
      cell: (device) => (
        <>
          <a href={to('products', device.productKey, 'devices', device.deviceName)} class="clip">
            <bdi>{device.deviceName}</bdi>
          </a>
          {device.nickname && (
            <span class="sub clip">
              <bdi>{device.nickname}</bdi>
            </span>
          )}
        </>
      ),
    },
    withProduct && {
      id: 'product',
      title: t('devices.product'),
      cell: (device) => <code>{device.productKey}</code>,
    },
    { id: 'status', title: t('devices.status'), cell: (device) => <StatusBadge status={device.status} /> },
    {
      id: 'seen',
      title: t('device.lastOnline'),
      cell: (device) => <Ago time={device.lastOnline} never={t('device.never')} />,
    },
    {
      id: 'address',
      title: t('device.address'),
      minor: true,
      cell: (device) => <span class="muted">{device.lastAddress || '–'}</span>,
    },
  ];
  return columns.filter((column): column is Column<Device> => column !== false);
}

interface NoDevicesProps {
  filtered: boolean;
  product: string;
  onNew: () => void;
  onClear: () => void;
}

function NoDevices({ filtered, product, onNew, onClear }: NoDevicesProps) {
  if (filtered && !product) {
    const clear = <Button onClick={onClear}>{t('devices.clear')}</Button>;
    return (
      <Empty icon={Search} title={t('devices.noneFound')} action={clear}>
        {t('devices.noneFoundText')}
      </Empty>
    );
  }
  const action = may('operator') && (
    <>
      <Button look="primary" icon={Plus} onClick={onNew}>
        {t('devices.new')}
      </Button>
      {may('admin') && (
        <LinkButton href={to('devices', 'import')} icon={FileUp}>
          {t('devices.import')}
        </LinkButton>
      )}
    </>
  );
  return (
    <Empty icon={Cpu} title={filtered ? t('devices.noneFound') : t('devices.none')} action={action}>
      {filtered ? t('devices.noneFoundText') : t('devices.noneText')}
    </Empty>
  );
}

interface DialogsProps {
  dialog: 'new' | 'export' | null;
  product: string;
  pages: Pages<Device>;
  onClose: () => void;
}

function Dialogs({ dialog, product, pages, onClose }: DialogsProps) {
  if (dialog === 'new') return <NewDevicesDialog productKey={product} onClose={onClose} onMade={pages.query.reload} />;
  if (dialog === 'export') return <ExportDialog productKey={product} onClose={onClose} />;
  return null;
}
