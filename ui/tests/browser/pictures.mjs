/** Pictures of the page to look at: node tests/browser/pictures.mjs FOLDER */

import { mkdirSync } from 'node:fs';
import { stage } from './stage.mjs';

const folder = process.argv[2] ?? '/tmp/ordersaga-pictures';
mkdirSync(folder, { recursive: true });
const here = await stage();
const SHOTS = [['list', ''], ['all', '?finished=1'], ['stuck', '?saga=o-1042'], ['retry', '?saga=o-1043'], ['done', '?saga=o-1050'], ['undone', '?saga=o-1041']];
for (const [name, search] of SHOTS) {
  for (const [kind, options] of [['light', {}], ['dark', { dark: true }], ['phone', { width: 390, height: 844 }]]) {
    const page = await here.open(search, options);
    await page.waitForSelector(search.includes('saga=') ? 'saga-timeline svg' : '[data-row]');
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${folder}/${name}-${kind}.png`, fullPage: true });
  }
}
const faults = await here.leave();
console.log(faults.length ? faults.join('\n') : `in ${folder}`);
await here.close();
