/** The page as somebody uses it, in Chromium, under the policy of the real server. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { axe, NO_BROWSER } from '../tabs.mjs';
import { stage, world } from './stage.mjs';

let here;
let page;

const open = async (search, options) => {
  page = await here.open(search, options);
  await page.waitForSelector(/saga=/.test(search ?? '') ? 'article .card' : '[data-row], td.none');
  return page;
};
const texts = (selector) => page.locator(selector).allInnerTexts();
const heard = () => page.waitForTimeout(400);
const search = () => new URL(page.url()).search;

describe('the page', { skip: NO_BROWSER }, () => {
  before(async () => { here = await stage(); });
  after(async () => { await here?.close(); });
  beforeEach(() => { Object.assign(world, { many: 0, may: true, cut: false, stopped: false, paused: false, asked: [] }); });
  afterEach(async () => { assert.deepEqual(await here.leave(), [], 'what the console complains about'); });

  describe('the list', () => {
    it('has what needs a look first, and the trouble by step and reason', async () => {
      await open('');
      assert.deepEqual((await texts('[data-row]')).slice(0, 3), ['o-1042', 'o-1040', 'o-1052']);
      assert.match(await page.locator('h1').innerText(), /7 open sagas, 3 need a person/);
      assert.match((await texts('section[aria-labelledby=trouble] li'))[0], /1\s+CompensationFailed at payment\s+a person has to decide/);
    });
    it('says which of the services that orders need answer, and leads to those that wait', async () => {
      await open('');
      const said = await texts('section[aria-labelledby=participants] li');
      assert.match(said[0], /order\s+answers/);
      assert.match(said[2], /payment\s+is down for 4 min\s+1 waiting/);
      assert.match(said[3], /shipping\s+is paused/);
      await page.getByRole('link', { name: '1 waiting', exact: true }).click();
      await page.waitForFunction(() => document.querySelectorAll('[data-row]').length === 1);
      assert.equal(search(), '?step=payment&reason=WaitingForDownstream,ParticipantPaused');
    });
    it('leads to all that wait for one that is paused, whatever the list is narrowed to', async () => {
      world.paused = true;
      await open('?customer=nobody');
      await page.getByRole('link', { name: '1 waiting', exact: true }).click();
      await page.waitForFunction(() => document.querySelectorAll('[data-row]').length === 1);
      assert.match(await page.locator('td.reason').innerText(), /ParticipantPaused/);
    });
    it('says why one is down or paused, for a keyboard and a finger, too', async () => {
      await open('');
      const why = page.locator('section[aria-labelledby=participants] summary');
      assert.deepEqual((await why.allInnerTexts()).map((text) => text.split(/\s/)[0]), ['payment', 'shipping']);
      await why.nth(1).focus();
      await page.keyboard.press('Enter');
      assert.match(await page.locator('section[aria-labelledby=participants] details[open]').innerText(), /^shipping spec\.state is Paused: the carrier moves$/);
    });
    it('says that no operator works, above the list and a saga, until one does', async () => {
      world.stopped = true;
      await open('');
      assert.match(await page.locator('.stopped').innerText(), /No operator has worked for 3\d s: nothing goes on by itself\./);
      assert.doesNotMatch(await page.locator('section[aria-labelledby=trouble]').innerText(), /goes on by itself/);
      await page.locator('[data-row=o-1042]').click();
      await page.waitForSelector('article .card');
      assert.equal(await page.locator('.stopped').count(), 1);
      world.stopped = false;
      await page.goBack();
      await page.waitForFunction(() => !document.querySelector('.stopped'));
    });
    it('with those that have ended says that they are those in the cluster, and who knows the older ones', async () => {
      await open('?customer=c-17&step=payment');
      assert.equal(await page.locator('.older').count(), 0);
      await page.getByLabel('those that have ended and are still in the cluster').check();
      await page.locator('.older').waitFor();
      assert.match(await page.locator('.older').innerText(), /^older ones: kubectl saga history --customer c-17 -n shop/);
      assert.match(await page.locator('h1').innerText(), /sagas? in the cluster/);
    });
    it('shows that a text is not applied yet, and what applies it', async () => {
      await open('');
      await page.getByLabel('Customer').pressSequentially('nobody');
      await page.getByRole('button', { name: 'Apply' }).click();
      await page.waitForFunction(() => document.querySelector('td.none'));
      assert.equal(search(), '?customer=nobody');
      assert.equal(await page.getByRole('button', { name: 'Apply' }).count(), 0);
    });
    it('is what the URL says, and the URL what it is: back and forward go through what was seen', async () => {
      await open('');
      await page.getByRole('link', { name: /CompensationRetried at payment/ }).click();
      await page.waitForFunction(() => document.querySelectorAll('[data-row]').length === 2);
      assert.equal(search(), '?step=payment&reason=CompensationRetried');
      await page.goBack();
      await page.waitForFunction(() => document.querySelectorAll('[data-row]').length === 7);
      assert.equal(search(), '');
    });
    it('is sorted by the server, and says so', async () => {
      await open('?finished=1');
      await page.getByRole('link', { name: 'Customer' }).click();
      await page.waitForFunction(() => document.querySelector('[data-row]')?.textContent === 'o-1040');
      assert.equal(await page.locator('th.customer').getAttribute('aria-sort'), 'ascending');
      assert.equal(search(), '?finished=1&sort=customer');
    });
    it('of 100,000 sagas has as many rows as one of a hundred, and pages', async () => {
      world.many = 100_000;
      const begun = Date.now();
      await open('?finished=1');
      const took = Date.now() - begun;
      assert.equal((await texts('[data-row]')).length, 100);
      assert.match(await page.locator('.pages').innerText(), /1–100 of 100,000/);
      await page.getByRole('link', { name: 'Next' }).click();
      await page.waitForFunction(() => document.querySelector('.pages')?.textContent?.includes('101–200'));
      console.log(`      the list of 100,000 after ${took} ms, the mock's sorting and the opening of a tab among them`);
    });
    it('says what is not like it looks: an empty one, and who may only look', async () => {
      world.may = false;
      await open('?customer=nobody');
      assert.match(await page.locator('main').innerText(), /No saga is like that/);
      assert.match(await page.locator('footer').innerText(), /may only look/);
    });
    it('keeps a view under a name', async () => {
      await open('?step=payment&customer=c-17');
      await page.getByLabel('Name of this view').fill('mine');
      await page.keyboard.press('Enter');
      await page.goto(here.base);
      await page.getByRole('link', { name: 'mine' }).click();
      assert.equal(search(), '?step=payment&customer=c-17');
    });
  });

  describe('the keyboard', () => {
    it('finds an order from anywhere', async () => {
      await open('?saga=o-1043');
      await page.keyboard.press('/');
      await page.keyboard.type('1050');
      await page.waitForSelector('#found-0');
      assert.match(await page.locator('#found').innerText(), /o-1050/);
      await page.keyboard.press('Enter');
      await page.waitForFunction(() => document.querySelector('h1')?.textContent === 'o-1050');
      assert.equal(search(), '?saga=o-1050');
    });
    it('walks through the rows, opens one, goes on to the next and back', async () => {
      await open('');
      for (const key of ['j', 'j', 'k', 'j']) await page.keyboard.press(key);
      await page.keyboard.press('Enter');
      await page.waitForSelector('article h1');
      assert.equal(search(), '?saga=o-1040');
      await page.keyboard.press('j');
      await page.waitForFunction(() => document.querySelector('h1')?.textContent === 'o-1052');
      await page.keyboard.press('u');
      await page.waitForFunction(() => document.activeElement?.textContent === 'o-1052');
    });
    it('walks through the attempts of a timeline, and each is said', async () => {
      await open('?saga=o-1042');
      await page.locator('saga-timeline [tabindex="0"]').first().focus();
      for (let step = 0; step < 9; step += 1) await page.keyboard.press('ArrowRight');
      assert.match(await page.locator('saga-timeline .detail').first().innerText(), /^payment, undo, attempt 3 of 8: Unavailable \(RefundFailed\), after 44 ms/);
    });
    it('copies the command for what is seen', async () => {
      await open('?phase=Failed');
      await page.keyboard.press('c');
      await heard();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'kubectl saga list --phase Failed -n shop');
    });
  });

  describe('one saga', () => {
    it('begins with the sentence, and has the picture, the failing attempt, and its links', async () => {
      await open('?saga=o-1042');
      assert.match(await page.locator('.sentence .state').innerText(), /^Stuck for .*: payment could not be undone\.$/);
      assert.equal(await page.locator('saga-timeline svg .mark').count(), 9);
      assert.match(await page.locator('section:has(#failing)').innerText(), /shop\/o-1042\/payment\/undo/);
      assert.equal(await page.getByRole('link', { name: 'Logs' }).getAttribute('href'), 'https://logs.example/?order=o-1042');
    });
    it('shows its resource when asked', async () => {
      await open('?saga=o-1042');
      await page.getByText('Resource', { exact: true }).click();
      await page.waitForFunction(() => document.querySelector('pre')?.textContent); // it opens a moment after the click
      assert.match(await page.locator('pre').innerText(), /^apiVersion: ordersaga.io\/v1alpha1\nkind: OrderSaga\nmetadata:\n {2}/);
    });
    it('that is not there says who may know it', async () => {
      await open('?saga=o-none');
      assert.match(await page.locator('article').innerText(), /in the archive: kubectl saga history o-none -n shop/);
    });
    it('opens by its hash', async () => {
      page = await here.open('#/o-1042');
      await page.waitForSelector('article h1');
      assert.equal(await page.locator('h1').innerText(), 'o-1042');
    });
  });

  describe('steering', () => {
    it('wants a reason, tries it first, and changes nothing before the second word', async () => {
      await open('?saga=o-1042');
      await page.getByRole('button', { name: 'Retry payment …' }).click();
      assert.equal(await page.getByRole('button', { name: 'Try it first' }).isDisabled(), true);
      assert.equal(await page.locator('.command code').innerText(), 'kubectl saga retry o-1042 payment --reason … -n shop');
      await page.getByLabel('Why').fill('the provider is back');
      assert.match(await page.locator('.command code').innerText(), /--reason 'the provider is back'/);
      await page.getByRole('button', { name: 'Try it first' }).click();
      await page.getByText(/1 saga would be changed/).waitFor();
      assert.deepEqual(world.asked, [{ action: 'retry', step: 'payment', reason: 'the provider is back', dry_run: true, orders: ['o-1042'] }]);
      await page.getByRole('button', { name: 'Retry payment', exact: true }).click();
      await page.getByText(/1 saga changed/).waitFor();
      assert.equal(world.asked[1].dry_run, false);
      await page.keyboard.press('Escape');
      await page.waitForFunction(() => !document.querySelector('dialog'));
      assert.equal(search(), '?saga=o-1042', 'the key that closes the dialog leads nowhere else');
    });
    it('a reason that changes is tried again', async () => {
      await open('?saga=o-1042');
      await page.getByRole('button', { name: 'Retry payment …' }).click();
      await page.getByLabel('Why').fill('one');
      await page.keyboard.press('Tab');
      await page.getByRole('button', { name: 'Try it first' }).click();
      await page.getByRole('button', { name: 'Retry payment', exact: true }).waitFor();
      await page.getByLabel('Why').fill('another');
      await page.getByRole('button', { name: 'Try it first' }).waitFor();
    });
    it('many: says how many it was tried on, and each result', async () => {
      await open('?step=payment');
      await page.getByRole('button', { name: /Steer all/ }).click();
      await page.getByLabel('Why').fill('back');
      await page.getByRole('button', { name: 'Try it first' }).click();
      await page.getByRole('button', { name: /^Retry: 6 sagas$/ }).click();
      await page.getByText(/6 sagas changed/).waitFor();
      const { filter, count, orders } = world.asked[1];
      assert.deepEqual([filter, count, orders], [{ step: 'payment' }, 6, undefined]);
    });
    it('is not offered to who may not, nor for everything at once', async () => {
      await open('');
      assert.equal(await page.getByRole('button', { name: /Steer/ }).count(), 0);
      world.may = false;
      await page.goto(`${here.base}?saga=o-1042`);
      await page.waitForSelector('.sentence .state');
      assert.equal(await page.locator('.actions button').count(), 0);
      assert.match(await page.locator('.sentence').innerText(), /not change it/);
    });
  });

  describe('whether it is live', () => {
    it('is said when the server goes, with the time, and what was seen stays', async () => {
      await open('');
      await page.locator('.state.live').waitFor();
      world.cut = true;
      for (const stream of world.streams) stream.destroy();
      await page.locator('.state.lost').waitFor();
      assert.match(await page.locator('.state').innerText(), /Not live since \d\d:\d\d:\d\d/);
      assert.equal((await texts('[data-row]')).length, 7);
      world.cut = false;
      await page.locator('.state.live').waitFor({ timeout: 40_000 });
    });
    it('is said of a saga with the time as of which it is known', async () => {
      await open('?saga=o-1042');
      await page.locator('.state.live').waitFor();
      assert.equal(await page.locator('.as-of').count(), 0);
      world.cut = true;
      for (const stream of world.streams) stream.destroy();
      await page.locator('.as-of').waitFor();
      assert.match(await page.locator('.as-of').innerText(), /^As of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, \d+ s ago$/);
      assert.match(await page.locator('.sentence .state').innerText(), /Stuck/);
    });
    it('can be held', async () => {
      await open('');
      await page.locator('.state.live').waitFor();
      await page.keyboard.press('p');
      await page.locator('.state.paused').waitFor();
      await heard();
      assert.equal(world.streams.size, 0);
      await page.keyboard.press('p');
      await page.locator('.state.live').waitFor();
    });
  });

  describe('for everybody', () => {
    const PLACES = [['the list', '?finished=1'], ['a stuck saga', '?saga=o-1042'], ['one that is not there', '?saga=o-none']];
    for (const [place, where] of PLACES) {
      for (const dark of [false, true]) {
        it(`${place}, ${dark ? 'dark' : 'light'}: axe finds nothing`, async () => {
          await open(where, { dark, calm: true });
          await page.locator('.state.live').waitFor();
          assert.deepEqual(await axe(page), []);
        });
      }
    }
    it('axe finds nothing in the dialog of an action, and the keyboard stays in it', async () => {
      await open('?saga=o-1042', { calm: true });
      await page.getByRole('button', { name: 'Retry payment …' }).click();
      assert.deepEqual(await axe(page, 'dialog'), []);
      await page.keyboard.press('Escape');
      await page.waitForFunction(() => !document.querySelector('dialog'));
    });
    for (const where of ['', '?finished=1', '?saga=o-1042', '?saga=o-1050', '?saga=o-none']) {
      it(`a telephone needs no scrolling to the side: ${where || 'the list'}`, async () => {
        await open(where, { width: 390, height: 844 });
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
      });
    }
    it('who wants less motion gets none', async () => {
      await open('?saga=o-1043', { calm: true });
      const moving = await page.evaluate(() => document.getAnimations({ subtree: true }).length);
      assert.equal(moving, 0);
    });
    it('nothing is fetched from elsewhere', async () => {
      const asked = [];
      page = await here.open('');
      page.on('request', (request) => asked.push(request.url()));
      await page.goto(`${here.base}?saga=o-1042`);
      await page.waitForSelector('saga-timeline svg');
      assert.deepEqual(asked.filter((url) => !url.startsWith(here.base)), []);
    });
  });
});
