// One device with its credentials at hand, or a batch whose names and secrets come as a file.
import { productLabel } from './product-words';
import { useState } from 'preact/hooks';
import { api, ask, type Device } from '../api/client';
import { counted, t } from '../i18n';
import { csvField, download } from '../lib/download';
import { useAction, useQuery } from '../lib/hooks';
import { to } from '../lib/router';
import { Button, LinkButton } from '../ui/button';
import { CopyField } from '../ui/copy';
import { Dialog, FormDialog } from '../ui/dialog';
import { Notice } from '../ui/feedback';
import { AreaField, Segments, SelectField, TextField } from '../ui/field';
import { Download } from '../ui/icons';

const batchMax = 10_000;

interface Props {
  productKey: string; // empty: to be chosen
  onClose: () => void;
  onMade: () => void;
}

type Way = 'one' | 'names' | 'count';

interface Form {
  way: Way;
  product: string;
  name: string;
  nickname: string;
  names: string;
  count: string;
}

export function namesOf(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}

export function NewDevicesDialog({ productKey, onClose, onMade }: Props) {
  const [form, setForm] = useState<Form>({
    way: 'one',
    product: productKey,
    name: '',
    nickname: '',
    names: '',
    count: '10',
  });
  const [made, setMade] = useState<Device[] | null>(null);
  const change = (part: Partial<Form>) => setForm((old) => ({ ...old, ...part }));
  const action = useAction(async () => {
    setMade(await make(form, (soFar) => soFar.length > 0 && onMade()));
    onMade();
  });
  if (made) return <Made devices={made} onClose={onClose} />;
  const names = namesOf(form.names);
  const ready = form.product !== '' && (form.way !== 'names' || (names.length > 0 && names.length <= batchMax));
  return (
    <FormDialog
      title={t('devices.new')}
      submit={t('action.create')}
      busy={action.busy}
      failure={action.failure}
      disabled={!ready}
      onSubmit={() => void action.run()}
      onClose={onClose}
    >
      <Segments
        label={t('newDevices.way')}
        value={form.way}
        choices={[
          { value: 'one', label: t('newDevices.one') },
          { value: 'names', label: t('newDevices.names') },
          { value: 'count', label: t('newDevices.count') },
        ]}
        onChange={(way) => change({ way })}
      />
      {!productKey && <ProductChoice value={form.product} onChange={(product) => change({ product })} />}
      {form.way === 'one' && (
        <>
          <TextField
            label={t('device.name')}
            value={form.name}
            onInput={(name) => change({ name })}
            hint={t('newDevices.nameHint')}
            mono
            autoFocus
          />
          <TextField
            label={t('newDevices.nickname')}
            value={form.nickname}
            onInput={(nickname) => change({ nickname })}
          />
        </>
      )}
      {form.way === 'names' && (
        <AreaField
          label={t('newDevices.namesLabel')}
          value={form.names}
          onInput={(text) => change({ names: text })}
          hint={counted('newDevices.namesHint', names.length)}
          example={'kitchen\nhall\ngarage'}
          rows={7}
          mono
        />
      )}
      {form.way === 'count' && (
        <TextField
          label={t('newDevices.countLabel')}
          value={form.count}
          onInput={(count) => change({ count })}
          type="number"
          min={1}
          max={batchMax}
          hint={t('newDevices.countHint')}
          required
        />
      )}
    </FormDialog>
  );
}

function ProductChoice({ value, onChange }: { value: string; onChange: (product: string) => void }) {
  const products = useQuery('products', () => ask(api.GET('/products', { params: { query: { limit: 1000 } } })));
  const found = products.data?.items ?? [];
  if (products.data && found.length === 0) {
    return (
      <Notice tone="info" actions={<LinkButton href={to('products', { new: '1' })}>{t('products.new')}</LinkButton>}>
        {t('newDevices.noProduct')}
      </Notice>
    );
  }
  return (
    <SelectField
      label={t('devices.product')}
      value={value}
      choices={[
        { value: '', label: t('newDevices.chooseProduct') },
        ...found.map((one) => ({ value: one.productKey, label: productLabel(one) })),
      ]}
      onChange={onChange}
    />
  );
}

async function make(form: Form, onSome: (made: Device[]) => void): Promise<Device[]> {
  const params = { path: { productKey: form.product } };
  const post = (body: { count?: number; deviceName?: string; nickname?: string }) =>
    ask(api.POST('/products/{productKey}/devices', { params, body }));
  if (form.way === 'count') return listed(await post({ count: Number(form.count) }));
  if (form.way === 'one') {
    const body = {
      ...(form.name ? { deviceName: form.name } : {}),
      ...(form.nickname ? { nickname: form.nickname } : {}),
    };
    return listed(await post(body));
  }
  const made: Device[] = [];
  try {
    for (const deviceName of namesOf(form.names)) made.push(...listed(await post({ deviceName })));
  } catch (error) {
    onSome(made); // those before the failure are there
    throw error;
  }
  return made;
}

function listed(answer: Device | { items: Device[] }): Device[] {
  return 'items' in answer ? answer.items : [answer];
}

function credentialsFile(devices: Device[]): string {
  const line = (device: Device) =>
    [device.productKey, device.deviceName, device.deviceSecret ?? ''].map(csvField).join(',');
  return ['ProductKey,DeviceName,DeviceSecret', ...devices.map(line), ''].join('\r\n');
}

function Made({ devices, onClose }: { devices: Device[]; onClose: () => void }) {
  const first = devices[0];
  if (devices.length === 1 && first) return <MadeOne device={first} onClose={onClose} />;
  return (
    <Dialog title={counted('newDevices.made', devices.length)} onClose={onClose}>
      <div class="dialog-body">
        <p>{t('newDevices.fileText')}</p>
      </div>
      <footer class="dialog-foot">
        <Button onClick={onClose}>{t('action.close')}</Button>
        <Button
          look="primary"
          icon={Download}
          onClick={() => download('devices.csv', [credentialsFile(devices)], 'text/csv')}
        >
          {t('newDevices.file')}
        </Button>
      </footer>
    </Dialog>
  );
}

function MadeOne({ device, onClose }: { device: Device; onClose: () => void }) {
  return (
    <Dialog title={t('newDevices.madeOne')} onClose={onClose}>
      <div class="dialog-body">
        <p>{t('newDevices.madeText')}</p>
        <div>
          <CopyField label="ProductKey" value={device.productKey} />
          <CopyField label="DeviceName" value={device.deviceName} testName="made-name" />
          {device.deviceSecret && <CopyField label="DeviceSecret" value={device.deviceSecret} secret />}
        </div>
      </div>
      <footer class="dialog-foot">
        <Button onClick={onClose}>{t('action.close')}</Button>
        <LinkButton look="primary" href={to('products', device.productKey, 'devices', device.deviceName)}>
          {t('newDevices.connect')}
        </LinkButton>
      </footer>
    </Dialog>
  );
}
