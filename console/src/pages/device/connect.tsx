import { useState } from 'preact/hooks';
import { api, ask, type ConnectParameters, type Device, type Server, type Transport } from '../../api/client';
import { t } from '../../i18n';
import { useQuery } from '../../lib/hooks';
import { to } from '../../lib/router';
import { rootLine, snippets, type SnippetId } from '../../lib/snippets';
import { may } from '../../state/session';
import { CodeBlock, CopyField } from '../../ui/copy';
import { FailureNotice, Notice, SkeletonLines } from '../../ui/feedback';
import { Segments, type Choice } from '../../ui/field';
import { LinkButton } from '../../ui/button';
import { Download } from '../../ui/icons';
import { Card } from '../../ui/page';
import { exampleTopics } from '../product-words';

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
      {query.data ? <Snippets device={device} found={query.data} /> : null}
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

const snippetNames: Choice<SnippetId>[] = [
  { value: 'mosquitto', label: 'mosquitto' },
  { value: 'mqttjs', label: 'MQTT.js' },
  { value: 'python', label: 'Python' },
  { value: 'c', label: 'C' },
  { value: 'sdk', label: 'SDK' },
];

function Snippets({ device, found }: { device: Device; found: ConnectParameters }) {
  const [chosen, setChosen] = useState<SnippetId>('mosquitto');
  const { productKey, deviceName, deviceSecret } = device;
  const product = useQuery(`product ${productKey}`, () =>
    ask(api.GET('/products/{productKey}', { params: { path: { productKey } } })),
  );
  if (!product.data) return <FailureNotice failure={product.failure} retry={product.reload} />;
  const input = { ...found, productKey, deviceName, deviceSecret, ...exampleTopics(product.data, device) };
  const parts = snippets(input).find((one) => one.id === chosen)?.parts ?? [];
  const secrets = [found.password, deviceSecret ?? ''].filter(Boolean);
  const withRoot = chosen !== 'sdk' && (found.transport === 'wss' || found.transport === 'tls');
  return (
    <Card title={t('connect.lines')} lead={t('connect.linesLead')}>
      <div>
        <Segments label={t('connect.lines')} value={chosen} choices={snippetNames} onChange={setChosen} />
      </div>
      {chosen === 'mosquitto' && found.transport.startsWith('ws') && (
        <p class="muted small">{t('connect.mosquitto')}</p>
      )}
      {withRoot && (
        <>
          <CodeBlock
            text={rootLine(input)}
            title={t('connect.root')}
            testName="root"
            actions={
              <LinkButton small icon={Download} href="/ca.crt" download="ca.crt">
                {t('certificates.download')}
              </LinkButton>
            }
          />
          <p class="muted small">
            {t('connect.compare')} <a href={to('certificates')}>{t('nav.certificates')}</a>
          </p>
        </>
      )}
      {parts.map((part) => (
        <CodeBlock key={part.title} text={part.text} title={part.title} secrets={secrets} testName={part.title} />
      ))}
    </Card>
  );
}
