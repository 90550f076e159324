/** What the page says while a part is gone, and what it does when the part is back. Nobody reloads it. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { until } from './stack.mjs';

export const outages = (world) => describe('outages', () => {
  it('kill -9 of the operator: the page stays live, what was known is shown, and the order goes on to its end', async () => {
    const order = await world.stack.place(world.stack.newId('orphan'), { payment: { method_ref: 'test-unavailable-4' } });
    await world.stack.standsAt(order, 'payment');
    const page = await world.open(`?saga=${order}`);
    world.stack.signal('operator', 'SIGKILL');
    await page.waitForTimeout(500);
    assert.equal(await page.locator('.state.live').count(), 1);
    assert.match(await page.locator('.sentence .state').innerText(), /payment/);
    await page.getByText('completed it').waitFor({ timeout: 60_000 });
  });

  it('no operator: an order that nobody begins is said to need a person, until somebody works again', async () => {
    world.stack.signal('operator', 'SIGSTOP');
    const order = world.stack.newId('unbegun');
    let page;
    try {
      page = await world.open(`?q=${order}`);
      await world.stack.place(order);
      await page.locator('[data-row]').waitFor({ timeout: 5_000 });
      await page.getByRole('link', { name: /NotBegun/ }).waitFor({ timeout: 40_000 });
      assert.match(await page.locator('h1').innerText(), /1 saga, 1 needs a person/);
      await page.getByRole('link', { name: order, exact: true }).click();
      assert.match(await page.locator('.sentence').innerText(), /operator/);
      await page.getByText(/^No operator has worked for \d+ s: nothing goes on by itself\.$/).waitFor({ timeout: 40_000 });
    } finally {
      world.stack.signal('operator', 'SIGCONT');
    }
    await page.getByText('completed it').waitFor({ timeout: 60_000 });
    await page.locator('.stopped').waitFor({ state: 'detached', timeout: 30_000 });
  });

  it('kill -9 of the API server: the page says since when nothing is known, keeps what it has, and is live again by itself', async () => {
    const order = await world.stack.placeStuck(world.stack.newId('cut'));
    const list = await world.open(`?q=${order}`);
    const one = await world.open(`?saga=${order}`);
    world.stack.signal('apiserver', 'SIGKILL');
    // one that begins again forbids everything until it knows the Roles: then that is what is said
    for (const page of [list, one]) await page.locator('.state.lost').waitFor();
    assert.match(await list.locator('.state').innerText(), /^Not live since \d\d:\d\d:\d\d/);
    assert.match(await list.locator('.problem').innerText(), /^What is seen may be old: (https:\S+ doesn't answer|.* is forbidden)/);
    assert.deepEqual(await list.locator('[data-row]').allInnerTexts(), [order]);
    assert.match(await one.locator('.sentence .state').innerText(), /^Stuck/);
    for (const page of [list, one]) await page.locator('.state.live').waitFor({ timeout: 90_000 });
    const next = `${order}-next`;
    await until('orders are taken again', () => world.stack.place(next));
    await world.stack.phase(next, 'Completed');
    const found = await world.open(`?finished=1&q=${next}`);
    assert.deepEqual(await found.locator('[data-row]').allInnerTexts(), [next]);
  });

  it('an API server that hangs: that is noticed, too, though no connection ends', async () => {
    const order = await world.stack.placeStuck(world.stack.newId('hung'));
    const page = await world.open(`?saga=${order}`);
    world.stack.signal('apiserver', 'SIGSTOP');
    try {
      await page.locator('.state.lost').waitFor({ timeout: 30_000 });
      assert.match(await page.locator('.problem').innerText(), /doesn't answer/);
      assert.match(await page.locator('.sentence .state').innerText(), /^Stuck/);
    } finally {
      world.stack.signal('apiserver', 'SIGCONT');
    }
    await page.locator('.state.live').waitFor({ timeout: 60_000 });
  });

  it('many tabs of one person: each is live, each follows, and one can still act', async () => {
    const order = await world.stack.placeStuck(world.stack.newId('tabs'));
    const first = await world.open(`?saga=${order}`);
    const tabs = [first];
    while (tabs.length < 9) tabs.push(await world.tabs.beside(first.context(), `${world.anna}?saga=${order}`));
    for (const tab of tabs) await tab.locator('.state.live').waitFor();
    const last = tabs.at(-1);
    await world.stack.repair(order);
    await last.getByRole('button', { name: 'Retry payment …' }).click();
    await last.getByLabel('Why').fill('the provider is back');
    await last.getByRole('button', { name: 'Try it first' }).click();
    await last.getByRole('dialog').getByRole('button', { name: 'Retry payment', exact: true }).click();
    await last.getByText(/1 saga changed/).waitFor();
    for (const tab of tabs) await tab.getByText('rolled it back').waitFor();
  });
});
