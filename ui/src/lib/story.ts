/** Of one saga: who did what, and the attempt at which it fails. Pure. */

import { type Attempt, type Intervention, type OrderSaga, type Step } from '../timeline/model';
import { moment } from '../timeline/words';

const GROUP = 'ordersaga.io/';
const CONFIRM_DELETION = `${GROUP}confirm-deletion`;

/** `at`: milliseconds, undefined if it isn't recorded. `who`: "" if nobody is named. */
export interface Deed { at: number | undefined; who: string; what: string; why: string }

/** Oldest first. What has no time comes before the end, which it was asked before; what nobody has read yet comes last. */
export function deedsOf(saga: OrderSaga): Deed[] {
  const { metadata = {}, spec = {}, status = {} } = saga;
  const deeds: Deed[] = [{ at: moment(metadata.creationTimestamp), who: '', what: 'placed', why: '' }];
  const add = (at: unknown, who = '', what = '', why = ''): void => { deeds.push({ at: moment(at), who, what, why }); };
  if (spec.state === 'Suspended') add(status.suspendedAt, spec.requestedBy, 'suspended it');
  else if (spec.state === 'Cancelled') add(undefined, spec.requestedBy, status.failure?.reason === 'Cancelled' ? 'cancelled it' : 'cancelled it, which came too late');
  else if (spec.requestedBy) add(undefined, spec.requestedBy, 'resumed it');
  const [asked, read] = [spec.intervention, status.intervention];
  if (read) {
    const became = read.reason && read.reason !== 'Intervened' ? `: ${read.reason}` : '';
    add(read.time, read.by, `${whatOf(read)}${became}`, asked?.id === read.id ? asked?.reason : '');
  }
  if (metadata.deletionTimestamp) add(metadata.deletionTimestamp, 'somebody', 'deleted it', metadata.annotations?.[CONFIRM_DELETION]);
  if (status.completionTime) add(status.completionTime, 'the operator', status.phase === 'Completed' ? 'completed it' : 'rolled it back');
  const end = moment(status.completionTime) ?? Infinity;
  deeds.sort((one, other) => (one.at ?? end) - (other.at ?? end) || Number(one.at !== undefined) - Number(other.at !== undefined));
  if (asked && asked.id !== read?.id) add(undefined, asked.by, `${whatOf(asked)}, which the operator has not read yet`, asked.reason);
  return deeds;
}

const whatOf = ({ action = '', step = '' }: Intervention): string => `${action} ${step}`.trim();

/** What our programs noted on the resource; a deletion's reason is a deed. */
export const notesOf = (saga: OrderSaga): [string, string][] =>
  Object.entries(saga.metadata?.annotations ?? {})
    .filter(([name]) => name.startsWith(GROUP) && name !== CONFIRM_DELETION)
    .map(([name, text]) => [name.slice(GROUP.length), text]);

/** The call at which it fails: `attempt` is the last failed one that is recorded, `number` its number of all. `held`: why no
 *  further call is made now, which says nothing about that attempt. */
export interface Failing {
  step: string; isUndo: boolean; number: number; attempt: Attempt | undefined; reason: string; message: string; held: string; key: string;
  externalID: string;
}

export function failingOf(saga: OrderSaga): Failing | undefined {
  const { steps = [], currentStep, failure, phase } = saga.status ?? {};
  const current = steps.find((step) => step.name === currentStep);
  const stuck = steps.find((step) => step.state === 'CompensationFailed');
  if (stuck) return failing(saga, stuck, true);
  if (current?.compensation?.reason && !current.compensation.completionTime) return failing(saga, current, true);
  if (failure) {
    const step = steps.find(({ name, reason }) => name === failure.step && reason);
    return step && failing(saga, step, false);
  }
  const refused = phase === 'Completed' ? steps.find(({ state }) => state === 'Refused') : current;
  return refused?.reason ? failing(saga, refused, false) : undefined;
}

/** A call that is held back, or under way, has not failed. */
const HELD = ['WaitingForDownstream', 'ParticipantPaused', 'InProgress'];
const NO_FAILURE = ['Succeeded', 'Undone', 'InProgress'];

function failing(saga: OrderSaga, step: Step, isUndo: boolean): Failing | undefined {
  const call = (isUndo ? step.compensation : step) ?? {};
  const tries = (step.history ?? []).filter(({ operation }) => (operation === 'undo') === isUndo);
  const isHeld = HELD.includes(call.reason ?? '');
  // what the step says of itself is about the waiting then, so the attempt is told by the history alone
  const attempt = isHeld ? tries.findLast(({ outcome }) => !NO_FAILURE.includes(outcome ?? '')) : tries.at(-1);
  if (isHeld && !attempt) return undefined;
  const { namespace = '', name = '' } = saga.metadata ?? {};
  return {
    step: step.name, isUndo, number: call.attempts || tries.length, attempt, reason: (isHeld ? attempt?.reason : call.reason) ?? '',
    message: isHeld ? '' : (call.message ?? ''), held: isHeld ? [call.reason, call.message].filter(Boolean).join(': ') : '', key: `${namespace}/${name}/${step.name}/${isUndo ? 'undo' : 'do'}`, externalID: step.externalID ?? '',
  };
}
