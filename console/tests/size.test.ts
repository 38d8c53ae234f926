// What a browser has to fetch before it shows a page, as the server sends it. Looks at what `npm run build` made.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';

interface Chunk {
  file: string;
  isEntry?: boolean;
  imports?: string[];
  dynamicImports?: string[];
  css?: string[];
}

const dist = new URL('../dist/', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, dist));
const manifest = JSON.parse(read('.manifest.json').toString()) as Record<string, Chunk>;

function filesOf(name: string, found = new Set<string>()): Set<string> {
  const chunk = manifest[name];
  if (!chunk) throw new Error(`the build has no ${name}`);
  if (found.has(chunk.file)) return found;
  for (const file of [chunk.file, ...(chunk.css ?? [])]) found.add(file);
  for (const one of chunk.imports ?? []) filesOf(one, found);
  return found;
}

function kilobytes(...names: string[]): number {
  const files = new Set(['index.html', ...names.flatMap((name) => [...filesOf(name)])]);
  return [...files].reduce((sum, file) => sum + gzipSync(read(file)).length, 0) / 1000;
}

describe('what is fetched', () => {
  it('for the overview is at most 60 kB', () => {
    expect(kilobytes('index.html', 'src/pages/overview.tsx')).toBeLessThan(60);
  });

  it('for any other page in another language is at most 70 kB', () => {
    const pages = Object.keys(manifest).filter((name) => name.startsWith('src/pages/'));
    expect(pages.length).toBeGreaterThan(8);
    for (const page of pages) {
      expect(kilobytes('index.html', page, 'src/i18n/zh.ts', 'src/i18n/zh-causes.ts'), page).toBeLessThan(70);
    }
  });

  it('brings the large libraries only where they are used', () => {
    const pages = Object.keys(manifest).filter((name) => /^(index.html|src\/pages\/)/.test(name));
    for (const page of pages) {
      for (const file of filesOf(page)) expect(file, page).not.toMatch(/plot-canvas|mqtt-client/);
    }
  });
});
