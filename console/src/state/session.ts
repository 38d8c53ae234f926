// Who is signed in.
import { computed, signal } from '@preact/signals';
import { ApiFailure, api, ask, setCsrfToken, whenSessionEnds, type Role, type Session } from '../api/client';

// undefined: not known yet; null: nobody.
export const session = signal<Session | null | undefined>(undefined);
export const serverUnreachable = signal(false);
export const sessionEnded = signal(false); // signed out by the server, not by the user

const rank: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 };

export const role = computed<Role>(() => session.value?.role ?? 'viewer');
export function may(least: Role): boolean {
  return rank[role.value] >= rank[least];
}

function accept(found: Session): void {
  setCsrfToken(found.csrfToken);
  sessionEnded.value = false;
  serverUnreachable.value = false;
  session.value = found;
}

export async function findSession(): Promise<void> {
  try {
    accept(await ask(api.GET('/session')));
  } catch (error) {
    serverUnreachable.value = error instanceof ApiFailure && error.code === 'offline';
    session.value = null;
  }
}

export async function signIn(user: string, password: string): Promise<void> {
  accept(await ask(api.POST('/session', { body: { user, password } })));
}

export async function changePassword(current: string, next: string): Promise<void> {
  accept(await ask(api.POST('/session/password', { body: { current, new: next } })));
}

export async function signOut(): Promise<void> {
  await ask(api.DELETE('/session'));
  session.value = null;
}

whenSessionEnds(() => {
  if (!session.value) return;
  sessionEnded.value = true;
  session.value = null;
});
