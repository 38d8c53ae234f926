import { describe, expect, it } from 'vitest';
import { matchPath, parsePlace, to } from '../src/lib/router';

describe('addresses', () => {
  it('carry any name there and back', () => {
    for (const name of ['kitchen', 'a/b', '<script>', "'; DROP TABLE", 'שלום', '100%', 'q?x=1', 'a b', '电表']) {
      const place = parsePlace(to('products', 'pk', 'devices', name, { tab: 'log' }));
      expect(place.path).toEqual(['products', 'pk', 'devices', name]);
      expect(place.query.get('tab')).toBe('log');
    }
  });

  it('leave out empty values', () => {
    expect(to('devices', { q: '', status: undefined, product: 'pk' })).toBe('#/devices?product=pk');
  });

  it('survive what somebody typed', () => {
    expect(parsePlace('#/products/%E0%A4%A').path).toEqual(['products', '%E0%A4%A']);
    expect(parsePlace('').path).toEqual([]);
  });

  it('fit patterns segment by segment', () => {
    expect(matchPath('products/:pk/devices/:dn', ['products', 'p', 'devices', 'd'])).toEqual({ pk: 'p', dn: 'd' });
    expect(matchPath('products/:pk', ['products', 'p', 'devices'])).toBeNull();
    expect(matchPath('devices/import', ['devices', 'export'])).toBeNull();
    expect(matchPath('', [])).toEqual({});
  });
});
