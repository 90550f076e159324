/** The command for what is seen: whoever looks at the page learns the terminal's words. Pure. */

import type { Context } from './api';
import { EMPTY, FINISHED, type View } from './view';

type Where = Pick<Context, 'namespace'> | undefined;

/** A word of a command, quoted for a POSIX shell where it has to be. */
export const quoted = (word: string): string =>
  /^[A-Za-z0-9_@%+=:,./…-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

const command = (where: Where, ...words: string[]): string =>
  ['kubectl', 'saga', ...words.map(quoted), ...(where ? ['-n', quoted(where.namespace)] : [])].join(' ');

/** Stands for a reason that has to be given and isn't yet. */
export const NO_REASON = '…';

export const showOf = (order: string, where: Where): string => command(where, 'show', order);

export const listOf = (view: View, where: Where): string => {
  const sort = view.sort === EMPTY.sort ? [] : ['--sort', view.sort];
  return command(where, 'list', ...optionsOf(view, '--reason'), ...sort, ...(view.reverse ? ['--reverse'] : []));
};

export const actOf = (action: string, order: string, step: string | null, reason: string, where: Where): string =>
  command(where, action, order, ...(step ? [step] : []), ...(reason ? ['--reason', reason] : []));

/** Of all that the filter finds: see `isExact`. */
export const bulkOf = (action: string, view: View, reason: string, number: number, where: Where): string =>
  command(where, action, ...optionsOf(view, reason ? '--with-reason' : '--reason'), ...(reason ? ['--reason', reason] : []), '--count', String(number));

/** Everything that is known of one order, also when its resource is gone. */
export const storyOf = (order: string, where: Where): string => command(where, 'history', order);

/** Those of the view that have ended, also when their resources are gone. The archive has neither steps nor parts of ids. */
export const historyOf = (view: View, where: Where): string => {
  const ended = view.phase.filter((phase) => FINISHED.includes(phase));
  const options: [string, string][] = [
    ['--phase', ended.length === 1 ? (ended[0] ?? '') : ''], ['--customer', view.customer],
    ['--reason', view.reason.length === 1 ? (view.reason[0] ?? '') : ''], ['--older', view.older], ['--newer', view.newer],
  ];
  return command(where, 'history', ...options.flatMap(([option, value]) => (value ? [option, value] : [])));
};

/** Whether a command on many does exactly what the page does: it takes the step that each is at. */
export const isExact = (step: string): boolean => step === '';

function optionsOf(view: View, reason: string): string[] {
  const lists: [string, string[]][] = [['--phase', view.phase], ['--step', view.step], [reason, view.reason]];
  const texts: [string, string][] = [['--customer', view.customer], ['--id', view.q], ['--older', view.older], ['--newer', view.newer]];
  return [
    ...lists.flatMap(([option, values]) => (values.length ? [option, values.join(',')] : [])),
    ...texts.flatMap(([option, value]) => (value ? [option, value] : [])),
    ...(view.needs_person ? ['--needs-person'] : []),
    ...(view.finished ? ['--all'] : []),
  ];
}
