import { useState } from 'preact/hooks';
import { api, ask, type AuditEntry } from '../api/client';
import { locale, t, textOr } from '../i18n';
import { differences } from '../lib/difference';
import { dateTime } from '../lib/format';
import { useSettled } from '../lib/hooks';
import { usePages } from '../lib/pages';
import { Differences } from '../ui/conflict';
import { Empty, FailureNotice } from '../ui/feedback';
import { TextField } from '../ui/field';
import { ScrollText } from '../ui/icons';
import { Badge, Card, Page } from '../ui/page';
import { Pager, Table, type Column } from '../ui/table';

export function Audit() {
  const [actor, setActor] = useState('');
  const [target, setTarget] = useState('');
  const settledActor = useSettled(actor.trim(), 300);
  const settledTarget = useSettled(target.trim(), 300);
  const pages = usePages(`audit ${settledActor} ${settledTarget}`, (cursor, signal) => {
    const query = {
      actor: settledActor || undefined,
      target: settledTarget || undefined,
      cursor: cursor || undefined,
      limit: 50,
    };
    return ask(api.GET('/audit', { params: { query }, signal }));
  });
  return (
    <Page title={t('audit.title')} lead={t('audit.lead')}>
      <div class="toolbar">
        <TextField label={t('audit.actor')} value={actor} onInput={setActor} example="user admin" />
        <TextField label={t('audit.target')} value={target} onInput={setTarget} example="products/" />
      </div>
      <FailureNotice failure={pages.query.failure} retry={pages.query.reload} />
      {!pages.query.failure && (
        <Card flush>
          <Table
            label={t('audit.title')}
            columns={columns()}
            rows={pages.rows}
            stale={pages.stale}
            rowKey={(entry) => `${entry.id}`}
            skeletonRows={10}
            empty={
              <Empty icon={ScrollText} title={t('audit.none')}>
                {t('audit.noneText')}
              </Empty>
            }
          />
          <Pager paging={pages.paging} onChange={pages.turnTo} />
        </Card>
      )}
    </Page>
  );
}

function columns(): Column<AuditEntry>[] {
  return [
    {
      id: 'what',
      title: t('audit.what'),
      main: true,
      cell: (entry) => (
        <>
          <span class="strong-link">{textOr(`audit.action.${entry.action}`, entry.action)}</span>
          <bdi class="sub">{entry.target}</bdi>
          <Changes entry={entry} />
        </>
      ),
    },
    {
      id: 'who',
      title: t('audit.who'),
      cell: (entry) => (
        <span>
          <bdi>{entry.actor}</bdi>
          <span class="sub">
            {[textOr(`role.${entry.role}`, entry.role), entry.address].filter(Boolean).join(' · ')}
          </span>
        </span>
      ),
    },
    {
      id: 'when',
      title: t('common.time'),
      cell: (entry) => <time dateTime={entry.time}>{dateTime(entry.time, locale.value)}</time>,
    },
    {
      id: 'result',
      title: t('audit.result'),
      cell: (entry) =>
        entry.status < 400 ? (
          <Badge tone="good">{t('audit.done')}</Badge>
        ) : (
          <Badge tone="bad">{t('audit.refused', { status: entry.status })}</Badge>
        ),
    },
  ];
}

const notTold = ['version', 'created', 'deviceCount'];

function Changes({ entry }: { entry: AuditEntry }) {
  const changes = differences(entry.before, entry.after, notTold);
  if (changes.length === 0) return null;
  return (
    <details>
      <summary>{t('audit.changes')}</summary>
      <Differences changes={changes} />
    </details>
  );
}
