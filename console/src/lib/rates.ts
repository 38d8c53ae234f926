// Counters since the start of the server, one sample a second, as what a plot shows.
import type { Sample } from '../api/client';

export const windowSeconds = 300;
const seriesMax = 6;

// Newest last, without doubles, no longer than the window.
export function withSample(samples: Sample[], sample: Sample): Sample[] {
  const last = samples.at(-1);
  if (last && sample.time <= last.time) return samples;
  return [...samples.slice(-windowSeconds), sample];
}

export function seconds(sample: Sample): number {
  return new Date(sample.time).getTime() / 1000;
}

// Per second between neighbours: one value less than samples. A counter that fell began anew with the server.
export function rates(samples: Sample[], counter: (sample: Sample) => number): number[] {
  const found: number[] = [];
  for (let at = 1; at < samples.length; at += 1) {
    const before = samples[at - 1] as Sample;
    const now = samples[at] as Sample;
    const passed = seconds(now) - seconds(before);
    const grown = counter(now) - counter(before);
    found.push(passed > 0 && grown > 0 ? grown / passed : 0);
  }
  return found;
}

// By how much a counter grew within the last `span` seconds, for every sample but the first.
export function rolling(samples: Sample[], counter: (sample: Sample) => number, span: number): number[] {
  const found: number[] = [];
  let from = 0;
  for (let at = 1; at < samples.length; at += 1) {
    const now = samples[at] as Sample;
    while (from < at - 1 && seconds(now) - seconds(samples[from] as Sample) > span) from += 1;
    found.push(Math.max(0, counter(now) - counter(samples[from] as Sample)));
  }
  return found;
}

export interface Growth {
  reason: string;
  count: number;
}

type Counters = (sample: Sample) => Record<string, number>;

// By how much each reason grew within the samples, largest first.
export function growth(samples: Sample[], counters: Counters): Growth[] {
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last) return [];
  const before = counters(first);
  return Object.entries(counters(last))
    .map(([reason, count]) => ({ reason, count: count - (before[reason] ?? 0) }))
    .filter((one) => one.count > 0)
    .sort((a, b) => b.count - a.count || a.reason.localeCompare(b.reason));
}

// The reasons worth a line of their own; the rest is summed up by the caller.
export function leadingReasons(samples: Sample[], counters: Counters): string[] {
  return growth(samples, counters)
    .slice(0, seriesMax - 1)
    .map((one) => one.reason);
}
