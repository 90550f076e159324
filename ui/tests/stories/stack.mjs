/** The whole system on this machine, as `./run-local.sh` brings it up, on ports and in a folder of its own; and what the
 *  stories do to it: order, kill, hold, ask. */

import { execFile, execFileSync, spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const ROOT = new URL('../../..', import.meta.url).pathname;
/** What needs a port, as the stack itself says. */
const PARTS = execFileSync(join(ROOT, '.ordersaga/venv/bin/python'), ['-c', 'from dev.stack.layout import PORTS; print(*PORTS)'],
  { cwd: ROOT, encoding: 'utf8' }).trim().split(' ');
const START = 180_000; // milliseconds: ten seconds on a machine that does nothing else
const run = promisify(execFile);

/** Of which it is known that waiting doesn't help. */
class Hopeless extends Error {}

/** Waits until `look` answers something that counts as true; that. What it throws is tried again, until time is over. */
export async function until(what, look, { seconds = 60, pause = 200 } = {}) {
  const end = Date.now() + 1000 * seconds;
  let trouble = '';
  while (Date.now() < end) {
    const found = await Promise.resolve().then(look).catch((error) => {
      if (error instanceof Hopeless) throw error;
      trouble = `: ${error.message ?? error}`;
    });
    if (found) return found;
    await sleep(pause);
  }
  throw new Error(`not within ${seconds} s: ${what}${trouble}`);
}

export class Stack {
  static async start() {
    const folder = mkdtempSync(join(tmpdir(), 'ordersaga-stories-'));
    const ports = Object.fromEntries(await Promise.all(PARTS.map(async (part) => [part, await freePort()])));
    const stack = new Stack(folder, ports);
    try {
      await until('the local stack runs', () => {
        if (stack.#process.exitCode !== null) throw new Hopeless(readFileSync(join(folder, 'terminal'), 'utf8'));
        return readFileSync(join(folder, 'terminal'), 'utf8').includes('Running until Ctrl-C');
      }, { seconds: START / 1000 });
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  #process;
  #pages = [];
  #number = 0;

  constructor(folder, ports) {
    this.folder = folder;
    this.ports = ports;
    this.namespace = 'shop';
    const env = { ...process.env, ORDERSAGA_LOCAL_FOLDER: folder,
      ...Object.fromEntries(PARTS.map((part) => [`ORDERSAGA_LOCAL_${part.toUpperCase()}_PORT`, String(ports[part])])),
      // an undo that is stuck is given up at once: stories don't wait for a person's sake
      ORDERSAGA_COMPENSATION_ATTEMPTS: '3', ORDERSAGA_COMPENSATION_SECONDS: '1' };
    this.#process = spawn('./run-local.sh', ['--no-demo'], { cwd: ROOT, env });
    const said = createWriteStream(join(folder, 'terminal'));
    this.#process.stdout.pipe(said);
    this.#process.stderr.pipe(said);
  }

  async stop() {
    for (const page of this.#pages) page.kill('SIGTERM');
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGTERM');
      await new Promise((ended) => { this.#process.once('exit', ended); });
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** An unused order id that names its story. */
  newId(story) {
    this.#number += 1;
    return `o-${story}-${this.#number}`;
  }

  /** Orders two mugs over REST; `changes` replace parts of the body. */
  async place(order, changes = {}) {
    const body = { order_id: order, customer_id: 'c-17', currency: 'EUR', items: [{ product_id: 'p-mug', quantity: 2 }],
      payment: { method_ref: 'test-ok' }, ship_to: { address_ref: 'a-17' }, ...changes };
    await this.rest('order', 'POST', '/api/orders', body, { 'Idempotency-Key': order });
    return order;
  }

  /** One that is paid and whose refund fails, so that a person has to decide. */
  async placeStuck(order) {
    await this.place(order, { payment: { method_ref: 'test-refund-stuck' }, ship_to: { address: {
      name: 'S. Pole', street: 'Ice 1', city: 'Amundsen', postal_code: '0', country: 'AQ' } } });
    await this.phase(order, 'Failed');
    return order;
  }

  /** The payment provider refunds this order from now on. */
  async repair(order) { await this.rest('payment', 'POST', '/api/payments/test/repair', { order_id: order }); }

  async rest(service, method, path, body, headers = {}) {
    const token = readFileSync(join(this.folder, 'data/control-plane/ordersaga-staff.tokens', service), 'utf8');
    const answer = await fetch(`http://127.0.0.1:${this.ports[service]}${path}`, { method, body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}`, ...headers } });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async kubectl(...words) {
    const { stdout } = await run(join(this.folder, 'kubectl'), [...words, '--namespace', this.namespace]);
    return stdout.trim();
  }

  /** The resource as the API server has it. */
  async saga(order) { return JSON.parse(await this.kubectl('get', 'ordersaga', order, '-o', 'json')); }

  /** Waits until it is in this phase; the resource. */
  phase(order, phase) {
    return until(`${order} is ${phase}`, async () => {
      const saga = await this.saga(order);
      return saga.status?.phase === phase && saga;
    });
  }

  /** Waits until it stands at this step and has tried it. */
  standsAt(order, step) {
    return until(`${order} stands at ${step}`, async () => (await this.saga(order)).status?.currentStep === step);
  }

  /** Cancels it, if it hasn't ended by itself: nothing is left to be called. */
  async end(order) { await this.kubectl('saga', 'cancel', order).catch(({ stderr }) => { if (!/makes no sense/.test(stderr)) throw new Error(stderr); }); }

  /** A kubeconfig of somebody with these ClusterRoles in the namespace. */
  async person(name, ...roles) {
    await this.kubectl('create', 'serviceaccount', name);
    for (const role of roles) {
      await this.kubectl('create', 'rolebinding', `${name}-${role}`, `--clusterrole=${role}`, `--serviceaccount=${this.namespace}:${name}`);
    }
    const config = JSON.parse(await this.kubectl('config', 'view', '--raw', '--minify', '-o', 'json'));
    config.users[0].user = { token: await this.kubectl('create', 'token', name) };
    config.contexts[0].context.namespace = this.namespace;
    const path = join(this.folder, `${name}.kubeconfig`);
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }

  /** `kubectl saga ui` as its user types it; the address that it prints. */
  async page(kubeconfig, ...options) {
    const page = spawn(join(this.folder, 'kubectl'), ['saga', 'ui', '--no-browser', '--kubeconfig', kubeconfig, ...options]);
    this.#pages.push(page);
    let said = '';
    page.stderr.on('data', (text) => { said += text; });
    for await (const line of createInterface(page.stdout)) return line;
    throw new Error(`kubectl saga ui: ${said}`);
  }

  /** The processes of this stack whose command has these words. */
  pids(words) {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return command.includes(words) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`ORDERSAGA_LOCAL_FOLDER=${this.folder}\0`);
      } catch {
        return false; // it has ended, or is somebody else's
      }
    }).map(Number);
  }

  /** Sends a signal to a part: `operator`, `apiserver` or a service. Its supervisor starts again what ends by it. */
  signal(part, name) {
    const words = { operator: '-m saga_operator', apiserver: 'kube-apiserver ' }[part] ?? `services.${part}`;
    const found = this.pids(words);
    if (!found.length) throw new Error(`no process is the ${part} (${words})`);
    for (const pid of found) process.kill(pid, name);
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((ready) => { server.listen(0, '127.0.0.1', ready); });
  const { port } = server.address();
  await new Promise((closed) => { server.close(closed); });
  return port;
}
