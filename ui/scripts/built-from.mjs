/** Says what the committed page was built from, so that a test can tell without Node whether it is fresh. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = new URL('..', import.meta.url).pathname;
const OUT = join(ROOT, '../operator/ordersaga/saga/ui/page/built-from.json');
/** What a build reads. The same list stands in tests/packaging/page/test_page.py. */
const SOURCES = ['index.html', 'package-lock.json', 'public', 'src', 'svelte.config.js', 'tsconfig.json', 'vite.config.ts'];

const files = SOURCES.flatMap((name) => (name.includes('.')
  ? [name]
  : readdirSync(join(ROOT, name), { recursive: true, withFileTypes: true }).filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name).slice(ROOT.length)))).sort();
const hash = createHash('sha256');
for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(ROOT, file))).update('\0');
writeFileSync(OUT, `${JSON.stringify({ sources: hash.digest('hex'), files: files.length }, null, 2)}\n`);
