import { describe, expect, it } from 'vitest';
import { deedsOf, failingOf, notesOf } from '../../src/lib/story';
import { sagaOf } from './sagas';

const told = (name: string): string[] => deedsOf(sagaOf(name)).map(({ who, what, why }) => [who, what, why].filter(Boolean).join(' '));

describe('who did what', () => {
  it('names who intervened, and the reason that was given', () => {
    expect(told('o-1041')).toEqual(['placed', 'admin MarkCompensated payment paid back by bank transfer, no. 17', 'the operator rolled it back']);
  });
  it('names who suspended, and who cancelled', () => {
    expect(told('o-1044')).toContain('admin suspended it');
    expect(told('o-1051')).toContain('admin cancelled it');
  });
  it('says of a request that the operator has not read it yet', () => {
    const saga = sagaOf('o-1041');
    saga.spec!.intervention = { id: 'new', action: 'Skip', step: 'notification', by: 'eve', reason: 'told by telephone' };
    expect(deedsOf(saga).at(-1)).toMatchObject({ who: 'eve', what: 'Skip notification, which the operator has not read yet', why: 'told by telephone' });
    expect(deedsOf(saga).find((deed) => deed.what === 'MarkCompensated payment')?.why, 'the reason of another request').toBeFalsy();
  });
  it('puts a cancellation that came too late before the end, and none of our words in place of a reason', () => {
    const saga = sagaOf('o-1041');
    Object.assign(saga.spec!, { state: 'Cancelled', requestedBy: 'frank', intervention: undefined });
    Object.assign(saga.status!, { phase: 'Completed', failure: undefined, intervention: undefined });
    expect(deedsOf(saga).map(({ who, what, why }) => [who, what, why])).toEqual([
      ['', 'placed', ''], ['frank', 'cancelled it, which came too late', ''], ['the operator', 'completed it', '']]);
  });
  it('says of an intervention that was refused so', () => {
    const saga = sagaOf('o-1041');
    saga.status!.intervention!.reason = 'InterventionRefused';
    expect(deedsOf(saga).map((deed) => deed.what)).toContain('MarkCompensated payment: InterventionRefused');
  });
  it('gives the reason of a deletion once, as a deed', () => {
    const saga = sagaOf('o-1043');
    saga.metadata = { ...saga.metadata, deletionTimestamp: '2026-11-30T02:56:00Z', annotations: { 'ordersaga.io/confirm-deletion': 'by mistake', 'other/x': 'y' } };
    expect(deedsOf(saga).at(-1)).toMatchObject({ who: 'somebody', what: 'deleted it', why: 'by mistake' });
    expect(notesOf(saga)).toEqual([]);
  });
});

describe('the attempt at which it fails', () => {
  it('of a stuck rollback is that of the undo, with its key', () => {
    expect(failingOf(sagaOf('o-1042'))).toMatchObject({ step: 'payment', isUndo: true, number: 8, reason: 'RefundFailed', key: 'shop/o-1042/payment/undo',
      externalID: 'pay-o-1042', attempt: { milliseconds: 20, outcome: 'Unavailable' } });
  });
  it.each([
    ['o-1043', 'payment', 'Unavailable'], ['o-1046', 'payment', 'CardDeclined'], ['o-1049', 'inventory', 'OutOfStock'],
    ['o-bounce', 'notification', 'Bounced'], ['o-1052', 'payment', 'RefundFailed'],
  ])('of %s is %s, %s', (name, step, reason) => { expect(failingOf(sagaOf(name))).toMatchObject({ step, reason }); });
  it('of a saga that nobody has begun is none', () => { expect(failingOf(sagaOf('o-1037'))).toBeUndefined(); });
  it('of a call that is held back before it was ever made is none', () => {
    const saga = sagaOf('o-1038');
    const step = saga.status!.steps!.find(({ name }) => name === 'payment')!;
    Object.assign(step, { reason: 'ParticipantPaused', attempts: 0, history: [] });
    expect(failingOf(saga)).toBeUndefined();
  });
  it('of a call that is held back now is the earlier attempt with what that came to, apart from what is waited for', () => {
    const saga = sagaOf('o-1043');
    const step = saga.status!.steps!.find(({ name }) => name === 'payment')!;
    const [last] = step.history!.slice(-1);
    Object.assign(step, { reason: 'ParticipantPaused', message: 'payment is paused', attempts: 0 });
    expect(failingOf(saga)).toMatchObject({ attempt: last, reason: last!.reason ?? '', message: '', held: 'ParticipantPaused: payment is paused', number: step.history!.length });
  });
  it('of a call that is held back after it was only under way is none', () => {
    const saga = sagaOf('o-1043');
    const step = saga.status!.steps!.find(({ name }) => name === 'payment')!;
    Object.assign(step, { reason: 'WaitingForDownstream', history: [{ operation: 'do', outcome: 'InProgress', time: '2026-11-30T02:54:00Z', milliseconds: 5 }] });
    expect(failingOf(saga)).toBeUndefined();
  });
});
