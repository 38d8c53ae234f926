import { describe, expect, it } from 'vitest';
import { back, cursorOf, firstPage, forward, loaded, pageNumber } from '../src/lib/paging';

describe('pages by cursor', () => {
  it('go forward only when the next cursor is known', () => {
    expect(forward(firstPage)).toBe(firstPage);
    const second = forward(loaded(firstPage, 'c2'));
    expect(cursorOf(second)).toBe('c2');
    expect(pageNumber(second)).toBe(2);
    expect(second.next).toBeUndefined();
  });

  it('find the way back', () => {
    const third = forward(loaded(forward(loaded(firstPage, 'c2')), 'c3'));
    expect(cursorOf(back(third))).toBe('c2');
    expect(cursorOf(back(back(third)))).toBe('');
    expect(back(firstPage)).toBe(firstPage);
  });

  it('end on the last page', () => {
    const last = loaded(forward(loaded(firstPage, 'c2')), undefined);
    expect(forward(last)).toBe(last);
  });
});
