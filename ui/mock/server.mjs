/** The server's answers without a cluster: for `npm run dev` and the tests of the page.
 *
 *  `fixtures.json` has real sagas as the API server showed them, with what `kubectl saga` says of them; two of them (o-1037,
 *  which nobody has begun, and o-1038, whose payment is down) were made from another one by hand. */

import { readFileSync } from 'node:fs';

const FIXTURES = JSON.parse(readFileSync(new URL('./fixtures.json', import.meta.url), 'utf8'));
const NOW = Date.parse(FIXTURES[0].now);
const BEGUN = Date.now();
const FINISHED = new Set(['Completed', 'Compensated']);
const RANK = ['Failed', 'Compensating', 'Suspended', 'Pending', 'Running', 'Compensated', 'Completed'];

/** What tests may change. `many`: so many rows are there; `may`: whether the viewer may change something;
 *  `cut`: streams are refused; `stopped`: no operator works; `paused`: payment is. `asked`: what was posted. */
export const world = { many: 0, may: true, cut: false, stopped: false, paused: false, asked: [], streams: new Set() };

const PARTICIPANTS = ['order', 'inventory', 'payment', 'shipping', 'notification'].map((name) => ({
  name, state: { payment: 'down', shipping: 'paused', notification: 'unknown' }[name] ?? 'up', since: new Date(NOW - 240_000).toISOString(),
  reason: { payment: 'NoAnswer', shipping: 'Paused' }[name] ?? 'Answering',
  message: { payment: 'several orders in a row got no usable answer; calls wait and single ones probe', shipping: 'spec.state is Paused: the carrier moves' }[name] ?? '',
}));

const now = () => new Date(NOW + Date.now() - BEGUN).toISOString();

let made = { many: -1, rows: [] };

function rows() {
  if (made.many === world.many && made.paused === world.paused) return made.rows;
  const held = { reason: 'ParticipantPaused', trouble: 'ParticipantPaused' };
  const found = FIXTURES.map(({ row }) => (world.paused && row.trouble === 'WaitingForDownstream' ? { ...row, ...held } : row));
  for (let number = 0; found.length < world.many; number += 1) {
    const row = FIXTURES[number % FIXTURES.length].row;
    found.push({ ...row, name: `o-${20000 + number}`, created: new Date(NOW - 60_000 * (number % 5000)).toISOString() });
  }
  made = { many: world.many, paused: world.paused, rows: found };
  return found;
}

function list(query) {
  const all = (key) => (query.get(key) ?? '').split(',').filter(Boolean);
  const [phases, steps, reasons] = [all('phase'), all('step'), all('reason')];
  const found = rows().filter((row) =>
    (phases.length ? phases.includes(row.phase) : query.get('finished') || !FINISHED.has(row.phase))
    && (!steps.length || steps.includes(row.step)) && (!reasons.length || reasons.includes(row.reason) || reasons.includes(row.trouble))
    && (!query.get('customer') || row.customer === query.get('customer')) && row.name.includes(query.get('q') ?? '')
    && (!query.get('needs_person') || row.needs_person));
  const sort = query.get('sort') ?? 'phase';
  const key = (row) => (sort === 'phase' ? RANK.indexOf(row.phase) : sort === 'age' ? -Date.parse(row.created) : row[sort]);
  const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
  found.sort((one, other) => compare(key(one), key(other)) || compare(one.name, other.name));
  if (query.get('reverse')) found.reverse();
  const [totals, groups] = [{}, {}];
  for (const row of found) {
    totals[row.phase] = (totals[row.phase] ?? 0) + 1;
    if (!row.trouble) continue;
    const group = (groups[`${row.trouble} ${row.step}`] ??= { trouble: row.trouble, step: row.step, number: 0, oldest: row.created, needs_person: row.needs_person, example: row.name });
    group.number += 1;
  }
  const skip = Number(query.get('skip') ?? 0);
  return {
    items: found.slice(skip, skip + Number(query.get('limit') ?? 100)), total: found.length, totals, needing: found.filter((row) => row.needs_person).length, now: now(), live: true, since: null, why: '', complete: true,
    operator: { works: !world.stopped, since: new Date(Date.parse(now()) - (world.stopped ? 34_000 : 1000)).toISOString(), why: '', to_do: world.stopped ? 'start it, and look into its log' : '' },
    participants: PARTICIPANTS.map((each) => ({ ...each, waiting: rows().filter((row) => ['WaitingForDownstream', 'ParticipantPaused'].includes(row.trouble) && row.step === each.name).length })),
    groups: Object.values(groups).sort((one, other) => other.needs_person - one.needs_person || other.number - one.number),
  };
}

function one(name) {
  const found = FIXTURES.find(({ row }) => row.name === name);
  return found ? { ...found, now: now(), actions: world.may ? found.actions : [] } : null;
}

function acted(asked) {
  const names = asked.orders ?? list(new URLSearchParams(asked.filter)).items.map((row) => row.name);
  const apt = (name) => FIXTURES.find(({ row }) => row.name === name)?.actions.find((action) => action.name === asked.action);
  const results = names.filter(apt).map((name) => ({ name, ok: true, says: asked.dry_run ? `would ${apt(name).says}` : 'asked again' }));
  return { results, left: names.filter((name) => !apt(name)).map((name) => ({ name, why: 'its step is done' })) };
}

/** Answers what is under ./api/; false if it is something else. */
export function answer(request, response) {
  const url = new URL(request.url, 'http://mock');
  const path = /\/api\/(.+)$/.exec(url.pathname)?.[1];
  if (!path) return false;
  const send = (body, status = 200) => {
    response.writeHead(status, { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json' });
    response.end(JSON.stringify(body));
  };
  if (path === 'context') {
    send({
      server: 'https://127.0.0.1:16443', namespace: 'shop', user: 'admin', may: { patch: world.may }, version: '0.1.0', pivot: 'confirmation',
      steps: ['order', 'inventory', 'payment', 'shipping', 'confirmation', 'notification'],
      sign_in: '', links: [{ name: 'Logs', url: 'https://logs.example/?order={order}' }, { name: 'Trace', url: 'https://traces.example/?id={correlation}' }],
    });
  } else if (path === 'sagas') send(list(url.searchParams));
  else if (path.startsWith('sagas/')) {
    const found = one(decodeURIComponent(path.slice(6)));
    send(found ?? { title: 'Not done', detail: 'there is no such order', status: 404 }, found ? 200 : 404);
  } else if (path === 'events') {
    if (world.cut) return send({ title: 'Not done', detail: 'the API server does not answer', status: 502 }, 502), true;
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const event = (kind, data) => response.write(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`);
    const tell = () => {
      event('live', { live: true });
      event('list', list(url.searchParams));
      if (url.searchParams.get('saga')) event('saga', one(url.searchParams.get('saga')));
    };
    tell();
    const timer = setInterval(tell, 15_000);
    world.streams.add(response);
    response.on('close', () => { clearInterval(timer); world.streams.delete(response); });
  } else if (path === 'actions') {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => { const asked = JSON.parse(body); world.asked.push(asked); send(acted(asked)); });
  } else return false;
  return true;
}
