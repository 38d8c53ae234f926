// Two people edited the same thing: the second is told what the first one changed, and decides.
import { t, textOr } from '../i18n';
import { differences } from '../lib/difference';
import { useQuery } from '../lib/hooks';
import { Button } from './button';
import { FailureNotice, Notice, SkeletonLines } from './feedback';

interface ConflictProps<T> {
  seen: T; // as it was when editing began
  load: () => Promise<T>;
  fields: readonly (keyof T & string)[];
  onTakeTheirs: (now: T) => void;
  onKeepMine: (now: T) => void;
}

export function ConflictNotice<T extends object>({ seen, load, fields, onTakeTheirs, onKeepMine }: ConflictProps<T>) {
  const now = useQuery('conflict', load);
  if (now.failure) return <FailureNotice failure={now.failure} retry={now.reload} />;
  const theirs = now.data;
  if (!theirs) return <SkeletonLines count={2} />;
  const pick = (thing: T) => Object.fromEntries(fields.map((name) => [name, thing[name]]));
  return (
    <Notice tone="warn" title={t('conflict.title')}>
      <p>{t('conflict.text')}</p>
      <Differences changes={differences(pick(seen), pick(theirs))} />
      <div class="row">
        <Button small onClick={() => onTakeTheirs(theirs)}>
          {t('conflict.theirs')}
        </Button>
        <Button small onClick={() => onKeepMine(theirs)}>
          {t('conflict.mine')}
        </Button>
      </div>
    </Notice>
  );
}

export function Differences({ changes }: { changes: ReturnType<typeof differences> }) {
  return (
    <dl class="difference small">
      {changes.map((change) => (
        <>
          <dt key={`${change.name}-name`}>{textOr(`property.${change.name}`, change.name)}</dt>
          <dd key={change.name}>
            {change.before !== undefined && <del>{change.before || '""'}</del>}
            {change.before !== undefined && change.after !== undefined && ' → '}
            {change.after !== undefined && <ins>{change.after || '""'}</ins>}
          </dd>
        </>
      ))}
    </dl>
  );
}
