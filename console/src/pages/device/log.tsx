import type { LogEntry } from '../../api/client';
import { causeText, counted, locale, t, textOr } from '../../i18n';
import { logTime } from '../../lib/format';
import { useAction } from '../../lib/hooks';
import { Button } from '../../ui/button';
import { Empty, FailureNotice, SkeletonLines } from '../../ui/feedback';
import { ScrollText } from '../../ui/icons';
import { Badge, Card } from '../../ui/page';
import type { LiveLog } from './live';

type Tone = 'good' | 'warn' | 'bad' | 'quiet';
const tones: Record<string, Tone> = {
  online: 'good',
  registered: 'good',
  enabled: 'good',
  refused: 'bad',
  'registration-refused': 'bad',
  'publish-denied': 'warn',
  'subscribe-denied': 'warn',
  discarded: 'warn',
  throttled: 'warn',
  warned: 'warn',
  disabled: 'bad',
  deleted: 'bad',
};

export function LogTab({ log }: { log: LiveLog }) {
  const older = useAction(log.loadOlder);
  return (
    <Card title={t('log.title')} lead={t('log.lead')} flush>
      <FailureNotice failure={log.failure} retry={log.reload} />
      {!log.entries && !log.failure && (
        <div class="pad">
          <SkeletonLines count={6} />
        </div>
      )}
      {log.entries?.length === 0 && (
        <Empty icon={ScrollText} title={t('log.none')}>
          {t('log.noneText')}
        </Empty>
      )}
      {log.entries && log.entries.length > 0 && (
        <ol class="log" aria-label={t('log.title')} aria-live="polite">
          {log.entries.map((entry) => (
            <Line key={entry.id} entry={entry} fresh={entry.id >= log.freshId} />
          ))}
        </ol>
      )}
      {log.older && (
        <div class="pad">
          <Button small busy={older.busy} onClick={() => void older.run()}>
            {t('log.older')}
          </Button>
        </div>
      )}
      <FailureNotice failure={older.failure} />
    </Card>
  );
}

function Line({ entry, fresh }: { entry: LogEntry; fresh: boolean }) {
  const text = causeText(entry);
  const time = entry.lastTime ?? entry.time ?? '';
  const details = [
    entry.subject,
    entry.transport && `${t('log.over')} ${entry.transport}`,
    entry.address,
    entry.facts,
    entry.count > 1 && counted('doctor.times', entry.count),
  ].filter(Boolean);
  return (
    <li class={fresh ? 'fresh' : ''} data-action={entry.action}>
      <time dateTime={time}>{time && logTime(time, locale.value, Date.now())}</time>
      <span>
        <Badge tone={tones[entry.action] ?? 'quiet'}>{textOr(`log.action.${entry.action}`, entry.action)}</Badge>
      </span>
      <div class="what">
        {text !== entry.action && (
          <p>
            <bdi>{text}</bdi>
          </p>
        )}
        {details.length > 0 && (
          <p class="details">
            <bdi>{details.join(' · ')}</bdi>
          </p>
        )}
      </div>
    </li>
  );
}
