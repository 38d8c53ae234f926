import { describe, expect, it } from 'vitest';
import type { Sample } from '../src/api/client';
import { attention } from '../src/lib/attention';
import { addReport, nothingYet, refusalsShownMax } from '../src/lib/import';
import { growth, leadingReasons, rates, rolling, windowSeconds, withSample } from '../src/lib/rates';
import { merged } from '../src/pages/device/live';
import { packetDetails, payloadText } from '../src/pages/device/flight';
import { namesOf } from '../src/pages/new-devices';
import { parseTopicClass, topicClassText } from '../src/pages/product-words';

const begin = Date.parse('2026-11-30T12:00:00Z');

function sample(second: number, part: Partial<Sample> = {}): Sample {
  return {
    time: new Date(begin + second * 1000).toISOString(),
    connections: 1,
    devicesOnline: 1,
    sessions: 1,
    subscriptions: 1,
    messagesIn: 0,
    messagesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    connects: 0,
    refusals: {},
    dropped: {},
    loopBusy: [0.1, 0.1],
    ...part,
  };
}

describe('samples', () => {
  it('keep their order and their bound', () => {
    let samples = [sample(0)];
    samples = withSample(samples, sample(0));
    expect(samples).toHaveLength(1);
    for (let second = 1; second < 2 * windowSeconds; second += 1) samples = withSample(samples, sample(second));
    expect(samples).toHaveLength(windowSeconds + 1);
  });

  it('become rates, also over gaps and a restart', () => {
    const counted = [0, 10, 40, 5, 25].map((messagesIn, index) => sample([0, 1, 3, 4, 5][index] ?? 0, { messagesIn }));
    expect(rates(counted, (one) => one.messagesIn)).toEqual([10, 15, 0, 20]);
    expect(rates([], (one) => one.messagesIn)).toEqual([]);
  });

  it('sum up what came within a span', () => {
    const counted = [0, 1, 1, 4, 4].map((connects, second) => sample(second, { connects }));
    expect(rolling(counted, (one) => one.connects, 2)).toEqual([1, 1, 3, 3]);
  });

  it('name the reasons that grew', () => {
    const samples = [sample(0, { refusals: { a: 5, b: 1 } }), sample(1, { refusals: { a: 6, b: 9, c: 2 } })];
    expect(growth(samples, (one) => one.refusals)).toEqual([
      { reason: 'b', count: 8 },
      { reason: 'c', count: 2 },
      { reason: 'a', count: 1 },
    ]);
    expect(leadingReasons(samples, (one) => one.refusals)[0]).toBe('b');
  });
});

describe('what needs attention', () => {
  const certificate = (days: number) => ({
    name: 'server',
    subject: 'CN=server',
    issuer: 'CN=authority',
    keyType: 'EC P-256',
    fingerprint: '',
    notBefore: null,
    names: [],
    notAfter: new Date(begin + days * 86_400_000 + 1000).toISOString(),
  });
  const situation = { samples: [sample(0)], certificates: undefined, products: [], nowMs: begin };

  it('is nothing as long as all is well', () => {
    const certificates = { builtIn: true, root: null, rootPem: null, items: [certificate(80)] };
    expect(attention({ ...situation, certificates })).toEqual([]);
  });

  it('is a certificate that ends soon', () => {
    const certificates = { builtIn: true, root: null, rootPem: null, items: [certificate(10), certificate(-1)] };
    const found = attention({ ...situation, certificates });
    expect(found.map((one) => [one.kind, one.tone])).toEqual([
      ['certificate', 'warn'],
      ['certificate', 'bad'],
    ]);
  });

  it('is what was dropped, and refusals that are no single slip', () => {
    const few = [sample(0), sample(1, { refusals: { a: 9 } })];
    expect(attention({ ...situation, samples: few })).toEqual([]);
    const many = [sample(0), sample(1, { refusals: { a: 10 }, dropped: { full: 1 } })];
    expect(attention({ ...situation, samples: many }).map((one) => one.kind)).toEqual(['dropped', 'refusals']);
  });

  it('is one busy loop among idle ones', () => {
    const busy = Array.from({ length: 12 }, (_, second) => sample(second, { loopBusy: [0.05, 0.97] }));
    expect(attention({ ...situation, samples: busy })).toMatchObject([{ kind: 'busy', tone: 'bad' }]);
    const burst = busy.map((one, index) => (index === 11 ? one : sample(index)));
    expect(attention({ ...situation, samples: burst })).toEqual([]);
  });
});

describe('an import', () => {
  it('adds up its slices and knows the lines of the file', () => {
    const report = {
      created: 1,
      changed: 0,
      unchanged: 1,
      refused: 1,
      productsCreated: ['pk'],
      refusals: [{ row: 2, productKey: 'pk', deviceName: 'x', reason: 'no' }],
    };
    const state = addReport(addReport(nothingYet, report, [2, 3, 4], 0.5), report, [5, 6, 9], 1);
    expect(state).toMatchObject({ rows: 6, created: 2, refused: 2, productsCreated: ['pk'], share: 1 });
    expect(state.refusals.map((one) => one.line)).toEqual([4, 9]);
  });

  it('keeps a bounded list of refusals', () => {
    const refusals = Array.from({ length: 500 }, (_, row) => ({ row, productKey: '', deviceName: '', reason: '' }));
    const report = { created: 0, changed: 0, unchanged: 0, refused: 500, productsCreated: [], refusals };
    const state = addReport(
      nothingYet,
      report,
      refusals.map((one) => one.row),
      1,
    );
    expect(state.refusals).toHaveLength(refusalsShownMax);
    expect(state.refused).toBe(500);
  });
});

describe('the device page', () => {
  it('shows an entry once, as it is now', () => {
    const entry = (id: number, count: number) => ({ id, count }) as never;
    expect(merged([entry(2, 1), entry(1, 1)], [entry(1, 7), entry(3, 1)])).toEqual([
      entry(3, 1),
      entry(2, 1),
      entry(1, 7),
    ]);
  });

  it('shows payloads as text when they are', () => {
    expect(payloadText('7b7d')).toBe('{}');
    expect(payloadText('00ff')).toBe('00ff');
    expect(payloadText('1b5b')).toBe('1b5b');
    expect(packetDetails({ time: null, direction: 'in', topic: '/a', qos: 1, packetId: 7 })).toBe('/a · QoS 1 · id 7');
  });

  it('reads names and topic classes', () => {
    expect(namesOf(' a, b\nc;a \n')).toEqual(['a', 'b', 'c']);
    expect(parseTopicClass('user/echo:all')).toEqual({ suffix: 'user/echo', right: 'all' });
    expect(topicClassText(parseTopicClass('user/x:pub'))).toBe('user/x:pub');
  });
});
