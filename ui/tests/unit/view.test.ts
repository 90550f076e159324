import { describe, expect, it } from 'vitest';
import { askedOf, EMPTY, filterOf, isEverything, searchOf, toggled, viewOf, viewOfGroup } from '../../src/lib/view';

describe('the URL is the view', () => {
  it.each([
    '', '?phase=Failed,Suspended', '?step=payment&reason=CardDeclined', '?customer=c-17&q=o-10&older=1h&newer=1d',
    '?needs_person=1&finished=1&sort=age&reverse=1&skip=200', '?phase=Failed&saga=o-1042',
  ])('%s comes back as it was', (search) => { expect(searchOf(viewOf(search))).toBe(search); });

  it('what makes no sense is left out, so that a wrong link shows something', () => {
    const view = viewOf('?phase=Nope,Failed&step=packing&older=yesterday&sort=colour&skip=-3&reverse=0&other=1');
    expect(searchOf(view)).toBe('?phase=Failed');
  });
  it('a saga is open by its hash, too', () => {
    expect(viewOf('', '#/o-1042').saga).toBe('o-1042');
    expect(viewOf('', '#/%E0%A4%A').saga).toBe('');
  });
  it('a value with signs of URLs survives', () => {
    expect(viewOf(searchOf({ ...EMPTY, phase: [], step: [], reason: [], customer: 'a&b=c' })).customer).toBe('a&b=c');
  });
});

describe('the server', () => {
  it('is asked for no more rows than a screen can use', () => { expect(askedOf(viewOf(''))).toBe('limit=100'); });
  it('gets of an action on many which sagas are meant, and not how they are sorted or which one is open', () => {
    expect(filterOf(viewOf('?phase=Failed&sort=age&skip=100&saga=o-1'))).toEqual({ phase: 'Failed' });
  });
  it('can tell a view of everything from one with a filter', () => {
    expect([isEverything(viewOf('?sort=age')), isEverything(viewOf('?q=o'))]).toEqual([true, false]);
  });
});

describe('links', () => {
  it('a value is taken in, and out again, and the list begins on its first page', () => {
    const one = toggled(viewOf('?skip=100'), 'phase', 'Failed');
    expect(searchOf(one)).toBe('?phase=Failed');
    expect(searchOf(toggled(one, 'phase', 'Failed'))).toBe('');
  });
  it.each([
    ['CompensationFailed', 'payment', '?step=payment&reason=CompensationFailed'],
    ['NotBegun', '', '?reason=NotBegun'],
    ['CompensationRetried', 'payment', '?step=payment&reason=CompensationRetried'],
  ])('trouble %s leads to its sagas', (trouble, step, search) => {
    expect(searchOf(viewOfGroup(viewOf('?saga=o-1'), trouble, step))).toBe(search);
  });
});
