/** The same for who has no mouse, a small screen, or other eyes. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { axe } from '../tabs.mjs';

export const everybody = (world) => describe('for everybody', () => {
  it('the keyboard alone: from the list to a stuck saga, why, the trial, the deed, and back', async () => {
    const order = await world.stack.placeStuck(world.stack.newId('keys'));
    const page = await world.open(`?q=${order}`);
    const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
    const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
    await press('j', 'Enter');
    await page.locator('.sentence .state').waitFor();
    for (let step = 0; step < 30 && !(await focused()).startsWith('Mark compensated'); step += 1) await press('Tab');
    await press('Enter');
    await page.keyboard.type('undone by hand');
    await press('Tab');
    for (let step = 0; step < 10 && await focused() !== 'Try it first'; step += 1) await press('Tab');
    await press('Enter');
    await page.getByText(/1 saga would be changed/).waitFor();
    for (let step = 0; step < 10 && await focused() !== 'Mark compensated payment'; step += 1) await press('Tab');
    await press('Enter');
    await page.getByText(/1 saga changed/).waitFor();
    await press('Enter');
    await page.getByText('rolled it back').waitFor();
    await press('u');
    await page.getByText('No saga is like that').waitFor();
  });

  it('a telephone: nothing is wider than it, and a finger can find, open and steer', async () => {
    const order = await world.stack.placeStuck(world.stack.newId('phone'));
    const page = await world.open(`?q=${order}`, { width: 390, height: 844, touch: true });
    const isFitting = async (where) => assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, where);
    await isFitting('the list');
    await page.locator('[data-row]').tap();
    await page.locator('saga-timeline svg').waitFor();
    await isFitting('a saga');
    await page.getByRole('button', { name: 'Mark compensated payment …' }).tap();
    await page.getByLabel('Why').fill('undone by hand');
    await isFitting('a dialog');
    await page.getByRole('button', { name: 'Try it first' }).tap();
    await page.getByRole('dialog').getByRole('button', { name: 'Mark compensated payment', exact: true }).tap();
    await page.getByRole('button', { name: 'Close' }).tap();
    await page.getByText('rolled it back').waitFor();
    await page.goto(world.anna + '?finished=1');
    await page.locator('[data-row]').first().waitFor();
    await isFitting('the list of all');
  });

  it('who wants less motion sees a step that is being called, and nothing moves', async () => {
    const order = await world.stack.place(world.stack.newId('calm'), { payment: { method_ref: 'test-unavailable-40' } });
    await world.stack.standsAt(order, 'payment');
    const moving = (page) => page.evaluate(() => document.getAnimations({ subtree: true }).length);
    const page = await world.open(`?saga=${order}`, { calm: true });
    await page.locator('saga-timeline .pulse').waitFor();
    assert.equal(await moving(page), 0);
    const other = await world.open(`?saga=${order}`);
    await other.locator('saga-timeline .pulse').waitFor();
    assert.ok(await moving(other) > 0, 'for others it does');
    await world.stack.end(order);
  });

  for (const dark of [false, true]) {
    it(`axe finds nothing in ${dark ? 'dark' : 'light'}: the list, a stuck saga, its dialog, one that ended, and what a guest sees`, async () => {
      const order = await world.stack.placeStuck(world.stack.newId('seen'));
      const ended = await world.stack.place(world.stack.newId('ended'), { payment: { method_ref: 'test-declined' } });
      await world.stack.phase(ended, 'Compensated');
      const found = {};
      for (const [place, search, who] of [['list', '', world.anna], ['all', '?finished=1', world.anna], ['stuck', `?saga=${order}`, world.anna],
        ['ended', `?saga=${ended}`, world.anna], ['gone', '?saga=o-none', world.anna], ['guest', `?saga=${order}`, world.guest]]) {
        const page = await world.open(search, { who, dark, calm: true });
        found[place] = await axe(page);
        if (place !== 'stuck') continue;
        await page.getByRole('button', { name: 'Retry payment …' }).click();
        found.dialog = await axe(page, 'dialog');
        await page.getByLabel('Why').fill('the provider is back');
        await page.getByRole('button', { name: 'Try it first' }).click();
        await page.getByText(/1 saga would be changed/).waitFor();
        found.tried = await axe(page, 'dialog');
      }
      assert.deepEqual(found, { list: [], all: [], stuck: [], dialog: [], tried: [], ended: [], gone: [], guest: [] });
    });
  }
});
