/** What <saga-timeline> draws of an OrderSaga: for each step a mark, its attempts and its times, both ways. Pure.
 *  The rules are those of `kubectl saga show` (saga/timeline.py): the page and the terminal show the same signs. */

import { moment } from './words';

export interface Attempt { time?: string; operation?: string; outcome?: string; milliseconds?: number; reason?: string }
export interface Call { attempts?: number; startTime?: string; completionTime?: string; reason?: string; message?: string }
export interface Step extends Call {
  name: string; state?: string; externalID?: string; compensation?: Call; history?: Attempt[];
}
export interface Condition {
  type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string;
}
export interface Intervention { id?: string; action?: string; step?: string; by?: string; reason?: string; time?: string }
export interface OrderSaga {
  metadata?: {
    name?: string; namespace?: string; creationTimestamp?: string; deletionTimestamp?: string; resourceVersion?: string;
    annotations?: Record<string, string>; [key: string]: unknown;
  };
  spec?: {
    state?: string; requestedBy?: string; intervention?: Intervention; customerID?: string;
    retry?: { maxAttempts?: number }; [key: string]: unknown;
  };
  status?: {
    phase?: string; currentStep?: string; startTime?: string; completionTime?: string; nextAttemptTime?: string;
    waitingSince?: string; suspendedAt?: string; steps?: Step[]; conditions?: Condition[]; intervention?: Intervention;
    failure?: { step?: string; reason?: string; message?: string }; [key: string]: unknown;
  };
  [key: string]: unknown;
}

export const STEPS = ['order', 'inventory', 'payment', 'shipping', 'confirmation', 'notification'];
export const PIVOT = 'confirmation';

export type Sign =
  'done' | 'refused' | 'unknown' | 'not-yet' | 'now' | 'left-out' | 'stuck' | 'nothing' | 'undoing' | 'blank';

/** A dot of the picture. `recorded`: by itself in the history; else it stands for what is known of the call. */
export interface Dot { at: number | undefined; outcome: string; reason: string; ms: number | undefined; recorded: boolean }

/** One step in one direction. `times` counts the attempts, of which `dots` may be the last ones only; a question how far an
 *  operation has got is a dot and no attempt. */
export interface Lane {
  sign: Sign; state: string; dots: Dot[]; times: number; began: number | undefined; ended: number | undefined; why: string;
}
export interface Column { name: string; externalID: string; isCurrent: boolean; do: Lane; undo: Lane }

/** Of the whole saga. `origin`: when it began; `again`: when a step is called again; times in ms since the epoch. */
export interface Picture {
  columns: Column[]; pivot: number; hasUndo: boolean;
  origin: number; again: number | undefined; waiting: number | undefined;
}

const DID: Record<string, Sign> = {
  Succeeded: 'done', Compensated: 'done', CompensationFailed: 'done', Refused: 'refused', Unknown: 'unknown',
  Skipped: 'left-out',
};
const WORDS: Record<Sign, string> = {
  done: 'done', refused: 'refused', unknown: 'no answer: it may have happened', 'not-yet': 'not called', now: 'called now, or next',
  'left-out': 'left out', stuck: 'could not be undone: a person has to decide', nothing: 'there was nothing to undo',
  undoing: 'being undone', blank: '',
};

/** What a sign says. */
export const says = (sign: Sign, isUndo: boolean): string => (isUndo && sign === 'done' ? 'undone' : WORDS[sign]);

export function pictureOf(saga: OrderSaga): Picture {
  const status = saga.status ?? {};
  const steps: Step[] = status.steps?.length ? status.steps : STEPS.map((name) => ({ name, state: 'Pending' }));
  const finished = status.phase === 'Completed' || status.phase === 'Compensated';
  return {
    columns: steps.map((step) => ({
      name: step.name,
      externalID: step.externalID ?? '',
      isCurrent: !finished && step.name === status.currentStep,
      do: lane(step, false, did(step, saga, finished), doState(step)),
      undo: lane(step, true, undid(step, saga, finished), undoState(step)),
    })),
    pivot: steps.findIndex((step) => step.name === PIVOT),
    hasUndo: status.failure !== undefined || steps.some((step) => step.compensation !== undefined),
    origin: moment(status.startTime) ?? moment(saga.metadata?.creationTimestamp) ?? 0,
    again: moment(status.nextAttemptTime),
    waiting: moment(status.waitingSince),
  };
}

function lane(step: Step, isUndo: boolean, sign: Sign, state: string): Lane {
  const call: Call | undefined = isUndo ? step.compensation : step;
  const began = moment(call?.startTime);
  const ended = moment(call?.completionTime);
  const times = call?.attempts ?? 0;
  const dots: Dot[] = (step.history ?? []).filter((each) => (each.operation === 'undo') === isUndo).map((each) => ({
    at: moment(each.time), outcome: each.outcome ?? '', reason: each.reason ?? '', ms: each.milliseconds, recorded: true,
  }));
  // a call that went well at once has no history of its own
  if (!dots.length && times) dots.push({ at: began, outcome: state, reason: call?.reason ?? '', ms: undefined, recorded: false });
  const why = [call?.reason, call?.message].filter(Boolean).join(': ');
  return { sign, state, dots, times: times || dots.length, began, ended, why };
}

function doState(step: Step): string {
  const state = step.state ?? 'Pending';
  if (!step.startTime && state !== 'Pending') return 'Not called';
  if (step.compensation && ['Compensated', 'CompensationFailed', 'Skipped'].includes(state)) {
    return step.completionTime ? 'Succeeded' : 'Unknown';
  }
  return state;
}

const undoState = (step: Step): string =>
  !step.compensation ? '' : isStuck(step) ? 'Failed' : step.compensation.completionTime ? 'Undone' : 'Undoing';

const isStuck = (step: Step): boolean => step.state === 'CompensationFailed';

function did(step: Step, saga: OrderSaga, finished: boolean): Sign {
  const state = step.state ?? 'Pending';
  const isForward = !saga.status?.failure && !finished;
  if (isForward && step.name === saga.status?.currentStep && state === 'Pending') return 'now';
  if (saga.status?.failure && ['Compensated', 'CompensationFailed', 'Skipped'].includes(state)) {
    return step.completionTime || step.externalID ? 'done' : step.startTime ? 'unknown' : 'not-yet';
  }
  return DID[state] ?? 'not-yet';
}

function undid(step: Step, saga: OrderSaga, finished: boolean): Sign {
  if (isStuck(step)) return 'stuck';
  if (step.compensation?.completionTime) return step.state === 'Skipped' ? 'nothing' : 'done';
  if (step.state === 'Compensated') return 'done';
  return saga.status?.failure && step.name === saga.status.currentStep && !finished ? 'undoing' : 'blank';
}

/** Places of the first and the last mark that were reached, between which a line runs; undefined if there is none. */
export function reached(lanes: Lane[]): [number, number] | undefined {
  const found = lanes.flatMap(({ sign }, place) => (sign === 'not-yet' || sign === 'blank' ? [] : [place]));
  const [first, last] = [found[0], found.at(-1)];
  return first === undefined || last === undefined ? undefined : [first, last];
}
