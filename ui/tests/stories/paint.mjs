/** How soon a person sees the list: node tests/stories/paint.mjs URL TIMES. Prints milliseconds from the opening of the tab's
 *  address to the frame with the first row: of the open sagas the first time, then of those and of all, TIMES each (JSON). */

import { Tabs } from '../tabs.mjs';
import { until } from './stack.mjs';

const [url, times] = process.argv.slice(2);
const FIRST = () => {
  const look = () => (document.querySelector('[data-row]')
    ? requestAnimationFrame(() => { setTimeout(() => { globalThis.firstRow = performance.now(); }); }) // after that frame
    : requestAnimationFrame(look));
  look();
};
const tabs = await Tabs.open();
const page = await tabs.tab('about:blank');
await page.addInitScript(FIRST);

async function painted(search) {
  await page.goto(url + search);
  await page.waitForFunction(() => globalThis.firstRow, undefined, { timeout: 120_000 });
  return Math.round(await page.evaluate(() => globalThis.firstRow));
}

const first = await painted('');
const asked = async (search) => (await fetch(`${url}api/sagas?limit=1${search}`)).json();
await until('those that have ended have been read', async () => (await asked('')).complete, { seconds: 300, pause: 500 });
const complete = Date.now();
const [open, all] = [[], []];
for (let time = 0; time < Number(times); time += 1) {
  open.push(await painted(''));
  all.push(await painted('?finished=1'));
}
const { total } = await asked('&finished=1');
console.log(JSON.stringify({ first, open, all, complete, total }));
await tabs.close();
