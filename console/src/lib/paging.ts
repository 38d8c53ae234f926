// Pages by cursor: the way back is the cursors that led here.

export interface Paging {
  cursors: string[]; // of the pages before and this one; '' is the first
  next: string | undefined; // known once the page is there
}

export const firstPage: Paging = { cursors: [''], next: undefined };

export function cursorOf(paging: Paging): string {
  return paging.cursors[paging.cursors.length - 1] ?? '';
}

export function loaded(paging: Paging, next: string | undefined): Paging {
  return { ...paging, next };
}

export function forward(paging: Paging): Paging {
  return paging.next === undefined ? paging : { cursors: [...paging.cursors, paging.next], next: undefined };
}

export function back(paging: Paging): Paging {
  return paging.cursors.length === 1 ? paging : { cursors: paging.cursors.slice(0, -1), next: undefined };
}

export function pageNumber(paging: Paging): number {
  return paging.cursors.length;
}
