// Numbers and times as people read them, in a language.

export function number(value: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(value: number, language: string): string {
  let unit = 0;
  let left = value;
  while (left >= 1024 && unit < byteUnits.length - 1) {
    left /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && left < 10 ? 1 : 0;
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(left)} ${byteUnits[unit]}`;
}

export function dateTime(time: string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(time));
}

export function day(time: string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium' }).format(new Date(time));
}

// Of a log: the time of the day with thousandths, and the date when it is another day than today.
export function logTime(time: string, language: string, nowMs: number): string {
  const date = new Date(time);
  const today = new Date(nowMs).toDateString() === date.toDateString();
  return new Intl.DateTimeFormat(language, {
    ...(today ? {} : { month: '2-digit', day: '2-digit' }),
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    hourCycle: 'h23',
  }).format(date);
}

export function clock(timeMs: number, language: string, withSeconds = true): string {
  return new Intl.DateTimeFormat(language, {
    hour: '2-digit',
    minute: '2-digit',
    ...(withSeconds ? { second: '2-digit' } : {}),
    hourCycle: 'h23',
  }).format(timeMs);
}

type Unit = Intl.RelativeTimeFormatUnit;
const steps: [Unit, number][] = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', Number.POSITIVE_INFINITY],
];

export function relativeTime(time: string, language: string, nowMs: number): string {
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  let left = (new Date(time).getTime() - nowMs) / 1000;
  for (const [unit, size] of steps) {
    if (Math.abs(left) < size) return format.format(Math.trunc(left), unit);
    left /= size;
  }
  return format.format(Math.trunc(left), 'year');
}

export function daysUntil(time: string, nowMs: number): number {
  return Math.floor((new Date(time).getTime() - nowMs) / 86_400_000);
}

export function duration(seconds: number, language: string): string {
  const unit = seconds >= 86_400 ? 'day' : seconds >= 3600 ? 'hour' : seconds >= 60 ? 'minute' : 'second';
  const size = { day: 86_400, hour: 3600, minute: 60, second: 1 }[unit];
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit,
    unitDisplay: 'long',
    maximumFractionDigits: 1,
  }).format(seconds / size);
}

// 'AB:CD:...' of a fingerprint in hexadecimal digits.
export function fingerprint(hex: string): string {
  return (
    hex
      .replaceAll(':', '')
      .toUpperCase()
      .match(/.{1,2}/g) ?? []
  ).join(':');
}
