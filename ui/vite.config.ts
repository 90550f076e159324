import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { answer } from './mock/server.mjs';

/** `npm run dev` without a cluster: the answers of mock/, which were read from real sagas. */
const mock: Plugin = {
  name: 'mock',
  configureServer(server) {
    server.middlewares.use((request, response, next) => { if (!answer(request, response)) next(); });
  },
};

/** The licenses of the packages whose code is in the page: they want to go along with it. */
const licenses: Plugin = {
  name: 'licenses',
  generateBundle() {
    const folders = [...this.getModuleIds()].flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []);
    const texts = [...new Set(folders)].sort().map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
      const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
      if (!file) throw new Error(`${name} has no license`);
      return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
    });
    this.emitFile({ type: 'asset', fileName: 'licenses.txt', source: texts.join('\n\n') });
  },
};

export default defineConfig({
  base: './',
  plugins: [svelte(), mock, licenses],
  build: {
    outDir: '../operator/ordersaga/saga/ui/page',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,   // its polyfill is of no use to one file
    assetsInlineLimit: 0,   // the page's policy allows no script or style but files
    reportCompressedSize: false,
  },
  server: { host: '127.0.0.1' },
  test: { environment: 'happy-dom', include: ['tests/unit/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
