// All devices of a product, or of all, as one CSV file: page by page, so that the progress can be seen.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, ask, type Device } from '../api/client';
import { counted, locale, t } from '../i18n';
import { csvField, download } from '../lib/download';
import { number } from '../lib/format';
import { useAction, useQuery } from '../lib/hooks';
import { Dialog } from '../ui/dialog';
import { Button } from '../ui/button';
import { FailureNotice, Notice, tell } from '../ui/feedback';
import { Download } from '../ui/icons';

const pageRows = 5_000;
const header = ['ProductKey', 'DeviceName', 'DeviceSecret', 'NickName', 'IotId', 'Status'];

export function csvOf(devices: Device[]): string {
  const line = (device: Device) =>
    [device.productKey, device.deviceName, device.deviceSecret ?? '', device.nickname, device.iotId, device.status].map(
      csvField,
    );
  return devices.map((device) => `${line(device).join(',')}\r\n`).join('');
}

interface Progress {
  signal: AbortSignal;
  onRows: (rows: number) => void;
}

async function fetchCsv(productKey: string, { signal, onRows }: Progress): Promise<string[]> {
  const parts = [`${header.join(',')}\r\n`];
  let rows = 0;
  let cursor: string | undefined;
  do {
    const query = { productKey: productKey || undefined, cursor, limit: pageRows };
    const page: { items: Device[]; nextCursor?: string } = await ask(
      api.GET('/devices:export', { params: { query }, signal }),
    );
    parts.push(csvOf(page.items));
    rows += page.items.length;
    onRows(rows);
    cursor = page.nextCursor;
  } while (cursor);
  return parts;
}

export function ExportDialog({ productKey, onClose }: { productKey: string; onClose: () => void }) {
  const products = useQuery('products', () => ask(api.GET('/products', { params: { query: { limit: 1000 } } })));
  const total = products.data?.items
    .filter((product) => !productKey || product.productKey === productKey)
    .reduce((sum, product) => sum + product.deviceCount, 0);
  const [rows, setRows] = useState(0);
  const control = useRef(new AbortController());
  useEffect(() => () => control.current.abort(), []);
  const action = useAction(async () => {
    const parts = await fetchCsv(productKey, { signal: control.current.signal, onRows: setRows });
    download(productKey ? `devices-${productKey}.csv` : 'devices.csv', parts, 'text/csv');
    tell(t('export.done'));
    onClose();
  });
  return (
    <Dialog title={t('devices.export')} onClose={onClose}>
      <div class="dialog-body">
        <p>{productKey ? t('export.product', { name: productKey }) : t('export.all')}</p>
        <Notice tone="warn">{t('export.secrets')}</Notice>
        {action.busy && (
          <div class="progress" role="status">
            <progress max={total || 1} value={total ? rows : undefined} aria-label={t('export.progress')} />
            <span class="muted small">{counted('export.rows', rows)}</span>
          </div>
        )}
        <FailureNotice failure={action.failure} />
      </div>
      <footer class="dialog-foot">
        <Button onClick={onClose}>{t('action.cancel')}</Button>
        <Button look="primary" icon={Download} busy={action.busy} onClick={() => void action.run()}>
          {total === undefined ? t('export.start') : t('export.count', { count: number(total, locale.value) })}
        </Button>
      </footer>
    </Dialog>
  );
}
