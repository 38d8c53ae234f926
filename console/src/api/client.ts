// The one way to the admin API. Its types are made from the server's own description, so that a call that does not fit
// does not compile.
import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from './schema';

type Schemas = components['schemas'];
export type Account = Schemas['Account'];
export type AuditEntry = Schemas['AuditEntry'];
export type Authority = Schemas['Authority'];
export type Configuration = Schemas['Configuration'];
export type ConnectParameters = Schemas['ConnectParameters'];
export type Device = Schemas['Device'];
export type Doctor = Schemas['Doctor'];
export type Flight = Schemas['Flight'];
export type FlightPacket = Schemas['FlightPacket'];
export type ImportReport = Schemas['ImportReport'];
export type LogEntry = Schemas['LogEntry'];
export type MqttSession = Schemas['MqttSession'];
export type NewTicket = Schemas['NewTicket'];
export type Product = Schemas['Product'];
export type ProductChange = Schemas['ProductChange'];
export type Sample = Schemas['Sample'];
export type ServerCertificate = Schemas['ServerCertificate'];
export type ServerCertificates = Schemas['ServerCertificates'];
export type Server = Schemas['Server'];
export type Session = Schemas['Session'];
export type StatusEvent = Schemas['StatusEvent'];
export type Ticket = Schemas['Ticket'];
export type Token = Schemas['Token'];
export type User = Schemas['User'];
export type Role = Session['role'];
export type DeviceStatus = Device['status'];
export type Transport = ConnectParameters['transport'];

export const apiAddress = '/api/v1';

// Why a request failed. `code` is stable; 'offline' means that there was no answer at all.
export class ApiFailure extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

let csrfToken = '';
let onSessionEnded = () => {};

export function setCsrfToken(token: string): void {
  csrfToken = token;
}

export function whenSessionEnds(handler: () => void): void {
  onSessionEnded = handler;
}

const guard: Middleware = {
  onRequest({ request }) {
    if (request.method !== 'GET') request.headers.set('X-CSRF-Token', csrfToken);
    return request;
  },
};

export const api = createClient<paths>({ baseUrl: apiAddress, credentials: 'same-origin' });
api.use(guard);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

// The answer's data, or an ApiFailure.
export async function ask<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiFailure(0, 'offline', '');
  }
  if (answer.response.ok) return answer.data as T;
  throw failure(answer.response.status, answer.error);
}

export function failure(status: number, body: unknown): ApiFailure {
  const told = (body as { error?: { code?: unknown; message?: unknown } } | undefined)?.error;
  const code = typeof told?.code === 'string' ? told.code : 'unexpected';
  if (status === 401) onSessionEnded();
  return new ApiFailure(status, code, typeof told?.message === 'string' ? told.message : '');
}
