// What of the server somebody should look at.
import type { Product, Sample, ServerCertificates } from '../api/client';
import { daysUntil } from './format';
import { growth, type Growth } from './rates';

export type Attention =
  | { kind: 'certificate'; tone: 'warn' | 'bad'; name: string; days: number }
  | { kind: 'refusals'; tone: 'warn'; total: number; reasons: Growth[] }
  | { kind: 'dropped'; tone: 'bad'; total: number; reasons: Growth[] }
  | { kind: 'busy'; tone: 'warn' | 'bad'; share: number }
  | { kind: 'open-registration'; tone: 'warn'; product: Product }
  | { kind: 'first-use'; tone: 'warn'; product: Product };

interface Situation {
  samples: Sample[];
  certificates: ServerCertificates | undefined;
  products: Product[];
  nowMs: number;
}

const certificateWarnDays = 21;
const certificateBadDays = 7;
const busyWarn = 0.8;
const busyBad = 0.95;
const busySamples = 10;
const refusalsWarn = 10; // within the window: a single slip is no matter

export function attention({ samples, certificates, products, nowMs }: Situation): Attention[] {
  return [...expiring(certificates, nowMs), ...countedReasons(samples), ...busyLoops(samples), ...openDoors(products)];
}

function expiring(certificates: ServerCertificates | undefined, nowMs: number): Attention[] {
  return (certificates?.items ?? []).flatMap((one): Attention[] => {
    if (!one.notAfter) return [];
    const days = daysUntil(one.notAfter, nowMs);
    if (days >= certificateWarnDays) return [];
    return [{ kind: 'certificate', tone: days < certificateBadDays ? 'bad' : 'warn', name: one.name, days }];
  });
}

function countedReasons(samples: Sample[]): Attention[] {
  const refusals = growth(samples, (sample) => sample.refusals);
  const dropped = growth(samples, (sample) => sample.dropped);
  const found: Attention[] = [];
  if (dropped.length > 0) found.push({ kind: 'dropped', tone: 'bad', total: sum(dropped), reasons: dropped });
  if (sum(refusals) >= refusalsWarn) {
    found.push({ kind: 'refusals', tone: 'warn', total: sum(refusals), reasons: refusals });
  }
  return found;
}

function sum(reasons: Growth[]): number {
  return reasons.reduce((total, one) => total + one.count, 0);
}

// The busiest loop over the last seconds: one burst is no matter.
function busyLoops(samples: Sample[]): Attention[] {
  const recent = samples.slice(-busySamples);
  if (recent.length < busySamples) return [];
  const loops = recent[0]?.loopBusy.length ?? 0;
  let share = 0;
  for (let loop = 0; loop < loops; loop += 1) {
    const mean = recent.reduce((total, sample) => total + (sample.loopBusy[loop] ?? 0), 0) / recent.length;
    share = Math.max(share, mean);
  }
  return share < busyWarn ? [] : [{ kind: 'busy', tone: share < busyBad ? 'warn' : 'bad', share }];
}

function openDoors(products: Product[]): Attention[] {
  return products.flatMap((product): Attention[] => {
    if (product.firstUse === 'create') return [{ kind: 'first-use', tone: 'warn', product }];
    if (product.dynamicRegistration !== 'on-without-preregistration') return [];
    return [{ kind: 'open-registration', tone: 'warn', product }];
  });
}
