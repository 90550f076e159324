/** What a browser has to fetch, compressed: over a slow line the first look counts. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const PAGE = new URL('../../operator/ordersaga/saga/ui/page', import.meta.url).pathname;
const OTHERS = new Set(['built-from.json', 'licenses.txt']); // which a browser doesn't fetch
const MOST = 60 * 1024;

let sum = 0;
for (const name of readdirSync(PAGE, { recursive: true }).map(String).sort()) {
  const path = join(PAGE, name);
  if (!statSync(path).isFile() || OTHERS.has(name)) continue;
  const size = gzipSync(readFileSync(path), { level: 9 }).length;
  sum += size;
  console.log(`${String(size).padStart(7)}  ${name}`);
}
console.log(`${String(sum).padStart(7)}  in all, of ${MOST} at most`);
if (sum > MOST) process.exit(1);
