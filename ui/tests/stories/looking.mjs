/** Somebody wants to know where an order is, and why. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { until } from './stack.mjs';

export const looking = (world) => describe('looking', () => {
  it('an order that is placed over REST comes into the list by itself, moves on in it, and ends there', async () => {
    const order = world.stack.newId('live');
    const page = await world.open(`?finished=1&q=${order}`);
    await page.evaluate(() => { globalThis.sameDocument = true; });
    assert.match(await page.locator('main').innerText(), /No saga is like that/);
    await world.stack.place(order, { payment: { method_ref: 'test-processing' } });
    await page.locator('td.phase').getByText('Running').waitFor({ timeout: 5_000 });
    await page.locator('td.phase').getByText('Completed').waitFor();
    assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
  });

  it('one that has ended leaves the list of open ones', async () => {
    const order = world.stack.newId('gone');
    const page = await world.open(`?q=${order}`);
    await world.stack.place(order, { payment: { method_ref: 'test-processing' } });
    await page.locator('[data-row]').waitFor({ timeout: 5_000 });
    await page.getByText('No saga is like that').waitFor();
    assert.equal((await world.stack.saga(order)).status.phase, 'Completed');
  });

  it('one saga is a picture, a sentence that the terminal says too, and a real table of every attempt', async () => {
    const order = await world.stack.place(world.stack.newId('declined'), { payment: { method_ref: 'test-declined' } });
    const { status } = await world.stack.phase(order, 'Compensated');
    const page = await world.open(`?saga=${order}`);
    const said = JSON.parse(await world.stack.kubectl('saga', 'why', order, '-o', 'json'));
    const shown = await page.locator('.sentence .state').innerText();
    const timeless = (text) => text.replaceAll(/\d+ s ago|just now/g, '…'); // they were asked one after the other
    assert.equal(timeless(shown), timeless(said.state));

    const marks = await page.locator('saga-timeline svg .mark').evaluateAll((found) => found.map((mark) => mark.getAttribute('aria-label')));
    assert.match(marks.find((mark) => mark.startsWith('payment: ')), /^payment: refused\. .*declined/i);
    assert.ok(marks.some((mark) => mark.startsWith('inventory, undo: ')), marks.join('\n'));

    const table = page.getByRole('table', { name: /Every step/ });
    const rows = (await table.getByRole('row').allInnerTexts()).map((row) => row.split(/\s+/).join(' '));
    for (const { name, state, history = [] } of status.steps) {
      assert.ok(rows.some((row) => row.includes(name)), `${name} in ${rows.join('\n')}`);
      assert.ok(history.length <= rows.length, state);
    }
    assert.equal(rows.filter((row) => row.includes('CardDeclined')).length, 2, `the step and its one attempt: ${rows.join('\n')}`);
  });

  it('the attempt that fails is shown with its answer, its key and its number, which rises while one looks', async () => {
    const order = await world.stack.place(world.stack.newId('failing'), { payment: { method_ref: 'test-unavailable-40' } });
    await world.stack.standsAt(order, 'payment');
    const page = await world.open(`?saga=${order}`);
    const section = page.getByRole('region', { name: 'The last attempt that failed' });
    await section.waitFor();
    const text = await section.innerText();
    assert.match(text, new RegExp(`shop/${order}/payment/do`));
    assert.match(text, /Unavailable, after\s+\d+ ms/);
    const number = async () => Number(/Attempt\s+(\d+)/.exec(await section.innerText())[1]);
    const first = await number();
    await until('another attempt', async () => await number() > first, { seconds: 40 });
    await world.stack.end(order);
  });

  it('filters are in the URL, and a reload shows the same', async () => {
    const order = await world.stack.placeStuck(world.stack.newId('kept'));
    const page = await world.open();
    await page.getByRole('link', { name: /^Failed/ }).click();
    await page.getByLabel(/^Customer/).fill('c-17');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Age', exact: true }).click();
    await page.waitForURL(/sort=age/);
    await page.locator('[data-row]').getByText(order, { exact: true }).waitFor();
    const seen = async () => [new URL(page.url()).search, await page.locator('[data-row]').allInnerTexts(), await page.locator('h1').innerText(),
      await page.getByLabel(/^Customer/).inputValue(), await page.locator('th.age').getAttribute('aria-sort')];
    const before = await seen();
    assert.equal(before[0], '?phase=Failed&customer=c-17&sort=age');
    await page.reload();
    await page.locator('[data-row]').getByText(order, { exact: true }).waitFor();
    assert.deepEqual(await seen(), before);
  });

  it('the key / finds an order by a part of its id, also one that has ended', async () => {
    const order = await world.stack.place(world.stack.newId('needle'));
    await world.stack.phase(order, 'Completed');
    const page = await world.open();
    await page.keyboard.press('/');
    await page.keyboard.type('needle');
    await page.locator('#found').getByText(order).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: order }).waitFor();
    assert.equal(new URL(page.url()).search, `?saga=${order}`);
  });

  it('one whose resource is gone leads to its story', async () => {
    const order = await world.stack.place(world.stack.newId('removed'));
    await world.stack.phase(order, 'Completed');
    const page = await world.open(`?saga=${order}`);
    await page.locator('.sentence .state').waitFor();
    await world.stack.kubectl('delete', 'ordersaga', order);
    await page.getByText('There is no resource of this name').waitFor();
    assert.match(await page.locator('article').innerText(), new RegExp(`kubectl saga history ${order}`));
  });
});
