/** How words look. Pure. */

const PHASE: Record<string, string> = {
  Completed: 'good', Compensated: 'dim', Failed: 'bad', Compensating: 'warn', Suspended: 'warn', Running: 'busy', Pending: 'dim',
};

/** The class of a phase: the colours of `kubectl saga`. */
export const phaseLook = (phase: string): string => PHASE[phase] ?? '';

/** `2026-11-30 02:15:04` in the viewer's time zone; with `Z` in UTC. */
export function clock(at: number | undefined, utc = false): string {
  if (at === undefined) return '';
  const moved = utc ? at : at - new Date(at).getTimezoneOffset() * 60_000;
  return new Date(moved).toISOString().slice(0, 19).replace('T', ' ') + (utc ? 'Z' : '');
}

/** Text with `commands` in back-ticks, as its parts; the odd ones are commands. */
export const parts = (text: string): string[] => text.split('`');

/** An action as a title: `Mark compensated payment`. */
export const titleOf = (action: string, step: string | null): string =>
  `${action.charAt(0).toUpperCase()}${action.slice(1).replace('-', ' ')}${step ? ` ${step}` : ''}`;

/** With its full stop. */
export const sentence = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`);
