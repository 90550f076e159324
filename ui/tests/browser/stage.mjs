/** The built page on a port of this machine, with the answers of mock/ and the policy of the real server, in a real browser. */

import { createServer } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { answer, world } from '../../mock/server.mjs';
import { Tabs } from '../tabs.mjs';

const PAGE = new URL('../../../operator/ordersaga/saga/ui/page', import.meta.url).pathname;
const KINDS = { html: 'text/html', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', json: 'application/json' };
export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export { world };

export async function stage() {
  const server = createServer((request, response) => {
    response.setHeader('Content-Security-Policy', CSP);
    if (answer(request, response)) return;
    const path = new URL(request.url, 'http://here').pathname.replace(/^\/token\//, '');
    const file = join(PAGE, normalize(`/${path || 'index.html'}`));
    if (!existsSync(file) || path === '..') { response.writeHead(404).end(); return; }
    response.setHeader('Content-Type', KINDS[file.split('.').at(-1)] ?? 'application/octet-stream');
    response.end(readFileSync(file));
  });
  await new Promise((ready) => { server.listen(0, '127.0.0.1', ready); });
  const tabs = await Tabs.open();
  const base = `http://127.0.0.1:${server.address().port}/token/`;
  return {
    base,
    open: (search = '', options = {}) => tabs.tab(base + search, options),
    leave: () => tabs.leave(),
    async close() {
      await tabs.close();
      server.closeAllConnections();
      await new Promise((closed) => { server.close(closed); });
    },
  };
}
