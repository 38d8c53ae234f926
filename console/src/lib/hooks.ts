// What pages share: asking the API, waiting until typing stops, the present time.
import { useSignal, type Signal } from '@preact/signals';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiFailure } from '../api/client';

export interface Query<T> {
  data: T | undefined; // stays while the same thing is asked for again
  failure: ApiFailure | undefined;
  loading: boolean;
  reload: () => void;
  set: (data: T) => void;
}

interface QueryState<T> {
  key: string;
  data: T | undefined;
  failure: ApiFailure | undefined;
  loading: boolean;
}

export function asFailure(error: unknown): ApiFailure {
  return error instanceof ApiFailure ? error : new ApiFailure(0, 'unexpected', String(error));
}

// Asks when `key` changes and on reload. What an older question is answered is thrown away.
export function useQuery<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Query<T> {
  const [state, setState] = useState<QueryState<T>>({ key, data: undefined, failure: undefined, loading: true });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const control = new AbortController();
    setState((old) =>
      old.key === key ? { ...old, loading: true } : { key, data: undefined, failure: undefined, loading: true },
    );
    latest.current(control.signal).then(
      (data) => control.signal.aborted || setState({ key, data, failure: undefined, loading: false }),
      (error) => {
        if (!control.signal.aborted) setState((old) => ({ ...old, failure: asFailure(error), loading: false }));
      },
    );
    return () => control.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((old) => old + 1), []);
  const set = useCallback((data: T) => setState((old) => ({ ...old, data, failure: undefined })), []);
  const current = state.key === key;
  return {
    data: current ? state.data : undefined,
    failure: current ? state.failure : undefined,
    loading: current ? state.loading : true,
    reload,
    set,
  };
}

export interface Action<A extends unknown[]> {
  run: (...words: A) => Promise<boolean>;
  busy: boolean;
  failure: ApiFailure | undefined;
  clear: () => void;
}

// Something that is done once at a time and may fail.
export function useAction<A extends unknown[]>(perform: (...words: A) => Promise<unknown>): Action<A> {
  const [state, setState] = useState<{ busy: boolean; failure: ApiFailure | undefined }>({
    busy: false,
    failure: undefined,
  });
  const running = useRef(false);
  const run = async (...words: A): Promise<boolean> => {
    if (running.current) return false;
    running.current = true;
    setState({ busy: true, failure: undefined });
    try {
      await perform(...words);
      setState({ busy: false, failure: undefined });
      return true;
    } catch (error) {
      setState({ busy: false, failure: asFailure(error) });
      return false;
    } finally {
      running.current = false;
    }
  };
  return { run, ...state, clear: () => setState({ busy: false, failure: undefined }) };
}

// The value once it has stayed the same for a while.
export function useSettled<T>(value: T, waitMs: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), waitMs);
    return () => clearTimeout(timer);
  }, [value, waitMs]);
  return settled;
}

// Milliseconds; renewed often enough for "2 minutes ago".
export function useNow(everyMs: number): Signal<number> {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

let lastId = 0;
export function useUniqueId(prefix: string): string {
  const [id] = useState(() => `${prefix}-${(lastId += 1)}`);
  return id;
}
