// All texts, in two dictionaries with the same keys. English is always there, Chinese is fetched when it is wanted.
import { computed, signal } from '@preact/signals';
import type { LogEntry } from '../api/client';
import { store, type Language } from '../state/preferences';
import { en } from './en';

export type TextKey = keyof typeof en;
export type Dictionary = Record<TextKey, string>;
export type Values = Record<string, string | number>;

export const language = signal<Language>('en');
// For numbers and times: the browser's own kind of the language, such as en-GB.
export const locale = computed(() => localeOf(language.value, globalThis.navigator?.languages ?? []));
const dictionary = signal<Dictionary>(en);
const causes = signal<Causes>({});

export async function loadLanguage(wanted: Language): Promise<void> {
  if (wanted === 'zh') {
    const [texts, found] = await Promise.all([import('./zh'), import('./zh-causes')]);
    dictionary.value = texts.zh;
    causes.value = found.zhCauses;
  } else {
    dictionary.value = en;
    causes.value = {};
  }
  language.value = wanted;
  document.documentElement.lang = wanted === 'zh' ? 'zh-CN' : 'en';
}

export async function chooseLanguage(wanted: Language): Promise<void> {
  await loadLanguage(wanted);
  store('mooring.language', wanted);
}

export function localeOf(wanted: Language, browser: readonly string[]): string {
  return browser.find((tag) => tag.toLowerCase().split('-')[0] === wanted) ?? (wanted === 'zh' ? 'zh-CN' : 'en');
}

export function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export function t(key: TextKey, values?: Values): string {
  const text = dictionary.value[key];
  return values ? fill(text, values) : text;
}

// For keys that are put together from what the server says; `otherwise` when there is no such text.
export function textOr(key: string, otherwise: string): string {
  return (dictionary.value as Record<string, string>)[key] ?? otherwise;
}

// A counted thing: 'x.one' for one in English, 'x.other' otherwise.
type Counted<K> = K extends `${infer Stem}.one` ? Stem : never;
export function counted(stem: Counted<TextKey>, count: number): string {
  const key = `${stem}.${count === 1 ? 'one' : 'other'}` as TextKey;
  return t(key, { count: new Intl.NumberFormat(locale.value).format(count) });
}

// The server tells every cause in English and by a stable name. Other languages have their own words for the names:
// what it is called, and what helps.
export type Causes = Record<string, readonly [text: string, advice?: string]>;

export function causeName(name: string): string {
  return causes.value[name]?.[0].replace(/。$/, '') ?? name.replaceAll('-', ' ');
}

export function causeText(entry: LogEntry): string {
  return causes.value[entry.name]?.[0] ?? (entry.reason || causeName(entry.name));
}

export interface Verdict {
  text: string;
  advice: string;
  original: string; // the server's own, more exact words where they were translated
}

// Several mistakes make one diagnosis; their names are joined by '+'.
export function diagnosisOf(entry: LogEntry): Verdict {
  const { diagnosis } = entry;
  if (!diagnosis?.name) return { text: causeText(entry), advice: causes.value[entry.name]?.[1] ?? '', original: '' };
  const known = diagnosis.name.split('+').map((name) => causes.value[name]);
  if (known.some((one) => one === undefined)) return { ...diagnosis, original: '' };
  return {
    text: known.map((one) => one?.[0]).join(''),
    advice: known.map((one) => one?.[1] ?? '').join(''),
    original: diagnosis.text,
  };
}
