/** Somebody has to do something about an order, or about many. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { until } from './stack.mjs';

const ANNA = 'system:serviceaccount:shop:anna';

/** In the dialog: why, a trial, and then it. What the dialog says after either. */
async function act(page, button, why) {
  await page.getByRole('button', { name: `${button} …` }).click();
  if (why) await page.getByLabel('Why').fill(why);
  await page.getByRole('button', { name: 'Try it first' }).click();
  const tried = page.getByText(/Tried without changing anything/);
  await tried.waitFor();
  const preview = await page.getByRole('dialog').innerText();
  await page.getByRole('dialog').getByRole('button', { name: button, exact: true }).click();
  await page.getByText(/1 saga changed/).waitFor();
  const done = await page.getByRole('dialog').innerText();
  await page.getByRole('button', { name: 'Close' }).click();
  return { preview, done };
}
const deeds = (page) => page.getByRole('region', { name: 'Who did what' });

export const steering = (world) => describe('steering', () => {
  it('a stuck saga is found in the trouble, opened, and tried again with a reason; then it ends, and it is told who did it', async () => {
    const order = await world.stack.placeStuck(world.stack.newId('retried'));
    const page = await world.open(`?q=${order}`);
    await page.getByRole('link', { name: /CompensationFailed at payment/ }).click();
    await page.getByRole('link', { name: order, exact: true }).click();
    assert.match(await page.locator('.sentence .state').innerText(), /^Stuck.*: payment could not be undone\.$/);
    await world.stack.repair(order);
    const { preview } = await act(page, 'Retry payment', 'the provider is back');
    assert.match(preview, /would undo payment again at once, with a new budget of attempts/);
    await page.getByText('rolled it back').waitFor();
    assert.match(await deeds(page).innerText(), new RegExp(`${ANNA} RetryNow payment: “the provider is back”`));
    assert.equal((await world.stack.saga(order)).status.phase, 'Compensated');
  });

  it('one that was undone by hand is marked so, and the rollback goes on', async () => {
    const order = await world.stack.placeStuck(world.stack.newId('marked'));
    const page = await world.open(`?saga=${order}`);
    const { preview } = await act(page, 'Mark compensated payment', 'paid back by bank transfer, no. 17');
    assert.match(preview, /nothing will undo it later/);
    await page.getByText('rolled it back').waitFor();
    assert.match(await deeds(page).innerText(), new RegExp(`${ANNA} MarkCompensated payment: “paid back by bank transfer, no. 17”`));
    const saga = await world.stack.saga(order);
    assert.deepEqual([saga.status.phase, saga.status.intervention.by], ['Compensated', ANNA]);
  });

  it('a confirmed order is completed without a message that nobody can send now', async () => {
    world.stack.signal('notification', 'SIGSTOP');
    try {
      const order = await world.stack.place(world.stack.newId('skipped'));
      await world.stack.standsAt(order, 'notification');
      const page = await world.open(`?saga=${order}`);
      await act(page, 'Skip notification', 'told by telephone');
      await page.getByText('completed it').waitFor({ timeout: 30_000 });
      assert.match(await deeds(page).innerText(), new RegExp(`${ANNA} Skip notification: “told by telephone”`));
    } finally {
      world.stack.signal('notification', 'SIGCONT');
    }
  });

  it('one that waits is suspended, resumed and cancelled, and the page follows', async () => {
    const order = await world.stack.place(world.stack.newId('held'), { payment: { method_ref: 'test-unavailable-40' } });
    await world.stack.standsAt(order, 'payment');
    const page = await world.open(`?saga=${order}`);
    await act(page, 'Suspend');
    await page.getByRole('button', { name: 'Resume …' }).waitFor();
    assert.match(await deeds(page).innerText(), new RegExp(`${ANNA} suspended it`));
    await act(page, 'Resume');
    await page.getByRole('button', { name: 'Suspend …' }).waitFor();
    await act(page, 'Cancel');
    await page.getByText('rolled it back').waitFor({ timeout: 30_000 });
    assert.match(await deeds(page).innerText(), new RegExp(`${ANNA} cancelled it`));
  });

  it('all that a filter finds: a trial changes nothing, another number than was tried stops it, and each has its result', async () => {
    const story = world.stack.newId('bulk');
    const orders = await Promise.all(['a', 'b', 'c'].map((each) => world.stack.placeStuck(`${story}-${each}`)));
    const page = await world.open(`?phase=Failed&q=${story}`);
    await page.getByRole('button', { name: 'Steer all 3 …' }).click();
    await page.getByLabel('What').selectOption('mark-compensated');
    await page.getByLabel('Why').fill('paid back by hand');
    await page.getByRole('button', { name: 'Try it first' }).click();
    await page.getByText('3 sagas would be changed').waitFor();
    assert.deepEqual(await Promise.all(orders.map(async (order) => (await world.stack.saga(order)).spec.intervention)), [undefined, undefined, undefined]);

    orders.push(await world.stack.placeStuck(`${story}-d`));
    await page.getByRole('button', { name: 'Mark compensated: 3 sagas' }).click();
    await page.getByText('it is 4 orders now, not 3: nothing was changed').waitFor();
    await page.getByRole('button', { name: 'Try it first' }).click();
    await page.getByRole('button', { name: 'Mark compensated: 4 sagas' }).click();
    await page.getByText('4 sagas changed').waitFor();
    assert.equal((await page.locator('.results li').allInnerTexts()).filter((line) => /✓ marked/.test(line)).length, 4);
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByText('No saga is like that').waitFor();
    for (const order of orders) assert.equal((await world.stack.phase(order, 'Compensated')).status.intervention.by, ANNA);
  });

  describe('who may only look', () => {
    it('finds nothing to press, on any page, and is told why', async () => {
      const order = await world.stack.placeStuck(world.stack.newId('guarded'));
      const page = await world.open(`?q=${order}`, { who: world.guest });
      assert.match(await page.locator('footer').innerText(), /system:serviceaccount:shop:guest, who may only look/);
      assert.equal(await page.getByRole('button', { name: /Steer/ }).count(), 0);
      await page.getByRole('link', { name: order, exact: true }).click();
      await page.getByText('You may look at it, but not change it').waitFor();
      assert.equal(await page.locator('.actions button').count(), 0);
    });
    it('is refused by the API server, whatever their browser sends', async () => {
      const order = await world.stack.placeStuck(world.stack.newId('forced'));
      const page = await world.open(`?saga=${order}`, { who: world.guest });
      const asked = { action: 'mark-compensated', orders: [order], step: 'payment', reason: 'because', dry_run: false };
      const { results } = await page.evaluate(async (body) => (await fetch('./api/actions', {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })).json(), asked);
      assert.deepEqual(results.map(({ ok }) => ok), [false]);
      assert.match(results[0].says, /guest" cannot patch/);
      assert.equal((await world.stack.saga(order)).spec.intervention, undefined);
    });
    it('learns it in the dialog, when the right is taken away while it is open', async () => {
      const order = await world.stack.placeStuck(world.stack.newId('revoked'));
      const page = await world.open(`?saga=${order}`, { who: await world.stack.page(await world.stack.person('bert', 'ordersaga-viewer', 'ordersaga-editor')) });
      await page.getByRole('button', { name: 'Mark compensated payment …' }).click();
      await page.getByLabel('Why').fill('undone by hand');
      await world.stack.kubectl('delete', 'rolebinding', 'bert-ordersaga-editor');
      await until('the right is gone', async () => /no/.test(await world.stack.kubectl('auth', 'can-i', 'patch', 'ordersagas', '--as=system:serviceaccount:shop:bert').catch(({ stdout }) => stdout)));
      await page.getByRole('button', { name: 'Try it first' }).click();
      await page.getByText(/bert" cannot patch/).waitFor();
      assert.equal(await page.getByRole('dialog').getByRole('button', { name: 'Mark compensated payment', exact: true }).isDisabled(), true);
    });
  });
});
