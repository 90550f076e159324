import { expect, it } from 'vitest';
import { SagaTimeline } from '../../element/saga-timeline.js';
import FIXTURES from '../../mock/fixtures.json';

it('the committed file defines the element, which draws a saga', () => {
  const element = document.createElement('saga-timeline');
  expect(element).toBeInstanceOf(SagaTimeline);
  document.body.append(element);
  element.saga = FIXTURES.find(({ row }) => row.name === 'o-1042')!.item;
  const table = element.shadowRoot!.querySelector('.table')!;
  expect([...table.querySelectorAll('th[scope=row]')].map((cell) => cell.textContent)).toContain('payment');
});
