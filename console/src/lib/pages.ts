// A list that comes in pages by cursor. What is filtered by stands in `key`: another key begins on the first page.
import { useEffect, useState } from 'preact/hooks';
import { useQuery, type Query } from './hooks';
import { cursorOf, firstPage, loaded, type Paging } from './paging';

interface Page<T> {
  items: T[];
  nextCursor?: string;
}

export interface Pages<T> {
  query: Query<Page<T>>;
  rows: T[] | undefined;
  stale: boolean; // rows of before are shown while newer ones are on their way
  paging: Paging;
  turnTo: (paging: Paging) => void;
}

export function usePages<T>(key: string, load: (cursor: string, signal: AbortSignal) => Promise<Page<T>>): Pages<T> {
  const [state, setState] = useState({ key, paging: firstPage });
  const paging = state.key === key ? state.paging : firstPage;
  const cursor = cursorOf(paging);
  const query = useQuery(`${key}\n${cursor}`, (signal) => load(cursor, signal));
  const [shown, setShown] = useState<T[] | undefined>();
  useEffect(() => {
    if (query.data) setShown(query.data.items);
  }, [query.data]);
  return {
    query,
    rows: query.data?.items ?? (query.failure ? undefined : shown),
    stale: query.data === undefined && shown !== undefined,
    paging: loaded(paging, query.data?.nextCursor),
    turnTo: (wanted) => setState({ key, paging: wanted }),
  };
}
