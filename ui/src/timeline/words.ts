/** Times as people say them: the same words as `kubectl saga` (saga/words.py). Pure. */

const UNITS = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]] as const;

/** Milliseconds since the epoch of an RFC 3339 time; undefined if there is none. */
export function moment(text: unknown): number | undefined {
  const at = typeof text === 'string' ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? undefined : at;
}

/** `45 s`, `3 min`, `2 h 5 min`, `4 d` of milliseconds: as exact as somebody wants to know it. */
export function span(ms: number): string {
  const left = Math.max(0, Math.floor(ms / 1000));
  const at = UNITS.findIndex(([unit, size]) => left >= size || unit === 's');
  const [unit, size] = UNITS[at] ?? UNITS[3];
  const whole = Math.floor(left / size);
  const below = UNITS[at + 1];
  if ((unit === 'd' || unit === 'h') && whole < 10 && below && left % size >= below[1]) {
    return `${whole} ${unit} ${Math.floor((left % size) / below[1])} ${below[0]}`;
  }
  return `${whole} ${unit}`;
}

/** How long something took whose times are whole seconds. */
export const took = (ms: number): string => (ms < 1000 ? '< 1 s' : span(ms));

/** `+12 s` after the start. */
export const after = (ms: number): string => (ms < 1000 ? '+0 s' : `+${span(ms)}`);

/** `1 try`, `3 tries`. */
export const count = (number: number, one: string, several = `${one}s`): string =>
  `${number.toLocaleString('en')} ${number === 1 ? one : several}`;
