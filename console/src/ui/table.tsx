import { Fragment, type ComponentChildren } from 'preact';
import { t } from '../i18n';
import { back, forward, pageNumber, type Paging } from '../lib/paging';
import { Button } from './button';
import { Skeleton } from './feedback';
import { ChevronLeft, ChevronRight } from './icons';

export interface Column<T> {
  id: string;
  title: string;
  cell: (row: T) => ComponentChildren;
  align?: 'end';
  main?: boolean; // heads the card that a row becomes on a narrow screen
  hideTitle?: boolean;
  minor?: boolean; // left out on a narrow screen
}

interface TableProps<T> {
  label: string;
  columns: Column<T>[];
  rows: T[] | undefined; // undefined: not there yet
  rowKey: (row: T) => string;
  empty: ComponentChildren;
  skeletonRows?: number;
  stale?: boolean; // newer rows are on their way
  group?: (row: T) => string; // neighbours of the same group stand under its name
}

export function Table<T>({ label, columns, rows, rowKey, empty, skeletonRows = 6, stale, group }: TableProps<T>) {
  if (rows && rows.length === 0) return <>{empty}</>;
  return (
    <div class="table-frame">
      <table class={stale ? 'table stale' : 'table'} aria-busy={rows === undefined || stale || undefined}>
        <caption class="hidden-text">{label}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.id} scope="col" class={column.align ?? ''}>
                {column.hideTitle ? <span class="hidden-text">{column.title}</span> : column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows
            ? rows.map((row, index) => (
                <Fragment key={rowKey(row)}>
                  {group && group(row) !== (index > 0 && group(rows[index - 1] as T)) && (
                    <tr class="group">
                      <th scope="colgroup" colSpan={columns.length}>
                        {group(row)}
                      </th>
                    </tr>
                  )}
                  <Row row={row} columns={columns} />
                </Fragment>
              ))
            : Array.from({ length: skeletonRows }, (_, index) => <SkeletonRow key={index} columns={columns} />)}
        </tbody>
      </table>
    </div>
  );
}

function Row<T>({ row, columns }: { row: T; columns: Column<T>[] }) {
  return (
    <tr>
      {columns.map((column) => (
        <td
          key={column.id}
          class={classOf(column)}
          data-title={column.hideTitle || column.main ? undefined : column.title}
        >
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
}

function SkeletonRow<T>({ columns }: { columns: Column<T>[] }) {
  return (
    <tr>
      {columns.map((column) => (
        <td key={column.id} class={classOf(column)}>
          <Skeleton width={column.main ? '62%' : '44%'} />
        </td>
      ))}
    </tr>
  );
}

function classOf<T>(column: Column<T>): string {
  return [column.align, column.main && 'main-cell', column.hideTitle && 'tool-cell', column.minor && 'minor-cell']
    .filter(Boolean)
    .join(' ');
}

interface PagerProps {
  paging: Paging;
  onChange: (paging: Paging) => void;
}

export function Pager({ paging, onChange }: PagerProps) {
  const page = pageNumber(paging);
  if (page === 1 && paging.next === undefined) return null;
  return (
    <nav class="pager" aria-label={t('pager.label')}>
      <Button small icon={ChevronLeft} disabled={page === 1} onClick={() => onChange(back(paging))}>
        {t('pager.back')}
      </Button>
      <span class="muted small" aria-live="polite">
        {t('pager.page', { page })}
      </span>
      <Button small icon={ChevronRight} disabled={paging.next === undefined} onClick={() => onChange(forward(paging))}>
        {t('pager.next')}
      </Button>
    </nav>
  );
}
