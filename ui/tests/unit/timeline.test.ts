import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SagaTimeline } from '../../src/timeline/saga-timeline';
import { answerOf, sagaOf } from './sagas';

beforeEach(async () => {
  vi.stubGlobal('ResizeObserver', class { observe(): void {} disconnect(): void {} });
  await import('../../src/timeline/saga-timeline');
});
afterEach(() => { document.body.replaceChildren(); });

function shown(name: string): SagaTimeline {
  const element = document.createElement('saga-timeline') as SagaTimeline;
  document.body.append(element);
  element.now = answerOf(name).now;
  element.saga = sagaOf(name);
  return element;
}
const all = (element: SagaTimeline, selector: string): Element[] => [...element.shadowRoot!.querySelectorAll(selector)];
const words = (element: SagaTimeline, selector: string): string[] => all(element, selector).map((each) => each.textContent ?? '');
const stops = (element: SagaTimeline): SVGElement[] => all(element, '[data-key]') as SVGElement[];
const press = (element: SagaTimeline, key: string): void => {
  element.shadowRoot!.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, composed: true }));
};

describe('the picture', () => {
  it('has a mark for each step that was called, both ways, and a dot for each attempt', () => {
    const element = shown('o-1042');
    expect(words(element, '.name')).toEqual(['order', 'inventory', 'payment', 'shipping', 'confirmation', 'notification']);
    expect(all(element, '.mark')).toHaveLength(9);
    expect(all(element, '.dot')).toHaveLength(12);
    expect(all(element, '.pivot')).toHaveLength(1);
  });
  it('says how often and how long, and when it goes on', () => {
    const element = shown('o-1043');
    expect(words(element, '.small')).toContain('7 tries · for 1 min');
    element.now = '2026-11-30T02:54:30Z';
    expect(words(element, '.due')).toContain('again in 7 s');
  });
  it('has no style of its own in an attribute, which the policy of the page forbids', () => {
    expect(shown('o-1042').shadowRoot!.innerHTML).not.toContain('style=');
  });
  it('takes what a resource says for text, never for markup', () => {
    const saga = sagaOf('o-1042');
    saga.status!.steps![2]!.name = '<img src=x onerror=alert(1)>';
    saga.status!.steps![2]!.compensation!.message = '<script>alert(1)</script>';
    const element = shown('o-1043');
    element.saga = saga;
    expect(all(element, 'img, script')).toEqual([]);
    expect(words(element, '.name')[2]).toContain('<img');
  });
});

describe('the keyboard', () => {
  it('reaches the picture at one stop, and walks from there through marks and attempts', () => {
    const element = shown('o-1042');
    expect(stops(element).filter((stop) => stop.getAttribute('tabindex') === '0')).toHaveLength(1);
    stops(element)[0]!.focus();
    press(element, 'End');
    expect(element.shadowRoot!.activeElement?.getAttribute('aria-label')).toBe('notification: not called');
    press(element, 'Home');
    press(element, 'ArrowRight');
    expect(element.shadowRoot!.activeElement?.getAttribute('aria-label')).toMatch(/^order, 1 attempt: Succeeded/);
  });
  it('keeps its place when the saga changes', () => {
    const element = shown('o-1042');
    stops(element)[0]!.focus();
    for (let at = 0; at < 8; at += 1) press(element, 'ArrowRight');
    const before = (element.shadowRoot!.activeElement as SVGElement).dataset['key'];
    element.saga = sagaOf('o-1042');
    expect((element.shadowRoot!.activeElement as SVGElement).dataset['key']).toBe(before);
  });
});

describe('the table', () => {
  it('says what the picture shows: every step, both ways, and each attempt', () => {
    const rows = all(shown('o-1042'), 'tbody tr').map((row) => [...row.children].map((cell) => cell.textContent).join('|'));
    expect(rows).toContain('order|do|Succeeded|+0 s|< 1 s|1 ×|');
    expect(rows.find((row) => row.startsWith('payment|undo|Failed'))).toContain('8 ×|RefundFailed: order o-1042: the test provider refuses');
    expect(rows.filter((row) => row.includes('|Unavailable|'))).toHaveLength(6);
  });
});
