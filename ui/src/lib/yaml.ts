/** A resource as YAML, as far as JSON goes: for people to read and to copy. Pure. */

/** Text that YAML reads as the same text without quotes: no indicator, no other type, no edge of white space. */
const PLAIN = /^[A-Za-z_/][A-Za-z0-9_./-]*( [A-Za-z0-9_./()-]+)*$/;
const OTHER_TYPE = /^(true|false|yes|no|on|off|null|y|n|~|[-+]?\.?(inf|nan))$/i;

export function yaml(value: unknown, indent = ''): string {
  if (Array.isArray(value)) {
    if (!value.length) return '[]';
    return value.map((each) => `${indent}- ${nested(each, `${indent}  `).trimStart()}`).join('\n');
  }
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, each]) => each !== undefined);
    if (!entries.length) return '{}';
    return entries.map(([key, each]) => {
      const text = nested(each, Array.isArray(each) ? indent : `${indent}  `);
      return `${indent}${scalar(key)}:${isBlock(each) ? '\n' : ' '}${text}`;
    }).join('\n');
  }
  return scalar(value);
}

const isBlock = (value: unknown): boolean => value !== null && typeof value === 'object' && Object.keys(value).length > 0;
const nested = (value: unknown, indent: string): string => yaml(value, isBlock(value) ? indent : '');

function scalar(value: unknown): string {
  if (typeof value !== 'string') return String(value);
  return PLAIN.test(value) && !OTHER_TYPE.test(value) ? value : JSON.stringify(value);
}
