// What somebody chose for this browser: language and theme.
import { signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';
export type Language = 'en' | 'zh';

function stored(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage may be forbidden
  }
}

export function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // then the choice lasts as long as the page
  }
}

export function preferredLanguage(wanted: string | null, browser: readonly string[]): Language {
  if (wanted === 'en' || wanted === 'zh') return wanted;
  const first = browser.find((tag) => /^(en|zh)\b/i.test(tag));
  return first?.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

function storedTheme(): Theme {
  const found = stored('mooring.theme');
  return found === 'light' || found === 'dark' ? found : 'auto';
}

export const theme = signal<Theme>(storedTheme());

export function applyTheme(): void {
  if (theme.value === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
}

export function chooseTheme(wanted: Theme): void {
  theme.value = wanted;
  store('mooring.theme', wanted);
  applyTheme();
}

export function startLanguage(): Language {
  return preferredLanguage(stored('mooring.language'), navigator.languages);
}
