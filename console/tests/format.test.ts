import { describe, expect, it } from 'vitest';
import { bytesOfHex, csvField } from '../src/lib/download';
import { differences } from '../src/lib/difference';
import { bytes, daysUntil, duration, fingerprint, logTime, number, relativeTime } from '../src/lib/format';

const now = Date.parse('2026-11-30T12:00:00Z');
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();

describe('numbers', () => {
  it('are short', () => {
    expect(number(1234567, 'en')).toBe('1,234,567');
    expect(number(3.14159, 'en')).toBe('3.1');
    expect(number(31.4159, 'en')).toBe('31');
  });

  it('of bytes have binary units', () => {
    expect(bytes(0, 'en')).toBe('0 B');
    expect(bytes(1536, 'en')).toBe('1.5 KiB');
    expect(bytes(100 * 1024 * 1024, 'en')).toBe('100 MiB');
  });
});

describe('times', () => {
  it('are told from now', () => {
    expect(relativeTime(ago(0), 'en', now)).toBe('now');
    expect(relativeTime(ago(59), 'en', now)).toBe('59 seconds ago');
    expect(relativeTime(ago(3 * 3600), 'en', now)).toBe('3 hours ago');
    expect(relativeTime(ago(-2 * 86400), 'en', now)).toBe('in 2 days');
    expect(relativeTime(ago(800 * 86400), 'en', now)).toBe('2 years ago');
    expect(relativeTime(ago(60), 'zh', now)).toBe('1分钟前');
  });

  it('of a log show thousandths', () => {
    expect(logTime('2026-11-30T12:00:00.123Z', 'en', now)).toMatch(/:00\.123$/);
    expect(logTime('2026-11-01T12:00:00.123Z', 'en', now)).toMatch(/11\/01/);
  });

  it('count whole days', () => {
    expect(daysUntil(ago(-86400 * 2.5), now)).toBe(2);
    expect(daysUntil(ago(60), now)).toBe(-1);
    expect(duration(90, 'en')).toBe('1.5 minutes');
    expect(duration(86400, 'en')).toBe('1 day');
  });
});

describe('texts for elsewhere', () => {
  it('have fingerprints in pairs', () => {
    expect(fingerprint('a3f1')).toBe('A3:F1');
    expect(fingerprint('A3:F1:00')).toBe('A3:F1:00');
  });

  it('are no formulas for a spreadsheet', () => {
    expect(csvField('=HYPERLINK("x")')).toBe('"\t=HYPERLINK(""x"")"');
    expect(csvField('a,b')).toBe('"a,b"');
    expect(csvField('plain')).toBe('plain');
  });

  it('become bytes again', () => {
    expect([...bytesOfHex('0a0dff')]).toEqual([10, 13, 255]);
  });
});

describe('differences', () => {
  it('are those of the named things alone', () => {
    const found = differences({ name: 'a', version: 1, list: ['x'] }, { name: 'b', version: 2, list: ['x', 'y'] }, [
      'version',
    ]);
    expect(found).toEqual([
      { name: 'name', before: 'a', after: 'b' },
      { name: 'list', before: 'x', after: 'x, y' },
    ]);
    expect(differences(null, { name: 'b' })).toEqual([{ name: 'name', before: undefined, after: 'b' }]);
  });
});
