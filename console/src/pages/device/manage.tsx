import { useEffect, useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { api, ask, type Device } from '../../api/client';
import { t } from '../../i18n';
import { fingerprint } from '../../lib/format';
import { useAction } from '../../lib/hooks';
import { go, to } from '../../lib/router';
import { may } from '../../state/session';
import { Button } from '../../ui/button';
import { ConflictNotice } from '../../ui/conflict';
import { ConfirmDialog, FormDialog } from '../../ui/dialog';
import { FailureNotice, Notice, tell } from '../../ui/feedback';
import { AreaField, TextField } from '../../ui/field';
import { Ban, KeyRound, Plus, Power, RotateCcw, ShieldCheck, Trash, Unplug } from '../../ui/icons';
import { At, Badge, Card } from '../../ui/page';

interface Props {
  device: Device;
  onChanged: (device: Device) => void;
  reload: () => void;
}

const route = '/products/{productKey}/devices/{deviceName}';

function pathOf({ productKey, deviceName }: Device) {
  return { params: { path: { productKey, deviceName } } };
}

export function ManageTab(props: Props) {
  if (!may('operator')) return <Notice tone="info">{t('manage.operator')}</Notice>;
  return (
    <>
      <NameCard {...props} />
      <ActionsCard {...props} />
      <CertificatesCard {...props} />
    </>
  );
}

function NameCard({ device, onChanged }: Props) {
  const [seen, setSeen] = useState(device);
  const [nickname, setNickname] = useState(device.nickname);
  const changed = nickname !== seen.nickname;
  useEffect(() => {
    if (!changed || device.nickname === seen.nickname) setSeen(device);
    if (!changed) setNickname(device.nickname);
  }, [device.version]);
  const action = useAction(async (version: number) => {
    const saved = await ask(api.PATCH(route, { ...pathOf(device), body: { nickname, version } }));
    setSeen(saved);
    onChanged({ ...device, ...saved });
    tell(t('device.saved'));
  });
  return (
    <Card title={t('device.nickname')}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void action.run(seen.version);
        }}
      >
        <div class="toolbar end-aligned">
          <div class="grow">
            <TextField label={t('device.nickname')} hideLabel value={nickname} onInput={setNickname} />
          </div>
          <Button type="submit" look="primary" busy={action.busy} disabled={!changed}>
            {t('action.save')}
          </Button>
        </div>
        {action.failure?.code === 'version_conflict' ? (
          <ConflictNotice
            seen={seen}
            load={() => ask(api.GET(route, pathOf(device)))}
            fields={['nickname', 'status', 'deviceSecret']}
            onTakeTheirs={(now) => {
              setSeen(now);
              setNickname(now.nickname);
              onChanged(now);
              action.clear();
            }}
            onKeepMine={(now) => void action.run(now.version)}
          />
        ) : (
          <FailureNotice failure={action.failure} />
        )}
      </form>
    </Card>
  );
}

type DialogName = 'disable' | 'kick' | 'reset' | 'secret' | 'own-secret' | 'delete';

function ActionsCard({ device, onChanged, reload }: Props) {
  const [dialog, setDialog] = useState<DialogName | null>(null);
  const enable = useAction(async () => {
    await ask(api.POST(`${route}/enable`, { ...pathOf(device), body: {} }));
    tell(t('manage.enabled'));
    reload();
  });
  const disabled = device.status === 'DISABLE';
  return (
    <Card title={t('manage.actions')}>
      <ul class="plain-list">
        {disabled ? (
          <Line text={t('manage.enableText')}>
            <Button icon={Power} busy={enable.busy} onClick={() => void enable.run()}>
              {t('manage.enable')}
            </Button>
          </Line>
        ) : (
          <Line text={t('manage.disableText')}>
            <Button icon={Ban} onClick={() => setDialog('disable')}>
              {t('manage.disable')}
            </Button>
          </Line>
        )}
        <Line text={t('manage.kickText')}>
          <Button icon={Unplug} disabled={device.status !== 'ONLINE'} onClick={() => setDialog('kick')}>
            {t('manage.kick')}
          </Button>
        </Line>
        <Line text={t('manage.secretText')}>
          <Button icon={KeyRound} onClick={() => setDialog('secret')}>
            {t('manage.secret')}
          </Button>
          <Button look="quiet" onClick={() => setDialog('own-secret')}>
            {t('manage.ownSecret')}
          </Button>
        </Line>
        <Line text={t('manage.resetText')}>
          <Button icon={RotateCcw} onClick={() => setDialog('reset')}>
            {t('manage.reset')}
          </Button>
        </Line>
        <Line text={t('manage.deleteText')}>
          <Button icon={Trash} look="warning" onClick={() => setDialog('delete')}>
            {t('manage.delete')}
          </Button>
        </Line>
      </ul>
      <FailureNotice failure={enable.failure} />
      {dialog === 'own-secret' && (
        <OwnSecretDialog device={device} onChanged={onChanged} onClose={() => setDialog(null)} />
      )}
      {dialog && dialog !== 'own-secret' && (
        <ActionDialog name={dialog} device={device} reload={reload} onClose={() => setDialog(null)} />
      )}
    </Card>
  );
}

function Line({ text, children }: { text: string; children: ComponentChildren }) {
  return (
    <li class="row spread">
      <span class="muted action-text">{text}</span>
      <span class="row">{children}</span>
    </li>
  );
}

interface ActionProps {
  name: Exclude<DialogName, 'own-secret'>;
  device: Device;
  reload: () => void;
  onClose: () => void;
}

function perform(name: ActionProps['name'], device: Device): Promise<unknown> {
  const path = pathOf(device);
  switch (name) {
    case 'disable':
      return ask(api.POST(`${route}/disable`, { ...path, body: {} }));
    case 'kick':
      return ask(api.POST(`${route}/kick`, { ...path, body: {} }));
    case 'reset':
      return ask(api.POST(`${route}/reset`, { ...path, body: {} }));
    case 'secret':
      return ask(api.POST(`${route}/secret`, { ...path, body: { version: device.version } }));
    case 'delete':
      return ask(api.DELETE(route, path));
  }
}

function ActionDialog({ name, device, reload, onClose }: ActionProps) {
  return (
    <ConfirmDialog
      title={t(`manage.${name}`)}
      submit={t(`manage.${name}`)}
      danger={name !== 'reset' && name !== 'kick'}
      typed={name === 'delete' ? device.deviceName : undefined}
      perform={() => perform(name, device)}
      onDone={() => {
        tell(t(`manage.${name}Done`));
        if (name === 'delete') go(to('devices', { product: device.productKey }));
        else reload();
        onClose();
      }}
      onClose={onClose}
    >
      <p>{t(`manage.${name}Text`)}</p>
      {name === 'secret' && <p>{t('manage.secretWarning')}</p>}
    </ConfirmDialog>
  );
}

function OwnSecretDialog({
  device,
  onChanged,
  onClose,
}: {
  device: Device;
  onChanged: (device: Device) => void;
  onClose: () => void;
}) {
  const [deviceSecret, setSecret] = useState('');
  const action = useAction(async () => {
    const saved = await ask(api.PATCH(route, { ...pathOf(device), body: { deviceSecret, version: device.version } }));
    onChanged({ ...device, ...saved });
    tell(t('manage.secretDone'));
    onClose();
  });
  return (
    <FormDialog
      title={t('manage.ownSecret')}
      submit={t('action.save')}
      busy={action.busy}
      failure={action.failure}
      onSubmit={() => void action.run()}
      onClose={onClose}
    >
      <p>{t('manage.secretWarning')}</p>
      <TextField label="DeviceSecret" value={deviceSecret} onInput={setSecret} required autoFocus mono />
    </FormDialog>
  );
}

function CertificatesCard({ device, reload }: Props) {
  const [binding, setBinding] = useState(false);
  const change = useAction(async (what: 'unbind' | 'revoke' | 'reinstate', hex: string) => {
    const { productKey, deviceName } = device;
    if (what === 'unbind') {
      const params = { path: { productKey, deviceName, fingerprint: hex } };
      await ask(api.DELETE('/products/{productKey}/devices/{deviceName}/certificates/{fingerprint}', { params }));
    } else {
      const params = { path: { fingerprint: hex } };
      await ask(api.POST(`/certificates/{fingerprint}/${what}`, { params, body: {} }));
    }
    tell(t(`certificate.${what}Done`));
    reload();
  });
  const bound = device.certificates ?? [];
  return (
    <Card
      title={t('certificate.bound')}
      lead={t('certificate.boundLead')}
      actions={
        <Button small icon={Plus} onClick={() => setBinding(true)}>
          {t('certificate.bind')}
        </Button>
      }
    >
      {bound.length === 0 && <p class="muted">{t('certificate.noneBound')}</p>}
      <ul class="plain-list">
        {bound.map((one) => (
          <li key={one.fingerprint} class="row spread">
            <div class="grow-text">
              <ShieldCheck aria-hidden="true" /> <bdi>{one.subject}</bdi>{' '}
              {one.revoked && <Badge tone="bad">{t('certificate.revoked')}</Badge>}
              <code class="sub">{fingerprint(one.fingerprint)}</code>
              <span class="sub">
                {t('certificate.until')} <At time={one.notAfter} />
              </span>
            </div>
            <span class="row">
              {one.revoked ? (
                may('admin') && (
                  <Button small onClick={() => void change.run('reinstate', one.fingerprint)}>
                    {t('certificate.reinstate')}
                  </Button>
                )
              ) : (
                <Button small onClick={() => void change.run('revoke', one.fingerprint)}>
                  {t('certificate.revoke')}
                </Button>
              )}
              <Button small onClick={() => void change.run('unbind', one.fingerprint)}>
                {t('certificate.unbind')}
              </Button>
            </span>
          </li>
        ))}
      </ul>
      <FailureNotice failure={change.failure} />
      {binding && <BindDialog device={device} onDone={reload} onClose={() => setBinding(false)} />}
    </Card>
  );
}

function BindDialog({ device, onDone, onClose }: { device: Device; onDone: () => void; onClose: () => void }) {
  const [text, setText] = useState('');
  const action = useAction(async () => {
    const wanted = text.trim();
    const body = wanted.startsWith('-----') ? { certificate: wanted } : { fingerprint: wanted };
    await ask(api.POST(`${route}/certificates`, { ...pathOf(device), body }));
    tell(t('certificate.bindDone'));
    onDone();
    onClose();
  });
  return (
    <FormDialog
      title={t('certificate.bind')}
      submit={t('certificate.bind')}
      busy={action.busy}
      failure={action.failure}
      onSubmit={() => void action.run()}
      onClose={onClose}
    >
      <AreaField label={t('certificate.pemOrPrint')} value={text} onInput={setText} rows={8} mono required />
    </FormDialog>
  );
}
