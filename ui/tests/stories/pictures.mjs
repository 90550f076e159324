/** The pictures of README.md and docs/kubectl-saga.md, of real orders in every state that a shop has to see. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { small } from './png.mjs';

/** PICTURES names another folder, such as docs/pictures, where those that are committed lie. */
const FOLDER = process.env.PICTURES ?? new URL('../../../.ordersaga/pictures', import.meta.url).pathname;
const MOST = 150_000; // bytes of each: a README is read over slow lines, too

async function shop(stack) {
  const away = { address: { name: 'S. Pole', street: 'Ice 1', city: 'Amundsen', postal_code: '0', country: 'AQ' } };
  const paid = (method, changes = {}) => ({ payment: { method_ref: method }, ...changes });
  const items = (product, quantity) => ({ items: [{ product_id: product, quantity }] });
  const orders = [
    ['o-1031', paid('test-ok')], ['o-1032', paid('test-declined', items('p-shirt', 1))], ['o-1033', paid('test-ok', items('p-poster', 3))],
    ['o-1034', paid('test-refund-stuck', { ship_to: away, ...items('p-shirt', 2) })], ['o-1035', paid('test-refund-stuck', { ship_to: away })],
    ['o-1036', paid('test-ok', items('p-shirt', 3))], ['o-1037', paid('test-unavailable-40', items('p-poster', 4))],
    ['o-1038', paid('test-unavailable-40')], ['o-1039', paid('test-insufficient-funds', items('p-mug', 6))],
    ['o-1040', paid('test-unavailable-40', items('p-shirt', 1))],
  ];
  for (const [order, changes] of orders) await stack.place(order, changes);
  for (const order of ['o-1034', 'o-1035']) await stack.phase(order, 'Failed');
  await stack.kubectl('saga', 'suspend', 'o-1040');
  await stack.phase('o-1040', 'Suspended');
}

export const pictures = (world) => describe('pictures', () => {
  it('are taken of the list in both themes, and of a rollback that is stuck', async () => {
    mkdirSync(FOLDER, { recursive: true });
    await shop(world.stack);
    const shots = [['list', '?finished=1', 'main table'], ['saga', '?saga=o-1034', 'section[aria-label=Timeline]']];
    for (const [name, search, last, dark] of shots.flatMap((shot) => [[...shot, false], [...shot, true]])) {
      const page = await world.open(search, { dark, calm: true, width: 1240, height: 1000 });
      const { y, height } = await page.locator(last).boundingBox();
      await page.setViewportSize({ width: 1240, height: Math.ceil(y + height) + 6 }); // so that no card is cut through
      const path = join(FOLDER, `page-${name}${dark ? '-dark' : ''}.png`);
      const picture = small(await page.screenshot());
      assert.ok(picture.length < MOST, `${path}: ${picture.length} bytes`);
      writeFileSync(path, picture);
    }
    for (const order of ['o-1037', 'o-1038', 'o-1040']) await world.stack.end(order);
  });
});
