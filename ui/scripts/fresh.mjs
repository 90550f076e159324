/** Whether a build of these sources gives the committed page and the committed element, byte for byte. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';

const ROOT = new URL('..', import.meta.url).pathname;
const PAGE = join(ROOT, '../operator/ordersaga/saga/ui/page');
const ELEMENT = 'element/saga-timeline.js';

function files(folder) {
  const names = readdirSync(folder, { recursive: true }).map(String).filter((name) => statSync(join(folder, name)).isFile() && name !== 'built-from.json');
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name), 'base64')]));
}

const folder = mkdtempSync(join(tmpdir(), 'page-'));
const beside = mkdtempSync(join(tmpdir(), 'element-'));
try {
  await build({ root: ROOT, logLevel: 'error', build: { outDir: folder } });
  await build({ root: ROOT, configFile: join(ROOT, 'element.config.ts'), logLevel: 'error', build: { outDir: beside } });
  const [built, committed] = [files(folder), files(PAGE)];
  const others = [...new Set([...built.keys(), ...committed.keys()])].filter((name) => built.get(name) !== committed.get(name));
  if (readFileSync(join(beside, 'saga-timeline.js'), 'utf8') !== readFileSync(join(ROOT, ELEMENT), 'utf8')) others.push(ELEMENT);
  if (others.length) {
    console.error(`not what is committed: ${others.join(', ')}; run \`make ui\``);
    process.exitCode = 1;
  }
} finally {
  for (const each of [folder, beside]) rmSync(each, { recursive: true });
}
