/** What the server says (saga/ui/app.py), and how it is asked. Paths are relative: the page lies under a secret token. */

import type { OrderSaga } from '../timeline/model';

export interface Context {
  server: string; namespace: string; user: string; may: { patch: boolean }; version: string;
  steps: string[]; pivot: string; links: { name: string; url: string }[];
  /** Of the proxy in a cluster, where one signs in again; the page's own address is put behind it. Empty: there is none. */
  sign_in: string;
}
export interface Row {
  name: string; customer: string; total: string; phase: string; step: string; done: string; created: string;
  reason: string; trouble: string; needs_person: boolean; sentence: string;
}
export interface Group {
  trouble: string; step: string; number: number; oldest: string; needs_person: boolean; example: string;
}
/** One of the services; `state`: up, down, paused, or unknown before its first call. `waiting`: sagas that wait for it now. */
export interface Participant { name: string; state: string; since: string | null; reason: string; message: string; waiting: number }
/** Whether an operator works; `works`: null if the viewer may not know. `since`: when the last one did. */
export interface Operator { works: boolean | null; since?: string | null; why?: string; to_do?: string }
/** `complete`: false as long as the server is still reading the sagas of a large namespace. */
export interface Liveness { live: boolean; since?: string | null; why?: string; complete?: boolean }
export interface List extends Liveness {
  items: Row[]; total: number; totals: Record<string, number>; needing: number; groups: Group[]; participants?: Participant[]; operator?: Operator; now: string;
}
export interface Sentence { state: string; why: string; itself: string; person: string; needs_person: boolean }
export interface Action {
  name: string; steps: string[]; default_step: string | null; says: string; needs_reason: boolean;
}
/** `item`, `sentence` and `row` are null if it could not be read; then `trouble` says why.
 *  With both it is what was known at `as_of`. */
export interface Saga {
  item: OrderSaga | null; sentence: Sentence | null; row: Row | null; now: string; actions: Action[]; trouble?: string; as_of?: string;
  /** The id of its trace, or empty. */
  trace?: string;
}
export interface Asked {
  action: string; orders?: string[]; filter?: Record<string, string>; step: string | null; reason: string;
  dry_run: boolean; count?: number;
}
export interface Outcome { results: { name: string; ok: boolean; says: string }[]; left: { name: string; why: string }[] }

/** The server's own words why it did not do it. */
export class Problem extends Error {
  constructor(message: string, readonly status: number, readonly signIn = '') { super(message); }
}

/** As the server says it of a stream that it ends: what one might see no more. */
export interface Over { status: number; why: string }
export const SIGNED_OUT = 401;

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return answered<T>(fetch(`./api/${path}`, signal ? { signal } : {}));
}

export async function act(asked: Asked): Promise<Outcome> {
  const headers = { 'Content-Type': 'application/json' };
  return answered<Outcome>(fetch('./api/actions', { method: 'POST', headers, body: JSON.stringify(asked) }));
}

async function answered<T>(call: Promise<Response>): Promise<T> {
  let answer: Response;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Problem('the server of this page does not answer: it may have been ended', 0);
  }
  const body: unknown = await answer.json().catch(() => undefined);
  const signIn = (body as { sign_in?: string } | undefined)?.sign_in;
  // a proxy may answer itself, with a page of its own where one signs in
  const isProxys = answer.status === 403 && body === undefined;
  if (answer.status === SIGNED_OUT || isProxys) throw new Problem(detailOf(body) ?? 'you are signed out', SIGNED_OUT, signIn);
  if (!answer.ok) throw new Problem(detailOf(body) ?? `the server answers ${answer.status}`, answer.status);
  return body as T;
}

/** `detail` of a problem, or of each field that the server found wrong. */
function detailOf(body: unknown): string | undefined {
  const detail = (body as { detail?: unknown } | undefined)?.detail;
  if (Array.isArray(detail)) return detail.map((each) => String((each as { msg?: unknown }).msg ?? each)).join('; ');
  return typeof detail === 'string' ? detail : undefined;
}
