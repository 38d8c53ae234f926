// Addresses behind '#': "#/products/a1lamp/devices/kitchen?tab=log". Nothing of the server depends on them, so the
// pages work below any address and behind any proxy.
import { signal } from '@preact/signals';

export interface Place {
  path: string[]; // decoded segments
  query: URLSearchParams;
}

export function parsePlace(hash: string): Place {
  const text = hash.replace(/^#?\/?/, '');
  const mark = text.indexOf('?');
  const path = mark < 0 ? text : text.slice(0, mark);
  return {
    path: path.split('/').filter(Boolean).map(decoded),
    query: new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1)),
  };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // typed by hand
  }
}

// to('products', pk) or to('devices', { q: 'lamp' }); empty values of the query are left out.
export function to(...parts: (string | Record<string, string | undefined>)[]): string {
  const query = new URLSearchParams();
  const path: string[] = [];
  for (const part of parts) {
    if (typeof part === 'string') path.push(encodeURIComponent(part));
    else for (const [name, value] of Object.entries(part)) if (value) query.set(name, value);
  }
  const text = query.toString();
  return `#/${path.join('/')}${text ? `?${text}` : ''}`;
}

// The named segments of a path that fits, such as 'products/:pk'; null if it does not.
export function matchPath(pattern: string, path: string[]): Record<string, string> | null {
  const wanted = pattern.split('/').filter(Boolean);
  if (wanted.length !== path.length) return null;
  const found: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const given = path[index] ?? '';
    if (segment.startsWith(':')) found[segment.slice(1)] = given;
    else if (segment !== given) return null;
  }
  return found;
}

const hash = () => (typeof location === 'undefined' ? '' : location.hash);
export const place = signal<Place>(parsePlace(hash()));

export function go(address: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'replace') history.replaceState(null, '', address);
  else history.pushState(null, '', address);
  place.value = parsePlace(hash());
}

export function followAddress(): void {
  window.addEventListener('hashchange', () => (place.value = parsePlace(hash())));
  window.addEventListener('popstate', () => (place.value = parsePlace(hash())));
}
