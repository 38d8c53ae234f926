// Live events of the server. After a break nothing is repeated: `onStart` is called whenever the stream begins, and
// `onGap` when events were left out, so that the state is asked for anew.
//
// A page that nobody sees lets go of its stream: browsers open few connections to one server, and ten forgotten tabs
// would take them all.
import { api, apiAddress, ask, type LogEntry, type Sample, type StatusEvent } from './client';

export interface LiveHandlers {
  statistics?: (sample: Sample) => void;
  device?: (event: StatusEvent) => void;
  log?: (entry: LogEntry) => void;
  onStart?: () => void;
  onGap?: () => void;
  onState?: (connected: boolean) => void;
}

export interface LiveScope {
  productKey?: string;
  deviceName?: string;
}

const retryMs = 5_000;
const hiddenMs = 10_000;

// Returns what ends it.
export function followEvents(handlers: LiveHandlers, scope: LiveScope = {}): () => void {
  const address = eventsAddress(handlers, scope);
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;

  function open(): void {
    close();
    if (!ended) source = listen(address, handlers, onRefused);
  }

  // The browser tries again by itself unless the server refused. Has the session ended?
  function onRefused(): void {
    close();
    const again = () => {
      if (!ended && !document.hidden) open();
    };
    timer = setTimeout(() => void ask(api.GET('/session')).then(again, again), retryMs);
  }

  function close(): void {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  }

  function onVisibility(): void {
    clearTimeout(timer);
    if (!document.hidden && !source) open();
    if (document.hidden) timer = setTimeout(close, hiddenMs);
  }

  document.addEventListener('visibilitychange', onVisibility);
  open();
  return () => {
    ended = true;
    document.removeEventListener('visibilitychange', onVisibility);
    close();
  };
}

function listen(address: string, handlers: LiveHandlers, onRefused: () => void): EventSource {
  const source = new EventSource(address);
  source.addEventListener('open', () => {
    handlers.onState?.(true);
    handlers.onStart?.();
  });
  source.addEventListener('error', () => {
    handlers.onState?.(false);
    if (source.readyState === EventSource.CLOSED) onRefused();
  });
  source.addEventListener('statistics', (event) => handlers.statistics?.(parse(event)));
  source.addEventListener('device', (event) => handlers.device?.(parse(event)));
  source.addEventListener('log', (event) => handlers.log?.(parse(event)));
  source.addEventListener('gap', () => handlers.onGap?.());
  return source;
}

function parse<T>(event: MessageEvent<string>): T {
  return JSON.parse(event.data) as T;
}

function eventsAddress(handlers: LiveHandlers, scope: LiveScope): string {
  const topics = [handlers.statistics && 'statistics', handlers.device && 'devices', handlers.log && 'log'];
  const query = new URLSearchParams({ topics: topics.filter(Boolean).join(',') });
  if (scope.productKey) query.set('productKey', scope.productKey);
  if (scope.deviceName) query.set('deviceName', scope.deviceName);
  return `${apiAddress}/events?${query.toString()}`;
}
