/** The page as its user has it: the local stack with its real parts, the real `kubectl saga ui`, a real browser.
 *
 *  Each story makes its own orders and finds them by their names, so that it needs none of the others. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe } from 'node:test';
import { NO_BROWSER, Tabs } from '../tabs.mjs';
import { everybody } from './everybody.mjs';
import { looking } from './looking.mjs';
import { outages } from './outages.mjs';
import { pictures } from './pictures.mjs';
import { Stack } from './stack.mjs';
import { steering } from './steering.mjs';

/** What the stories share. */
const world = {
  stack: undefined, tabs: undefined,
  /** The addresses of two people's pages: Anna may steer, the guest may only look. */
  anna: '', guest: '',

  /** A tab of Anna's, or of `who`. */
  async open(search = '', { who = this.anna, ...options } = {}) {
    const page = await this.tabs.tab(who + search, options);
    await page.locator('.state.live').waitFor();
    await page.waitForSelector(/saga=/.test(search) ? 'article .card, article .gone' : '[data-row], td.none');
    return page;
  },
};

describe('kubectl saga ui on the real stack', { skip: NO_BROWSER }, () => {
  before(async () => {
    world.stack = await Stack.start();
    world.tabs = await Tabs.open();
    const people = await Promise.all([
      world.stack.person('anna', 'ordersaga-viewer', 'ordersaga-editor'), world.stack.person('guest', 'ordersaga-viewer'),
    ]);
    [world.anna, world.guest] = await Promise.all(people.map((person) => world.stack.page(person)));
  });
  after(async () => { await Promise.all([world.tabs?.close(), world.stack?.stop()]); });
  afterEach(async () => { assert.deepEqual(await world.tabs?.leave() ?? [], [], 'what the console complains about'); });

  pictures(world); // first, while the list has nothing but what is to be seen on them
  looking(world);
  steering(world);
  outages(world);
  everybody(world);
});
