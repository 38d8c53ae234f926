import type { Device } from '../../api/client';
import { t } from '../../i18n';
import { go, place, to } from '../../lib/router';
import { may } from '../../state/session';
import { FailureNotice, Notice, Skeleton, SkeletonLines } from '../../ui/feedback';
import { LinkButton } from '../../ui/button';
import { Radio } from '../../ui/icons';
import { Ago, At, Card, Facts, Page, StatusBadge } from '../../ui/page';
import { Tabs } from '../../ui/tabs';
import { ConnectTab } from './connect';
import { DoctorCard } from './doctor';
import { FlightTab } from './flight';
import { useLiveDevice, type LiveDevice } from './live';
import { LogTab } from './log';
import { ManageTab } from './manage';
import { MessagesTab } from './messages';

type TabId = 'connect' | 'log' | 'messages' | 'flight' | 'manage';
const tabIds: TabId[] = ['connect', 'log', 'messages', 'flight', 'manage'];

function tabOfAddress(): TabId {
  const wanted = place.value.query.get('tab') as TabId | null;
  return wanted && tabIds.includes(wanted) ? wanted : 'connect';
}

export function DevicePage({ pk, dn }: { pk: string; dn: string }) {
  const live = useLiveDevice({ productKey: pk, deviceName: dn });
  const tab = tabOfAddress();
  const device = live.device.data;
  const choose = (id: TabId) =>
    go(to('products', pk, 'devices', dn, { tab: id === 'connect' ? undefined : id }), 'replace');
  return (
    <Page
      title={dn}
      heading={
        <span class="heading-row">
          <bdi>{dn}</bdi>
          <span role="status">{device && <StatusBadge status={device.status} />}</span>
        </span>
      }
      lead={device?.nickname ? <bdi>{device.nickname}</bdi> : undefined}
      trail={[
        { label: t('products.title'), href: to('products') },
        { label: pk, href: to('products', pk) },
      ]}
      actions={
        <>
          <span class={live.connected ? 'live on' : 'live'}>{live.connected ? t('live.on') : t('live.off')}</span>
          {may('admin') && (
            <LinkButton icon={Radio} href={to('try', { product: pk, device: dn })}>
              {t('nav.try')}
            </LinkButton>
          )}
        </>
      }
    >
      <FailureNotice failure={live.device.failure} retry={live.device.reload} />
      {device ? <Summary device={device} /> : !live.device.failure && <SummarySkeleton />}
      {device && (
        <>
          <DoctorCard device={device} doctor={live.doctor} />
          <Tabs
            label={t('device.tabs')}
            tabs={tabIds.map((id) => ({ id, label: t(`device.tab.${id}`) }))}
            chosen={tab}
            onChoose={choose}
          >
            <TabContent tab={tab} live={live} device={device} />
          </Tabs>
        </>
      )}
    </Page>
  );
}

function TabContent({ tab, live, device }: { tab: TabId; live: LiveDevice; device: Device }) {
  switch (tab) {
    case 'connect':
      return <ConnectTab device={device} />;
    case 'log':
      return <LogTab log={live.log} />;
    case 'messages':
      return <MessagesTab path={live.path} turn={live.turn} />;
    case 'flight':
      return <FlightTab path={live.path} turn={live.turn} />;
    case 'manage':
      return <ManageTab device={device} onChanged={live.device.set} reload={live.device.reload} />;
  }
}

function sdkText(device: Device): string {
  const { lan, version, os, module } = device.sdk;
  return [lan, version, os, module].filter(Boolean).join(' · ');
}

function Summary({ device }: { device: Device }) {
  const online = device.status === 'ONLINE';
  return (
    <Card>
      <Facts
        items={[
          { name: 'ProductKey', value: <code>{device.productKey}</code> },
          online
            ? { name: t('device.since'), value: <Ago time={device.lastOnline} /> }
            : { name: t('device.lastOffline'), value: <Ago time={device.lastOffline} never={t('device.never')} /> },
          { name: t('device.address'), value: device.lastAddress || '–' },
          { name: t('device.activated'), value: <At time={device.activated} /> },
          { name: t('device.sdk'), value: sdkText(device) || '–' },
          { name: 'iotId', value: <code>{device.iotId}</code>, wide: true },
        ]}
      />
      {device.secretUsedInBrowser && (
        <Notice tone="warn" title={t('device.browserTitle')}>
          {t('device.browserText', { origin: device.secretUsedInBrowser })}
        </Notice>
      )}
    </Card>
  );
}

function SummarySkeleton() {
  return (
    <>
      <Card>
        <div class="facts">
          {Array.from({ length: 6 }, (_, index) => (
            <div key={index} class="stack-tight">
              <Skeleton width="40%" />
              <Skeleton width="70%" />
            </div>
          ))}
        </div>
      </Card>
      <Card>
        <SkeletonLines count={8} />
      </Card>
    </>
  );
}
