// What one device's page knows, kept up to date by the server's events.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, ask, type ApiFailure, type Device, type Doctor, type LogEntry } from '../../api/client';
import { followEvents } from '../../api/live';
import { asFailure, useQuery, type Query } from '../../lib/hooks';

export interface DeviceName {
  productKey: string;
  deviceName: string;
}

export interface LiveDevice {
  path: DeviceName;
  device: Query<Device>;
  doctor: Query<Doctor>;
  log: LiveLog;
  turn: number; // grows with every event of the device: what depends on its connection is asked for anew
  connected: boolean;
}

export interface LiveLog {
  entries: LogEntry[] | undefined; // newest first
  older: string | undefined; // cursor
  freshId: number; // entries from here on came while the page was open
  failure: ApiFailure | undefined; // of the newest entries
  reload: () => void;
  loadOlder: () => Promise<void>;
}

const entriesMax = 1_000;
const firstEntries = 100;

// An entry may come again with a higher count.
export function merged(entries: LogEntry[], news: LogEntry[]): LogEntry[] {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  for (const entry of news) byId.set(entry.id, entry);
  return [...byId.values()].sort((a, b) => b.id - a.id).slice(0, entriesMax);
}

export function useLiveDevice(path: DeviceName): LiveDevice {
  const key = `${path.productKey} ${path.deviceName}`;
  const params = { path };
  const device = useQuery(`device ${key}`, () =>
    ask(api.GET('/products/{productKey}/devices/{deviceName}', { params })),
  );
  const doctor = useQuery(`doctor ${key}`, () =>
    ask(api.GET('/products/{productKey}/devices/{deviceName}/doctor', { params })),
  );
  const [entries, setEntries] = useState<LogEntry[] | undefined>();
  const [older, setOlder] = useState<string | undefined>();
  const [freshId, setFreshId] = useState(Number.POSITIVE_INFINITY);
  const [failure, setFailure] = useState<ApiFailure | undefined>();
  const readAgain = useRef(() => {});
  const [turn, setTurn] = useState(0);
  const [connected, setConnected] = useState(false);

  const readLog = (cursor?: string) =>
    ask(
      api.GET('/products/{productKey}/devices/{deviceName}/log', {
        params: { path, query: { limit: firstEntries, ...(cursor ? { cursor } : {}) } },
      }),
    );

  useEffect(() => {
    setEntries(undefined);
    setFreshId(Number.POSITIVE_INFINITY);
    let ended = false;
    const begin = async () => {
      const page = await readLog();
      if (ended) return;
      setFailure(undefined);
      setEntries((old) => merged(old ?? [], page.items));
      setOlder(page.nextCursor);
      setFreshId((old) => (Number.isFinite(old) ? old : Math.max(0, ...page.items.map((entry) => entry.id)) + 1));
    };
    const refresh = () => {
      device.reload();
      doctor.reload();
      setTurn((old) => old + 1);
    };
    readAgain.current = () => void begin().catch((error) => ended || setFailure(asFailure(error)));
    const onStart = () => {
      refresh();
      readAgain.current();
    };
    const end = followEvents(
      {
        device: refresh,
        log: (entry) => {
          setEntries((old) => merged(old ?? [], [entry]));
          if (entry.action === 'refused') doctor.reload();
        },
        onStart,
        onGap: onStart,
        onState: setConnected,
      },
      path,
    );
    return () => {
      ended = true;
      end();
    };
  }, [key]);

  const loadOlder = async () => {
    const page = await readLog(older);
    setEntries((old) => merged(old ?? [], page.items));
    setOlder(page.nextCursor);
  };
  return {
    path,
    device,
    doctor,
    log: { entries, older, freshId, failure, reload: () => readAgain.current(), loadOlder },
    turn,
    connected,
  };
}
