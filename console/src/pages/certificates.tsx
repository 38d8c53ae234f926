import { useState } from 'preact/hooks';
import { api, ask, type Authority, type ServerCertificate } from '../api/client';
import { counted, t } from '../i18n';
import { daysUntil, fingerprint } from '../lib/format';
import { useAction, useQuery } from '../lib/hooks';
import { may } from '../state/session';
import { Button, LinkButton } from '../ui/button';
import { CopyField } from '../ui/copy';
import { ConfirmDialog, FormDialog } from '../ui/dialog';
import { Empty, FailureNotice, Notice, SkeletonLines, tell } from '../ui/feedback';
import { AreaField, TextField } from '../ui/field';
import { Download, Plus, ShieldCheck } from '../ui/icons';
import { At, Badge, Card, Facts, Page } from '../ui/page';

export function Certificates() {
  const query = useQuery('certificates', () => ask(api.GET('/server/certificates')));
  const found = query.data;
  return (
    <Page title={t('certificates.title')} lead={t('certificates.lead')}>
      <FailureNotice failure={query.failure} retry={query.reload} />
      {!found && !query.failure && (
        <Card>
          <SkeletonLines count={6} />
        </Card>
      )}
      {found?.root && (
        <Card
          title={t('certificates.root')}
          lead={found.builtIn ? t('certificates.rootLead') : undefined}
          actions={
            <LinkButton look="primary" icon={Download} href="/ca.crt" download="ca.crt">
              {t('certificates.download')}
            </LinkButton>
          }
        >
          <CertificateView certificate={found.root} />
        </Card>
      )}
      {found?.items.map((one) => (
        <Card key={one.fingerprint} title={t('certificates.server', { name: one.name })}>
          <CertificateView certificate={one} />
        </Card>
      ))}
      <Authorities />
    </Page>
  );
}

function Expiry({ time }: { time: string | null }) {
  if (!time) return <>–</>;
  const days = daysUntil(time, Date.now());
  const tone = days < 7 ? 'bad' : days < 21 ? 'warn' : 'good';
  return (
    <>
      <At time={time} /> <Badge tone={tone}>{days < 0 ? t('certificates.ended') : timeLeft(days)}</Badge>
    </>
  );
}

const daysShownMax = 1_000;

function timeLeft(days: number): string {
  if (days < daysShownMax) return counted('certificates.days', days);
  return counted('certificates.years', Math.round(days / 365.25));
}

function CertificateView({ certificate }: { certificate: ServerCertificate }) {
  return (
    <>
      <Facts
        items={[
          { name: t('certificates.subject'), value: <bdi>{certificate.subject}</bdi> },
          { name: t('certificates.issuer'), value: <bdi>{certificate.issuer}</bdi> },
          { name: t('certificates.key'), value: certificate.keyType },
          { name: t('certificates.from'), value: <At time={certificate.notBefore} /> },
          { name: t('certificates.until'), value: <Expiry time={certificate.notAfter} /> },
          certificate.names.length > 0 && {
            name: t('certificates.names'),
            value: <bdi>{certificate.names.join(', ')}</bdi>,
          },
        ]}
      />
      <CopyField label="SHA-256" value={fingerprint(certificate.fingerprint)} look="fingerprint" />
    </>
  );
}

type Open = { kind: 'add' } | { kind: 'remove' | 'list' | 'serial'; authority: Authority };

function Authorities() {
  const query = useQuery('authorities', () => ask(api.GET('/authorities', { params: { query: { limit: 1000 } } })));
  const [open, setOpen] = useState<Open | null>(null);
  const items = query.data?.items;
  const close = () => setOpen(null);
  const done = () => {
    close();
    query.reload();
  };
  const add = may('admin') && (
    <Button small icon={Plus} onClick={() => setOpen({ kind: 'add' })}>
      {t('authorities.add')}
    </Button>
  );
  return (
    <Card title={t('authorities.title')} lead={t('authorities.lead')} flush actions={items?.length ? add : undefined}>
      <FailureNotice failure={query.failure} retry={query.reload} />
      {!items && !query.failure && (
        <div class="pad">
          <SkeletonLines count={3} />
        </div>
      )}
      {items?.length === 0 && (
        <Empty icon={ShieldCheck} title={t('authorities.none')} action={add}>
          {t('authorities.noneText')}
        </Empty>
      )}
      <ul class="plain-list pad">
        {items?.map((one) => (
          <AuthorityLine key={one.fingerprint} authority={one} onOpen={setOpen} />
        ))}
      </ul>
      {open?.kind === 'add' && <AddAuthority onClose={close} onDone={done} />}
      {open && open.kind !== 'add' && <AuthorityDialog open={open} onClose={close} onDone={done} />}
    </Card>
  );
}

function AuthorityLine({ authority, onOpen }: { authority: Authority; onOpen: (open: Open) => void }) {
  return (
    <li class="row spread">
      <div class="grow-text">
        <bdi class="strong-link">{authority.subject}</bdi>{' '}
        {authority.productKey && <Badge tone="quiet">{authority.productKey}</Badge>}
        <code class="sub">{fingerprint(authority.fingerprint)}</code>
        <span class="sub">
          {t('certificates.until')} <Expiry time={authority.notAfter} />
        </span>
        <span class="sub">
          {counted('authorities.revoked', authority.revokedSerials)}
          {authority.revocationList.next && (
            <>
              {' · '}
              {t('authorities.listUntil')} <At time={authority.revocationList.next} />
            </>
          )}
        </span>
      </div>
      {may('operator') && (
        <span class="row">
          <Button small onClick={() => onOpen({ kind: 'list', authority })}>
            {t('authorities.list')}
          </Button>
          <Button small onClick={() => onOpen({ kind: 'serial', authority })}>
            {t('authorities.serial')}
          </Button>
          {may('admin') && (
            <Button small onClick={() => onOpen({ kind: 'remove', authority })}>
              {t('action.remove')}
            </Button>
          )}
        </span>
      )}
    </li>
  );
}

interface DialogProps {
  onClose: () => void;
  onDone: () => void;
}

function AddAuthority({ onClose, onDone }: DialogProps) {
  const [certificate, setCertificate] = useState('');
  const [productKey, setProductKey] = useState('');
  const action = useAction(async () => {
    await ask(api.POST('/authorities', { body: { certificate, ...(productKey ? { productKey } : {}) } }));
    tell(t('authorities.added'));
    onDone();
  });
  return (
    <FormDialog
      title={t('authorities.add')}
      submit={t('action.add')}
      busy={action.busy}
      failure={action.failure}
      onSubmit={() => void action.run()}
      onClose={onClose}
    >
      <AreaField
        label={t('authorities.pem')}
        value={certificate}
        onInput={setCertificate}
        rows={8}
        example="-----BEGIN CERTIFICATE-----"
        mono
        required
      />
      <TextField
        label={t('authorities.product')}
        value={productKey}
        onInput={setProductKey}
        hint={t('authorities.productHint')}
        mono
      />
    </FormDialog>
  );
}

function AuthorityDialog({ open, onClose, onDone }: DialogProps & { open: Exclude<Open, { kind: 'add' }> }) {
  const [text, setText] = useState('');
  const params = { path: { fingerprint: open.authority.fingerprint } };
  const action = useAction(async () => {
    if (open.kind === 'list') {
      await ask(api.POST('/authorities/{fingerprint}/revocation-list', { params, body: { list: text } }));
    } else {
      await ask(api.POST('/authorities/{fingerprint}/revoke', { params, body: { serial: text.trim() } }));
    }
    tell(t('authorities.revokedDone'));
    onDone();
  });
  if (open.kind === 'remove') {
    return (
      <ConfirmDialog
        title={t('authorities.remove')}
        submit={t('action.remove')}
        perform={() => ask(api.DELETE('/authorities/{fingerprint}', { params }))}
        onDone={() => {
          tell(t('authorities.removed'));
          onDone();
        }}
        onClose={onClose}
      >
        <Notice tone="warn">{t('authorities.removeText')}</Notice>
        <p>
          <bdi>{open.authority.subject}</bdi>
        </p>
      </ConfirmDialog>
    );
  }
  const title = open.kind === 'list' ? t('authorities.list') : t('authorities.serial');
  return (
    <FormDialog
      title={title}
      submit={title}
      busy={action.busy}
      failure={action.failure}
      onSubmit={() => void action.run()}
      onClose={onClose}
    >
      {open.kind === 'list' ? (
        <AreaField
          label={t('authorities.listPem')}
          value={text}
          onInput={setText}
          rows={8}
          example="-----BEGIN X509 CRL-----"
          mono
          required
        />
      ) : (
        <TextField label={t('authorities.serialNumber')} value={text} onInput={setText} mono required autoFocus />
      )}
    </FormDialog>
  );
}
