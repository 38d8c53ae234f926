import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { diagnosisOf, fill, loadLanguage, localeOf, t, type Dictionary } from '../src/i18n';
import { en } from '../src/i18n/en';
import { zh } from '../src/i18n/zh';
import { zhCauses } from '../src/i18n/zh-causes';
import { preferredLanguage } from '../src/state/preferences';
import type { LogEntry } from '../src/api/client';

const values = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'i18n' ? [] : sources(path);
    return /\.tsx?$/.test(entry.name) && entry.name !== 'schema.d.ts' ? [readFileSync(path, 'utf-8')] : [];
  });
}

const entry = (part: Partial<LogEntry>): LogEntry => ({
  id: 1,
  productKey: 'pk',
  deviceName: 'dn',
  time: null,
  lastTime: null,
  count: 1,
  action: 'refused',
  code: 0,
  name: 'wrong-signature',
  reason: 'The signature is wrong.',
  subject: '',
  transport: '',
  address: '',
  facts: '',
  ...part,
});

describe('the dictionaries', () => {
  it('have the same keys', () => {
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
  });

  it('fill in the same words', () => {
    const keys = Object.keys(en) as (keyof Dictionary)[];
    expect(keys.filter((key) => values(zh[key]).join() !== values(en[key]).join())).toEqual([]);
  });

  it('have a word for every action of the device log', () => {
    const code = readFileSync(new URL('../../src/journal/device_log.cc', import.meta.url), 'utf-8');
    const actions = [...code.matchAll(/\{Action::\w+, "([a-z-]+)"\}/g)].map(([, word]) => word as string);
    expect(actions.length).toBeGreaterThan(14);
    expect(actions.filter((word) => !(`log.action.${word}` in en))).toEqual([]);
  });

  it('are in their languages', () => {
    const spelled = new Set(['DeviceName', 'SDK', 'URL']);
    const untranslated = Object.entries(zh).filter(([, text]) => !/\p{Script=Han}/u.test(text) && !spelled.has(text));
    expect(untranslated.map(([key]) => key)).toEqual(['failure.told']);
    expect(Object.values(en).filter((text) => /\p{Script=Han}/u.test(text))).toEqual([]);
  });

  it('hold no text that nobody shows', () => {
    const code = sources(new URL('../src', import.meta.url).pathname).join('\n');
    const parts = [...code.matchAll(/`([\w-]+(?:\.[\w-]+)*\.)\$\{/g)].map(([, stem]) => stem as string);
    const stems = [...code.matchAll(/`(\w+\.)\$\{[^`]*\}/g)].map(([, stem]) => stem as string);
    const used = (key: string) =>
      code.includes(`'${key}'`) ||
      code.includes(`'${key.replace(/\.(one|other)$/, '')}'`) ||
      [...parts, ...stems].some((stem) => key.startsWith(stem));
    expect(Object.keys(en).filter((key) => !used(key))).toEqual([]);
  });
});

describe('texts', () => {
  it('take values as they are', () => {
    expect(fill('Delete {name}', { name: '$& {name} <b>' })).toBe('Delete $& {name} <b>');
    expect(fill('{unknown}', {})).toBe('{unknown}');
  });

  it('follow the language', async () => {
    await loadLanguage('zh').catch(() => undefined);
    expect(t('nav.devices')).toBe('设备');
    await loadLanguage('en').catch(() => undefined);
    expect(t('nav.devices')).toBe('Devices');
  });

  it('begin in the language of the browser, unless somebody chose', () => {
    expect(preferredLanguage(null, ['de', 'zh-TW', 'en'])).toBe('zh');
    expect(preferredLanguage('en', ['zh-CN'])).toBe('en');
    expect(preferredLanguage('xx', ['fr'])).toBe('en');
    expect(localeOf('en', ['de', 'en-GB'])).toBe('en-GB');
    expect(localeOf('zh', ['en'])).toBe('zh-CN');
  });
});

describe('causes', () => {
  it('are the server’s own words in English', () => {
    const told = entry({ diagnosis: { name: 'secret-cut', text: 'The last character is missing.', advice: 'Check.' } });
    expect(diagnosisOf(told)).toEqual({ ...told.diagnosis, original: '' });
    expect(diagnosisOf(entry({})).text).toBe('The signature is wrong.');
  });

  it('are translated by their names, several at a time', async () => {
    await loadLanguage('zh').catch(() => undefined);
    const name = 'secret-cut+securemode-mismatch';
    const found = diagnosisOf(entry({ diagnosis: { name, text: 'English words', advice: 'More' } }));
    expect(found.text).toContain('密钥');
    expect(found.text).toContain('securemode');
    expect(found.original).toBe('English words');
    const unknown = diagnosisOf(entry({ diagnosis: { name: 'never-heard', text: 'English words', advice: 'More' } }));
    expect(unknown.text).toBe('English words');
    await loadLanguage('en').catch(() => undefined);
  });

  it('have Chinese words for everything the doctor may find', () => {
    const folder = new URL('../../src/doctor', import.meta.url).pathname;
    const code = readdirSync(folder)
      .filter((name) => name.endsWith('.cc'))
      .map((name) => readFileSync(`${folder}/${name}`, 'utf-8'))
      .join('\n');
    const names = [
      ...code.matchAll(
        /(?:\{|Row\{|Mistake\{|note\(\{|add\([^"]*, )"([a-z0-9]+(?:-[a-z0-9]+)+)",\s*(?:"|fmt::format)/g,
      ),
    ].map(([, name]) => name as string);
    expect(names.length).toBeGreaterThan(60);
    expect([...new Set(names)].filter((name) => !zhCauses[name])).toEqual([]);
  });
});
