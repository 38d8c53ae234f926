import type { Device, Doctor, LogEntry } from '../../api/client';
import { causeName, counted, diagnosisOf, t } from '../../i18n';
import type { Query } from '../../lib/hooks';
import { Notice } from '../../ui/feedback';
import { Stethoscope } from '../../ui/icons';
import { Ago, Card } from '../../ui/page';

// Why a device does not connect, in plain words; quiet as long as it is connected.
export function DoctorCard({ device, doctor }: { device: Device; doctor: Query<Doctor> }) {
  if (device.status === 'ONLINE' || !doctor.data) return null;
  const findings = recentFindings(device, doctor.data);
  if (findings.length === 0) {
    if (doctor.data.similarRefusals.length > 0) return <Similar entries={doctor.data.similarRefusals} />;
    return device.status === 'UNACTIVE' ? <Notice tone="info">{t('doctor.never')}</Notice> : null;
  }
  const [newest, ...others] = findings;
  return (
    <section class="card doctor" aria-live="polite">
      <header class="card-head">
        <h2>
          <Stethoscope aria-hidden="true" /> {t('doctor.title')}
        </h2>
      </header>
      {newest && <Finding entry={newest} first />}
      {others.length > 0 && (
        <details>
          <summary>{counted('doctor.more', others.length)}</summary>
          <ul class="plain-list">
            {others.map((entry) => (
              <li key={entry.id}>
                <Finding entry={entry} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

// What was wrong before the device was online last is history.
function recentFindings(device: Device, doctor: Doctor): LogEntry[] {
  const since = device.lastOnline ?? '';
  return doctor.findings.filter((entry) => (entry.lastTime ?? entry.time ?? '') > since);
}

function Finding({ entry, first }: { entry: LogEntry; first?: boolean }) {
  const verdict = diagnosisOf(entry);
  return (
    <div class="stack-tight">
      <p
        class={first ? 'verdict' : ''}
        data-name={first ? 'verdict' : undefined}
        data-cause={entry.diagnosis?.name || entry.name}
      >
        {verdict.text}
      </p>
      {verdict.advice && (
        <p data-name={first ? 'advice' : undefined}>
          <b>{t('doctor.advice')}</b> {verdict.advice}
        </p>
      )}
      {verdict.original && <p class="muted small">{verdict.original}</p>}
      <p class="muted small">
        {counted('doctor.times', entry.count)} · <Ago time={entry.lastTime ?? entry.time} />
        {entry.address && ` · ${entry.address}`} · {causeName(entry.name)}
      </p>
    </div>
  );
}

function Similar({ entries }: { entries: LogEntry[] }) {
  return (
    <Card title={t('doctor.similarTitle')} lead={t('doctor.similarLead')}>
      <ul class="plain-list">
        {entries.slice(0, 5).map((entry) => (
          <li key={entry.id}>
            <bdi class="topic">
              {entry.productKey} / {entry.deviceName}
            </bdi>
            <span class="sub">
              {diagnosisOf(entry).text} · <Ago time={entry.lastTime ?? entry.time} />
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
