import { api, ask, type FlightPacket } from '../../api/client';
import { locale, t } from '../../i18n';
import { bytesOfHex, download } from '../../lib/download';
import { bytes, logTime } from '../../lib/format';
import { useAction, useQuery } from '../../lib/hooks';
import { may } from '../../state/session';
import { Button } from '../../ui/button';
import { Empty, FailureNotice, Notice } from '../../ui/feedback';
import { Activity, Download, RotateCw } from '../../ui/icons';
import { Card } from '../../ui/page';
import { Table, type Column } from '../../ui/table';
import type { DeviceName } from './live';

export function FlightTab({ path, turn }: { path: DeviceName; turn: number }) {
  const allowed = may('operator');
  const query = useQuery(`flight ${path.productKey} ${path.deviceName} ${turn}`, async () =>
    allowed ? ask(api.GET('/products/{productKey}/devices/{deviceName}/flight', { params: { path } })) : null,
  );
  const capture = useAction(async () => {
    const params = { path, query: { format: 'pcapng' as const } };
    const found = await ask(api.GET('/products/{productKey}/devices/{deviceName}/flight', { params }));
    download(
      `${path.productKey}-${path.deviceName}.pcapng`,
      [bytesOfHex(found.pcapng ?? '')],
      'application/octet-stream',
    );
  });
  if (!allowed) return <Notice tone="info">{t('flight.operator')}</Notice>;
  const packets = query.data?.items;
  return (
    <Card
      title={t('flight.title')}
      lead={t('flight.lead')}
      flush
      actions={
        <>
          <Button small icon={RotateCw} busy={query.loading} onClick={query.reload}>
            {t('action.refresh')}
          </Button>
          <Button
            small
            icon={Download}
            busy={capture.busy}
            disabled={!packets?.length}
            onClick={() => void capture.run()}
          >
            {t('flight.download')}
          </Button>
        </>
      }
    >
      <FailureNotice failure={query.failure ?? capture.failure} />
      {!query.failure && (
        <Table
          label={t('flight.title')}
          columns={packetColumns()}
          rows={packets && [...packets].reverse()}
          rowKey={(packet) => `${packet.time} ${packet.direction} ${packet.type} ${packet.packetId}`}
          empty={
            <Empty icon={Activity} title={t('flight.none')}>
              {t('flight.noneText')}
            </Empty>
          }
        />
      )}
    </Card>
  );
}

function packetColumns(): Column<FlightPacket>[] {
  return [
    {
      id: 'time',
      title: t('common.time'),
      cell: (packet) => <time class="packets">{packet.time && logTime(packet.time, locale.value, Date.now())}</time>,
    },
    { id: 'packet', title: t('flight.packet'), main: true, cell: packetName },
    { id: 'details', title: t('flight.details'), cell: (packet) => <bdi class="packets">{packetDetails(packet)}</bdi> },
    {
      id: 'bytes',
      title: t('flight.size'),
      align: 'end',
      cell: (packet) => (packet.bytes === undefined ? '' : bytes(packet.bytes, locale.value)),
    },
  ];
}

const arrows = { in: '→', out: '←', end: '×' } as const;

function packetName(packet: FlightPacket) {
  const name = packet.direction === 'end' ? t('flight.end') : (packet.type ?? '');
  return (
    <span class={`packet-${packet.direction}`}>
      <span aria-hidden="true">{arrows[packet.direction]}</span> <b>{name}</b>
      <span class="hidden-text">{t(`flight.${packet.direction}`)}</span>
      {packet.count !== undefined && packet.count > 1 && <span class="muted"> ×{packet.count}</span>}
    </span>
  );
}

// MQTT 5.0 section 2.4; a session of 3.1.1 keeps it for this record only.
const noSubscriber = 16;

function resultText(result: number): string {
  return result === noSubscriber ? t('flight.noSubscriber') : `result ${result}`;
}

export function packetDetails(packet: FlightPacket): string {
  const flags = [packet.dup && 'dup', packet.retain && 'retain'].filter(Boolean).join(' ');
  return [
    packet.reason,
    packet.clientId && `clientId ${packet.clientId}`,
    packet.keepAlive !== undefined && `keepAlive ${packet.keepAlive} s`,
    packet.result !== undefined && resultText(packet.result),
    packet.topic,
    packet.qos !== undefined && packet.topic && `QoS ${packet.qos}`,
    flags,
    packet.packetId && `id ${packet.packetId}`,
    packet.payload && payloadText(packet.payload),
  ]
    .filter(Boolean)
    .join(' · ');
}

// The beginning of a payload as text when it is text, else as it is.
export function payloadText(hex: string): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytesOfHex(hex));
    return /[\u0000-\u0008\u000b-\u001f\u007f]/.test(text) ? hex : text;
  } catch {
    return hex;
  }
}
