import { useState } from 'preact/hooks';
import { api, ask, type ConnectParameters, type Device, type Server, type Transport } from '../../api/client';
import { t } from '../../i18n';
import { useQuery } from '../../lib/hooks';
import { may } from '../../state/session';
import { CodeBlock, CopyField } from '../../ui/copy';
import { FailureNotice, Notice, SkeletonLines } from '../../ui/feedback';
import { Segments, type Choice } from '../../ui/field';
import { LinkButton } from '../../ui/button';
import { Download } from '../../ui/icons';
import { Card } from '../../ui/page';

const transports: Choice<Transport>[] = [
  { value: 'wss', label: 'wss' },
  { value: 'ws', label: 'ws' },
  { value: 'tls', label: 'tls' },
  { value: 'tcp', label: 'tcp' },
];

// As devices reach the server: where its configuration says, else as this page does.
function placeOf(server: Server): { host?: string; port?: number } {
  if (server.publicHost) return {};
  const { hostname, port, protocol } = location;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) };
}

export function ConnectTab({ device }: { device: Device }) {
  const [transport, setTransport] = useState<Transport>(location.protocol === 'https:' ? 'wss' : 'ws');
  const { productKey, deviceName } = device;
  const allowed = may('operator');
  const query = useQuery(`connect ${productKey} ${deviceName} ${transport} ${device.version}`, async () => {
    if (!allowed) return null;
    const server = await ask(api.GET('/server'));
    const params = { path: { productKey, deviceName }, query: { transport, ...placeOf(server) } };
    return ask(api.GET('/products/{productKey}/devices/{deviceName}/connect', { params }));
  });
  if (!allowed) return <Notice tone="info">{t('connect.operator')}</Notice>;
  return (
    <>
      <Card
        title={t('connect.title')}
        lead={t('connect.lead')}
        actions={
          <Segments label={t('connect.transport')} value={transport} choices={transports} onChange={setTransport} />
        }
      >
        <FailureNotice failure={query.failure} retry={query.reload} />
        {query.data ? <Parameters device={device} found={query.data} /> : !query.failure && <SkeletonLines count={7} />}
      </Card>
      {query.data ? <Lines found={query.data} /> : null}
    </>
  );
}

function Parameters({ device, found }: { device: Device; found: ConnectParameters }) {
  return (
    <div>
      <CopyField label={t('connect.url')} value={found.url} testName="url" />
      <CopyField label="clientId" value={found.clientId} testName="client-id" />
      <CopyField label="username" value={found.username} testName="username" />
      <CopyField label="password" value={found.password} testName="password" secret />
      <CopyField label="ProductKey" value={device.productKey} />
      <CopyField label="DeviceName" value={device.deviceName} />
      {device.deviceSecret && <CopyField label="DeviceSecret" value={device.deviceSecret} secret />}
      <details class="signed-text">
        <summary>{t('connect.content')}</summary>
        <code>{found.content}</code>
      </details>
    </div>
  );
}

function Lines({ found }: { found: ConnectParameters }) {
  const [title, setTitle] = useState(found.lines.find((one) => one.title.startsWith('mosquitto_pub'))?.title ?? '');
  const line = found.lines.find((one) => one.title === title) ?? found.lines[0];
  const secure = found.transport === 'wss' || found.transport === 'tls';
  if (!line) return null;
  return (
    <Card
      title={t('connect.lines')}
      actions={
        secure && (
          <LinkButton icon={Download} look="quiet" href="/ca.crt" download="ca.crt">
            {t('connect.root')}
          </LinkButton>
        )
      }
    >
      <div class="wrapping">
        <Segments
          label={t('connect.lines')}
          value={line.title}
          choices={found.lines.map((one) => ({ value: one.title, label: one.title }))}
          onChange={setTitle}
        />
      </div>
      <CodeBlock text={line.text} title={line.title} testName="line" />
    </Card>
  );
}
