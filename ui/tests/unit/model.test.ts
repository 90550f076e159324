import { describe, expect, it } from 'vitest';
import { pictureOf, reached, type Lane } from '../../src/timeline/model';
import { sagaOf } from './sagas';

const signs = (name: string): [string, string] => {
  const { columns } = pictureOf(sagaOf(name));
  return [columns.map((column) => column.do.sign).join(' '), columns.map((column) => column.undo.sign).join(' ')];
};

describe('the signs are those of `kubectl saga show`', () => {
  it('a stuck rollback has its cross in the way back, and the door that found nothing to undo', () => {
    expect(signs('o-1042')).toEqual(['done done done refused not-yet not-yet', 'blank done stuck blank nothing blank']);
  });
  it('a step that is called again stands at now, and nothing goes back', () => {
    expect(signs('o-1043')).toEqual(['done done now not-yet not-yet not-yet', 'blank blank blank blank blank blank']);
    expect(pictureOf(sagaOf('o-1043')).hasUndo).toBe(false);
  });
  it('a rollback that goes on shows the step that is being undone', () => {
    expect(signs('o-1052')[1]).toBe('blank done undoing blank nothing blank');
  });
  it('an order that was completed with a warning shows the refusal of its last step', () => {
    expect(signs('o-bounce')[0]).toBe('done done done done done refused');
  });
  it('a saga that nobody has begun has six steps that are not called', () => {
    expect(signs('o-1037')[0]).toBe('not-yet not-yet not-yet not-yet not-yet not-yet');
  });
});

describe('attempts', () => {
  const payment = (name: string): { do: Lane; undo: Lane } => pictureOf(sagaOf(name)).columns[2]!;

  it('each that is recorded is a dot, and all are counted', () => {
    expect(payment('o-1043').do.dots).toHaveLength(6);
    expect(payment('o-1043').do.times).toBe(7);
    expect(payment('o-1042').undo).toMatchObject({ times: 8, state: 'Failed' });
  });
  it('those of the way back are not among those of the way forward', () => {
    const { do: forward, undo } = payment('o-1042');
    expect(forward.dots).toMatchObject([{ outcome: 'Succeeded', recorded: false }]);
    expect(undo.dots.every((dot) => dot.outcome === 'Unavailable')).toBe(true);
  });
  it('a question how far an operation has got is a dot, and no attempt', () => {
    expect(payment('o-1045').do).toMatchObject({ times: 1, dots: [{ outcome: 'InProgress' }, { outcome: 'Succeeded' }] });
  });
  it('a call that went well at once has one dot, which stands for the whole call', () => {
    expect(pictureOf(sagaOf('o-1047')).columns[0]?.do.dots).toMatchObject([{ recorded: false, outcome: 'Succeeded' }]);
  });
});

describe('the line', () => {
  it('runs from the first mark that was reached to the last, over those that were not', () => {
    const { columns } = pictureOf(sagaOf('o-1042'));
    expect(reached(columns.map((column) => column.do))).toEqual([0, 3]);
    expect(reached(columns.map((column) => column.undo))).toEqual([1, 4]);
  });
  it('is not there before anything was called', () => {
    expect(reached(pictureOf(sagaOf('o-1037')).columns.map((column) => column.do))).toBeUndefined();
  });
});

it('a resource that is empty, or has parts that are missing, is drawn all the same', () => {
  expect(pictureOf({}).columns).toHaveLength(6);
  expect(pictureOf({ status: { steps: [{ name: 'points' }] } }).columns).toMatchObject([{ name: 'points', do: { sign: 'not-yet' } }]);
});
