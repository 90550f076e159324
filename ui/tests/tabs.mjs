/** Tabs of a real browser, for the tests of the page: what their consoles complain about is kept. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

/** Debian's; CHROMIUM names another one, which has to be there. */
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const NO_BROWSER = process.env.CHROMIUM || existsSync(BROWSER) ? false : 'no Chromium: CHROMIUM names one';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export class Tabs {
  faults = [];
  #browser;
  #contexts = [];

  static async open() {
    const tabs = new Tabs();
    tabs.#browser = await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'] });
    return tabs;
  }

  /** A tab of somebody who has none yet. `calm`: they want less motion. */
  async tab(url, { dark = false, width = 1360, height = 860, calm = false, touch = false } = {}) {
    const context = await this.#browser.newContext({
      colorScheme: dark ? 'dark' : 'light', viewport: { width, height }, reducedMotion: calm ? 'reduce' : 'no-preference', timezoneId: 'UTC', locale: 'en-GB',
      permissions: ['clipboard-read', 'clipboard-write'], hasTouch: touch,
    });
    this.#contexts.push(context);
    return this.beside(context, url);
  }

  /** One more tab of the same person. */
  async beside(context, url) {
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on('console', (message) => { if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) this.faults.push(message.text()); });
    page.on('pageerror', (error) => this.faults.push(String(error)));
    await page.goto(url);
    return page;
  }

  /** Closes all that are open; what their consoles have complained about. */
  async leave() {
    for (const context of this.#contexts.splice(0)) await context.close();
    return this.faults.splice(0);
  }

  async close() { await this.#browser.close(); }
}

/** What axe finds on a page, or in a part of it: a line for each. */
export async function axe(page, part = undefined) {
  await page.evaluate(`${AXE}; undefined`);
  const { violations } = await page.evaluate((where) => globalThis.axe.run(where ?? document, { resultTypes: ['violations'] }), part);
  return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}
