import { useEffect, useRef, useState } from 'preact/hooks';
import { counted, locale, t, type TextKey } from '../i18n';
import { CsvFailure, preview, wantedColumns, type CsvPreview } from '../lib/csv';
import { bytes } from '../lib/format';
import { importFile, nothingYet, refusalsShownMax, type ImportState } from '../lib/import';
import { to } from '../lib/router';
import type { ApiFailure } from '../api/client';
import { Button, LinkButton } from '../ui/button';
import { CodeBlock } from '../ui/copy';
import { FailureNotice, Notice, SkeletonLines } from '../ui/feedback';
import { FileUp } from '../ui/icons';
import { Card, Facts, Page } from '../ui/page';
import { Table } from '../ui/table';

const previewRows = 6;
const example = 'ProductKey,DeviceName,DeviceSecret\na1lamp,kitchen,7b2c...\na1lamp,hall,91f0...';

// What happens to a chosen file: looked into, tried without effect, then taken over.
type Step =
  | { at: 'looking' }
  | { at: 'checking' | 'checked' | 'importing' | 'done'; shown: CsvPreview; state: ImportState }
  | { at: 'failed'; problem: CsvFailure | ApiFailure | Error; after: ImportState | null };

export function ImportPage() {
  const [file, setFile] = useState<File | null>(null);
  return (
    <Page
      title={t('import.title')}
      lead={t('import.lead')}
      trail={[{ label: t('devices.title'), href: to('devices') }]}
    >
      {file ? (
        <Chosen key={`${file.name} ${file.lastModified}`} file={file} onOther={() => setFile(null)} />
      ) : (
        <>
          <FileChoice onChoose={setFile} />
          <Card title={t('import.format')} lead={t('import.formatLead')}>
            <CodeBlock text={example} title="devices.csv" />
          </Card>
        </>
      )}
    </Page>
  );
}

function FileChoice({ onChoose }: { onChoose: (file: File) => void }) {
  const [over, setOver] = useState(false);
  return (
    <label
      class={over ? 'drop over' : 'drop'}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const file = event.dataTransfer?.files[0];
        if (file) onChoose(file);
      }}
    >
      <span class="empty-icon">
        <FileUp aria-hidden="true" />
      </span>
      <span class="button">{t('import.choose')}</span>
      <span class="sub">{t('import.drop')}</span>
      <input
        class="hidden-text"
        type="file"
        accept=".csv,text/csv"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file) onChoose(file);
        }}
      />
    </label>
  );
}

function Chosen({ file, onOther }: { file: File; onOther: () => void }) {
  const [step, setStep] = useState<Step>({ at: 'looking' });
  const control = useRef(new AbortController());

  const run = async (shown: CsvPreview, dryRun: boolean) => {
    const at = dryRun ? 'checking' : 'importing';
    let latest = nothingYet;
    setStep({ at, shown, state: nothingYet });
    try {
      const onProgress = (state: ImportState) => setStep({ at, shown, state: (latest = state) });
      const state = await importFile({ file, dryRun, signal: control.current.signal, onProgress });
      setStep({ at: dryRun ? 'checked' : 'done', shown, state });
    } catch (error) {
      if (!control.current.signal.aborted) {
        setStep({ at: 'failed', problem: error as Error, after: dryRun ? null : latest });
      }
    }
  };

  useEffect(() => {
    preview(file, previewRows).then(
      (shown) => run(shown, true),
      (problem: Error) => setStep({ at: 'failed', problem, after: null }),
    );
    return () => control.current.abort();
  }, [file]);

  return (
    <>
      <Card
        title={<bdi>{file.name}</bdi>}
        lead={bytes(file.size, locale.value)}
        actions={
          <Button small onClick={onOther}>
            {step.at === 'importing' ? t('import.stop') : t('import.other')}
          </Button>
        }
        flush
      >
        {'shown' in step ? (
          <Preview shown={step.shown} />
        ) : (
          step.at === 'looking' && (
            <div class="pad">
              <SkeletonLines count={4} />
            </div>
          )
        )}
        {step.at === 'failed' && (
          <div class="pad">
            <Failed step={step} />
          </div>
        )}
      </Card>
      {'state' in step && <Report step={step} onImport={() => void run(step.shown, false)} />}
    </>
  );
}

function Preview({ shown }: { shown: CsvPreview }) {
  const secret = shown.columns.findIndex((name) => name.toLowerCase().replace(/[\s_-]/g, '') === 'devicesecret');
  return (
    <Table
      label={t('import.preview')}
      columns={shown.columns.map((name, index) => ({
        id: `${index}`,
        title: name,
        cell: (row: string[]) =>
          index === secret && row[index] ? '••••••••' : <bdi class="clip">{row[index] ?? ''}</bdi>,
      }))}
      rows={shown.rows}
      rowKey={(row) => row.join('\n')}
      empty={
        <div class="pad">
          <Notice tone="warn">{t('import.noRows')}</Notice>
        </div>
      }
    />
  );
}

type ReportStep = Extract<Step, { state: ImportState }>;

const reportTitles: Record<ReportStep['at'], TextKey> = {
  checking: 'import.checking',
  checked: 'import.checked',
  importing: 'import.importing',
  done: 'import.done',
};

function Report({ step, onImport }: { step: ReportStep; onImport: () => void }) {
  const { at, state } = step;
  const running = at === 'checking' || at === 'importing';
  const useful = state.created + state.changed;
  return (
    <Card title={t(reportTitles[at])}>
      {running && (
        <div class="progress">
          <progress max={1} value={state.share} aria-label={t(reportTitles[at])} />
          <span class="muted small">{counted('import.rows', state.rows)}</span>
        </div>
      )}
      <Counts state={state} dryRun={at === 'checking' || at === 'checked'} />
      {state.refusals.length > 0 && <Refusals state={state} />}
      <div role="status">
        {at === 'checked' && useful === 0 && <Notice tone="info">{t('import.nothing')}</Notice>}
        {at === 'done' && <Notice tone="good">{counted('import.doneText', useful)}</Notice>}
      </div>
      <div class="row">
        {at === 'checked' && useful > 0 && (
          <Button look="primary" icon={FileUp} onClick={onImport}>
            {counted('import.start', useful)}
          </Button>
        )}
        {at === 'done' && (
          <LinkButton look="primary" href={to('devices')}>
            {t('import.show')}
          </LinkButton>
        )}
      </div>
    </Card>
  );
}

function Counts({ state, dryRun }: { state: ImportState; dryRun: boolean }) {
  const text = (count: number) => new Intl.NumberFormat(locale.value).format(count);
  return (
    <Facts
      items={[
        {
          name: dryRun ? t('import.willCreate') : t('import.created'),
          value: <b data-name="created">{text(state.created)}</b>,
        },
        { name: dryRun ? t('import.willChange') : t('import.changed'), value: text(state.changed) },
        { name: t('import.unchanged'), value: text(state.unchanged) },
        { name: t('import.refused'), value: <b data-name="refused">{text(state.refused)}</b> },
        state.productsCreated.length > 0 && {
          name: t('import.products'),
          value: <bdi>{state.productsCreated.join(', ')}</bdi>,
        },
      ]}
    />
  );
}

function Refusals({ state }: { state: ImportState }) {
  return (
    <details>
      <summary>{counted('import.refusals', state.refused)}</summary>
      <Table
        label={t('import.refused')}
        columns={[
          { id: 'line', title: t('import.line'), cell: (one) => one.line },
          {
            id: 'device',
            title: t('device.name'),
            cell: (one) => <bdi>{`${one.productKey} / ${one.deviceName}`}</bdi>,
          },
          { id: 'reason', title: t('import.reason'), cell: (one) => one.reason },
        ]}
        rows={state.refusals}
        rowKey={(one) => `${one.line}`}
        empty={null}
      />
      {state.refused > state.refusals.length && (
        <p class="muted small">{t('import.more', { count: refusalsShownMax })}</p>
      )}
    </details>
  );
}

function Failed({ step }: { step: Extract<Step, { at: 'failed' }> }) {
  const { problem, after } = step;
  return (
    <div class="stack">
      {problem instanceof CsvFailure ? (
        <Notice tone="bad">
          {t(`csv.${problem.problem}`, { line: problem.line, columns: wantedColumns.join(', ') })}
        </Notice>
      ) : (
        <FailureNotice failure={problem as ApiFailure} />
      )}
      {after && after.rows > 0 && <Notice tone="info">{counted('import.sofar', after.rows)}</Notice>}
    </div>
  );
}
