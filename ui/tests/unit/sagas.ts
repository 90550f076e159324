/** Sagas as the API server showed them (mock/fixtures.json). */
import fixtures from '../../mock/fixtures.json';
import type { Saga } from '../../src/lib/api';
import type { OrderSaga } from '../../src/timeline/model';

export function answerOf(name: string): Saga {
  const found = fixtures.find(({ row }) => row.name === name);
  if (!found) throw new Error(`there is no fixture ${name}`);
  return structuredClone(found) as unknown as Saga;
}

export const sagaOf = (name: string): OrderSaga => answerOf(name).item as OrderSaga;
