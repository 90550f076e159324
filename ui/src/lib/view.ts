/** What is seen, as the page's URL says it: which sagas, in which order, and which one is open. Pure. */

import { STEPS } from '../timeline/model';

export const PHASES = ['Failed', 'Compensating', 'Suspended', 'Pending', 'Running', 'Compensated', 'Completed'] as const;
export const FINISHED: readonly string[] = ['Compensated', 'Completed'];
export const SORTS = ['phase', 'age', 'name', 'customer', 'step', 'reason'] as const;
export const LIMIT = 100; // rows that the server sends at a time: more than fits on any screen

/** Lists are without order. Times as in `kubectl saga list`: 30s, 5m, 2h, 1d. */
export interface View {
  phase: string[]; step: string[]; reason: string[]; customer: string; q: string; older: string; newer: string;
  needs_person: boolean; finished: boolean; sort: string; reverse: boolean; skip: number; saga: string;
}

export const EMPTY: Readonly<View> = {
  phase: [], step: [], reason: [], customer: '', q: '', older: '', newer: '',
  needs_person: false, finished: false, sort: 'phase', reverse: false, skip: 0, saga: '',
};

const LISTS = ['phase', 'step', 'reason'] as const;
const TEXTS = ['customer', 'q', 'older', 'newer'] as const;
const FLAGS = ['needs_person', 'finished'] as const;
const TIME = /^(\d+(\.\d+)?(s|m|min|h|d|w))+$/;

/** Of `location.search` and `location.hash`: `#/o-1042` opens a saga, too. What makes no sense is left out. */
export function viewOf(search: string, hash = ''): View {
  const found = new URLSearchParams(search);
  const view: View = { ...EMPTY, phase: [], step: [], reason: [] };
  for (const key of LISTS) view[key] = found.getAll(key).flatMap((text) => text.split(',')).filter(Boolean);
  view.phase = view.phase.filter((phase) => (PHASES as readonly string[]).includes(phase));
  view.step = view.step.filter((step) => STEPS.includes(step));
  for (const key of TEXTS) view[key] = found.get(key) ?? '';
  if (!isTime(view.older)) view.older = '';
  if (!isTime(view.newer)) view.newer = '';
  for (const key of FLAGS) view[key] = isOn(found.get(key));
  const sort = found.get('sort') ?? '';
  view.sort = (SORTS as readonly string[]).includes(sort) ? sort : EMPTY.sort;
  view.reverse = isOn(found.get('reverse'));
  view.skip = Math.max(0, Math.floor(Number(found.get('skip')) || 0));
  view.saga = found.get('saga') ?? decode(/^#\/(.+)$/.exec(hash)?.[1] ?? '');
  return view;
}

export const isTime = (text: string): boolean => text === '' || TIME.test(text);

/** Which sagas are meant, and nothing else: what an action on many takes. */
export function filterOf(view: View): Record<string, string> {
  const filter: Record<string, string> = {};
  for (const key of LISTS) if (view[key].length) filter[key] = view[key].join(',');
  for (const key of TEXTS) if (view[key]) filter[key] = view[key];
  for (const key of FLAGS) if (view[key]) filter[key] = '1';
  return filter;
}

/** What the page's URL says: nothing that goes without saying. */
export function searchOf(view: View): string {
  const said = { ...filterOf(view), ...orderOf(view), ...(view.saga ? { saga: view.saga } : {}) };
  const text = new URLSearchParams(said).toString().replaceAll('%2C', ',');
  return text ? `?${text}` : '';
}

/** What the server is asked for. */
export const askedOf = (view: View): string =>
  new URLSearchParams({ ...filterOf(view), ...orderOf(view), limit: String(LIMIT) }).toString();

function orderOf(view: View): Record<string, string> {
  const order: Record<string, string> = {};
  if (view.sort !== EMPTY.sort) order['sort'] = view.sort;
  if (view.reverse) order['reverse'] = '1';
  if (view.skip) order['skip'] = String(view.skip);
  return order;
}

/** Whether those that have ended are meant, too: the older ones of them are in the archive only. */
export const hasFinished = (view: View): boolean => view.finished || view.phase.some((phase) => FINISHED.includes(phase));

/** Whether every open saga is meant. */
export const isEverything = (view: View): boolean => Object.keys(filterOf(view)).length === 0;

/** The same without or with this value. A filter that changes begins on its first page. */
export function toggled(view: View, key: 'phase' | 'step' | 'reason', value: string): View {
  const has = view[key].includes(value);
  return { ...view, skip: 0, [key]: has ? view[key].filter((each) => each !== value) : [...view[key], value] };
}

/** Those of a group of trouble: its word is one for the filter of reasons. */
export const viewOfGroup = (view: View, trouble: string, step: string): View =>
  ({ ...view, skip: 0, saga: '', step: step ? [step] : view.step, reason: [trouble] });

const isOn = (text: string | null): boolean => text !== null && !['', '0', 'false'].includes(text);

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
