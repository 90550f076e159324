import { describe, expect, it } from 'vitest';
import { actOf, bulkOf, listOf, quoted, showOf } from '../../src/lib/commands';
import { linksOf } from '../../src/lib/links';
import { clock, parts, titleOf } from '../../src/lib/look';
import { BUILT_IN, keep, load, store } from '../../src/lib/saved';
import { viewOf } from '../../src/lib/view';
import { yaml } from '../../src/lib/yaml';
import { after, count, moment, span, took } from '../../src/timeline/words';
import { sagaOf } from './sagas';

const SHOP = { namespace: 'shop' };

describe('times read as in the terminal', () => {
  it.each([[45_000, '45 s'], [200_000, '3 min'], [7_500_000, '2 h 5 min'], [7_200_000, '2 h'], [90_000_000, '1 d 1 h'], [864_000_000, '10 d'], [-5, '0 s']])(
    '%d ms is %s', (ms, text) => { expect(span(ms)).toBe(text); });
  it('whole seconds are not said more exactly than they are known', () => {
    expect([took(0), took(4000), after(0), after(31_000)]).toEqual(['< 1 s', '4 s', '+0 s', '+31 s']);
  });
  it('what is no time is none', () => { expect([moment(''), moment(undefined), moment('never')]).toEqual([undefined, undefined, undefined]); });
  it('a clock is the viewer’s, or UTC where it says so', () => {
    expect(clock(Date.parse('2026-11-30T02:15:04Z'), true)).toBe('2026-11-30 02:15:04Z');
  });
  it('numbers agree with their nouns', () => { expect([count(1, 'saga'), count(1234, 'saga'), count(2, 'try', 'tries')]).toEqual(['1 saga', '1,234 sagas', '2 tries']); });
});

describe('the command for what is seen', () => {
  it.each([
    ['', 'kubectl saga list -n shop'],
    ['?phase=Failed,Suspended&step=payment&reason=CardDeclined&sort=age&reverse=1', 'kubectl saga list --phase Failed,Suspended --step payment --reason CardDeclined --sort age --reverse -n shop'],
    ['?customer=c-17&older=1h&needs_person=1&finished=1', 'kubectl saga list --customer c-17 --older 1h --needs-person --all -n shop'],
  ])('%s', (search, command) => { expect(listOf(viewOf(search), SHOP)).toBe(command); });

  it('of one saga, and of an action on it', () => {
    expect(showOf('o-1042', SHOP)).toBe('kubectl saga show o-1042 -n shop');
    expect(actOf('retry', 'o-1042', 'payment', "it's back", SHOP)).toBe(`kubectl saga retry o-1042 payment --reason 'it'\\''s back' -n shop`);
  });
  it('of an action on many has the saga’s reason beside the person’s', () => {
    expect(bulkOf('retry', viewOf('?reason=RefundFailed'), 'back', 41, SHOP)).toBe('kubectl saga retry --with-reason RefundFailed --reason back --count 41 -n shop');
    expect(bulkOf('suspend', viewOf('?reason=RefundFailed'), '', 2, SHOP)).toBe('kubectl saga suspend --reason RefundFailed --count 2 -n shop');
  });
  it.each(['$(rm -rf /)', 'a;b', '`x`', '', 'a b'])('a shell takes %s for one word', (word) => { expect(quoted(word)).toBe(`'${word}'`); });
});

describe('YAML', () => {
  it('is nested, with lists where kubectl has them', () => {
    expect(yaml({ a: { b: [{ c: 1, d: 'x' }, 'y'], e: [], f: {} }, g: null })).toBe('a:\n  b:\n  - c: 1\n    d: x\n  - "y"\n  e: []\n  f: {}\ng: null');
  });
  it.each(['true', 'null', '1', '1.5', '2026-11-30T02:15:04Z', 'a: b', '- a', '#x', '', ' a', 'a\nb', '*a', '@a', 'No', '0x1f', '~'])('text %j stays text', (text) => {
    expect(yaml({ a: text })).toBe(`a: ${JSON.stringify(text)}`);
  });
});

describe('links', () => {
  const saga = sagaOf('o-bounce');
  it('are filled in, and what is filled in is no part of the address', () => {
    const odd = { ...saga, metadata: { ...saga.metadata, name: 'a&b=c/../d' } };
    expect(linksOf([{ name: 'logs', url: 'https://logs/?order={order}' }], odd)).toEqual([{ name: 'logs', url: 'https://logs/?order=a%26b%3Dc%2F..%2Fd' }]);
  });
  it('with a blank that nothing fills are left out', () => {
    expect(linksOf([{ name: 'trace', url: 'https://t/{correlation}' }], sagaOf('o-1042'))).toEqual([]);
    expect(linksOf([{ name: 'trace', url: 'https://t/{correlation}' }], saga)).toHaveLength(1);
  });
  it('to a trace are there for an order that is traced', () => {
    const trace = '6b45f919102d4c62af14399e0a698fcc';
    expect(linksOf([{ name: 'trace', url: 'https://t/{trace}' }], saga, trace)).toEqual([{ name: 'trace', url: `https://t/${trace}` }]);
    expect(linksOf([{ name: 'trace', url: 'https://t/{trace}' }], saga, '')).toEqual([]);
  });
  it('lead to the web only', () => { expect(linksOf([{ name: 'x', url: 'javascript:alert(1)' }], saga)).toEqual([]); });
});

describe('views that are kept', () => {
  it('come back from the browser, and a name is there once', () => {
    let kept = '';
    store({ setItem: (_, text) => { kept = text; } }, keep([{ name: 'mine', search: '' }], { name: 'mine', search: '?q=o' }));
    expect(load({ getItem: () => kept })).toEqual([{ name: 'mine', search: '?q=o' }]);
  });
  it.each(['nonsense', '{}', '[1, null, {"name": 2}]'])('%s in the browser is none', (text) => { expect(load({ getItem: () => text })).toEqual([]); });
  it('a browser that keeps nothing does no harm', () => {
    store({ setItem: () => { throw new Error('full'); } }, []);
    expect(BUILT_IN.every(({ search }) => search === '' || viewOf(search))).toBe(true);
  });
});

it('commands in a sentence are told from its words', () => {
  expect(parts('Try `kubectl saga why o-1` now.')).toEqual(['Try ', 'kubectl saga why o-1', ' now.']);
  expect(titleOf('mark-compensated', 'payment')).toBe('Mark compensated payment');
});
