// What differs between two versions of a thing, for the audit page and for those who edit at the same time.

export interface Difference {
  name: string;
  before: string | undefined;
  after: string | undefined;
}

type Thing = Record<string, unknown>;

function shown(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(', ');
  return JSON.stringify(value);
}

export function differences(before: Thing | null, after: Thing | null, leaveOut: readonly string[] = []): Difference[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...names]
    .filter((name) => !leaveOut.includes(name))
    .map((name) => ({ name, before: shown(before?.[name]), after: shown(after?.[name]) }))
    .filter((one) => one.before !== one.after);
}
