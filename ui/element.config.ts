import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vite';

const FOLDER = new URL('src/timeline/', import.meta.url).pathname;
const FILES = ['model.ts', 'saga-timeline.ts', 'style.ts', 'words.ts'];

/** What it was built from, so that a test can tell without Node whether it is fresh (tests/packaging/page/test_element.py). */
const hash = createHash('sha256');
for (const file of FILES) hash.update(`${file}\0`).update(readFileSync(join(FOLDER, file))).update('\0');

/** <saga-timeline> as one ES module that needs nothing else: for other people's pages, and for ui/headlamp. */
export default defineConfig({
  publicDir: false,
  build: {
    lib: { entry: join(FOLDER, 'saga-timeline.ts'), formats: ['es'], fileName: () => 'saga-timeline.js' },
    outDir: 'element',
    emptyOutDir: false,   // the module's types are written by hand
    target: 'es2022',
    minify: true,
    reportCompressedSize: false,
    rolldownOptions: { output: { banner: `/* <saga-timeline> of OrderSaga, MIT license. Built by \`make ui\` from ${hash.digest('hex')} */` } },
  },
} as Parameters<typeof defineConfig>[0]);
