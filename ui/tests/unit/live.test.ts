import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Live } from '../../src/lib/live.svelte';
import { viewOf } from '../../src/lib/view';
import { answerOf } from './sagas';

/** A stream whose server is the test. */
class Stream extends EventTarget {
  static readonly CLOSED = 2;
  static all: Stream[] = [];
  readyState = 1;
  constructor(readonly url: string) { super(); Stream.all.push(this); }
  close(): void { this.readyState = 2; }
  say(kind: string, data: unknown): void { this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data) })); }
  break(isOver: boolean): void { if (isOver) this.readyState = 2; this.dispatchEvent(new Event('error')); }
  static get last(): Stream { return Stream.all.at(-1)!; }
  static get open(): Stream[] { return Stream.all.filter(({ readyState }) => readyState !== 2); }
}

const NOW = '2026-11-30T02:55:05Z';
const LIST = { items: [], total: 7, totals: {}, groups: [], now: NOW, live: true, since: null };
let live: Live;
let end: () => void;
let asked: string[];
let isHidden = false;

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime('2030-01-01T00:00:00Z'); // a viewer's clock that is wrong
  vi.stubGlobal('EventSource', Stream);
  asked = [];
  vi.stubGlobal('fetch', async (url: string) => { asked.push(url); return new Response(JSON.stringify(LIST)); });
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => isHidden);
  [Stream.all, isHidden] = [[], false];
  live = new Live();
  end = live.start();
  live.follow(viewOf('?phase=Failed&saga=o-1042'));
});
afterEach(() => { end(); vi.useRealTimers(); vi.restoreAllMocks(); vi.unstubAllGlobals(); });

const see = (hidden: boolean): void => { isHidden = hidden; document.dispatchEvent(new Event('visibilitychange')); };

describe('the stream', () => {
  it('is one for the tab, with the filter and the saga that are seen', () => {
    expect(Stream.open.map(({ url }) => url)).toEqual(['./api/events?phase=Failed&limit=100&saga=o-1042']);
    live.follow(viewOf('?phase=Failed&saga=o-1042'));
    expect(Stream.all).toHaveLength(1);
    live.follow(viewOf('?phase=Suspended'));
    expect(Stream.open.map(({ url }) => url)).toEqual(['./api/events?phase=Suspended&limit=100']);
  });
  it('brings the list and the saga, by the server’s clock', () => {
    Stream.last.say('list', LIST);
    Stream.last.say('saga', answerOf('o-1042'));
    expect([live.list?.total, live.saga?.row?.name, live.isLive]).toEqual([7, 'o-1042', true]);
    vi.advanceTimersByTime(3000);
    expect(new Date(live.now).toISOString()).toBe('2026-11-30T02:55:08.000Z');
  });
  it('never sets the clock back for what was long on its way, but does if a clock was changed', () => {
    Stream.last.say('list', LIST);
    vi.advanceTimersByTime(30_000);
    Stream.last.say('list', { ...LIST, now: '2026-11-30T02:55:11Z' }); // 24 s late
    expect(new Date(live.now).toISOString()).toBe('2026-11-30T02:55:35.000Z');
    vi.advanceTimersByTime(1000);
    expect(new Date(live.now).toISOString()).toBe('2026-11-30T02:55:36.000Z');
    Stream.last.say('list', { ...LIST, now: '2026-11-30T01:55:36Z' });
    expect(new Date(live.now).toISOString()).toBe('2026-11-30T01:55:36.000Z');
  });
  it('says as of when the open saga is known, until it is read again', () => {
    Stream.last.say('saga', { ...answerOf('o-1042'), now: NOW });
    vi.advanceTimersByTime(15_000);
    Stream.last.say('list', { ...LIST, now: '2026-11-30T02:55:20Z' });
    Stream.last.say('saga', { item: null, sentence: null, row: null, now: '2026-11-30T02:55:21Z', actions: [], trouble: 'no answer' });
    vi.advanceTimersByTime(15_000);
    Stream.last.say('list', { ...LIST, now: '2026-11-30T02:55:36Z' });
    expect(new Date(live.asOf!).toISOString()).toBe('2026-11-30T02:55:20.000Z');
    Stream.last.say('saga', { ...answerOf('o-1042'), now: '2026-11-30T02:55:40Z', actions: [], trouble: 'no answer', as_of: '2026-11-30T02:55:25Z' });
    expect(new Date(live.asOf!).toISOString()).toBe('2026-11-30T02:55:25.000Z');
    live.follow(viewOf('?saga=o-1'));
    expect(live.asOf).toBeUndefined();
  });
  it('tells one that is gone from one that is not known yet', () => {
    expect(live.saga).toBeUndefined();
    Stream.last.say('saga', null);
    expect(live.saga).toBeNull();
    live.follow(viewOf('?saga=o-1'));
    expect(live.saga).toBeUndefined();
  });
  it('one that can’t be read for a while stays as it was, with the word why and nothing to press', () => {
    Stream.last.say('saga', answerOf('o-1042'));
    Stream.last.say('saga', { item: null, sentence: null, row: null, now: NOW, actions: [], trouble: 'no answer' });
    expect(live.saga).toMatchObject({ trouble: 'no answer', actions: [], item: { metadata: { name: 'o-1042' } } });
  });
});

describe('not live', () => {
  beforeEach(() => { Stream.last.say('list', LIST); });

  it('is said with the time since when, as the server says it', () => {
    Stream.last.say('live', { live: false, since: '2026-11-30T02:50:00Z', why: 'the watch is lost' });
    expect([live.isLive, new Date(live.since!).toISOString(), live.why]).toEqual([false, '2026-11-30T02:50:00.000Z', 'the watch is lost']);
    Stream.last.say('live', { live: true });
    expect([live.isLive, live.since, live.why]).toEqual([true, undefined, '']);
  });
  it('is said when the connection breaks, and the time does not move on while it stays broken', () => {
    vi.advanceTimersByTime(2000);
    Stream.last.break(false);
    const since = live.since;
    vi.advanceTimersByTime(5000);
    Stream.last.break(false);
    expect([live.isLive, live.since]).toEqual([false, since]);
  });
  it('leads to new connections, further and further apart and never a storm of them', () => {
    Stream.last.break(true);
    for (let second = 0; second < 60; second += 1) {
      vi.advanceTimersByTime(1000);
      if (Stream.last.readyState !== 2) Stream.last.break(true);
    }
    expect(Stream.all.length).toBeGreaterThan(4);
    expect(Stream.all.length).toBeLessThan(9);
  });
  it('is noticed when the server says nothing any more, though the connection seems to stand', () => {
    vi.advanceTimersByTime(39_000);
    expect(live.isLive).toBe(true);
    vi.advanceTimersByTime(3_000);
    expect([live.isLive, Stream.all.length, Stream.open.length]).toEqual([false, 2, 1]);
  });
});

describe('who is signed out', () => {
  const refuse = (status: number, body: string): void => {
    vi.stubGlobal('fetch', async (url: string) => { asked.push(url); return new Response(body, { status }); });
  };

  it('is told so when the server ends the stream, and goes on as soon as a proxy has another token', async () => {
    Stream.last.say('over', { status: 401, why: 'your sign-in has expired' });
    expect([live.isSignedOut, live.isLive, live.why]).toEqual([true, false, 'your sign-in has expired']);
    await vi.advanceTimersByTimeAsync(1500);
    expect(Stream.open).toHaveLength(1);
    Stream.last.say('list', LIST);
    expect([live.isSignedOut, live.isLive]).toEqual([false, true]);
  });
  it('learns it from an answer when the stream is refused, also from a proxy that answers with a page of its own', async () => {
    for (const [status, body] of [[401, '{"detail": "sign in", "sign_in": "/oauth2/start?rd="}'], [403, '<h1>Log in</h1>']] as const) {
      live.isSignedOut = false;
      refuse(status, body);
      Stream.last.break(true);
      await vi.advanceTimersByTimeAsync(10);
      expect(live.isSignedOut).toBe(true);
    }
  });
  it('is not whoever may not see the orders', async () => {
    refuse(403, '{"detail": "you may not see the orders of namespace shop"}');
    Stream.last.break(true);
    await vi.advanceTimersByTimeAsync(10);
    expect([live.isSignedOut, live.why]).toEqual([false, 'you may not see the orders of namespace shop']);
  });
});

describe('a proxy that keeps the stream back', () => {
  it('does not keep the list from who looks: it is asked the simple way, again and again, and said', async () => {
    await vi.advanceTimersByTimeAsync(5500);
    expect(asked).toEqual(['./api/sagas?phase=Failed&limit=100', './api/sagas/o-1042']);
    expect([live.list?.total, live.isLive, live.why]).toEqual([7, false, 'the stream of changes does not come through']);
    await vi.advanceTimersByTimeAsync(12_000);
    expect(asked).toHaveLength(4);
  });
});

describe('many tabs', () => {
  it('one that nobody sees gives its connection back, and takes it again when it is seen', () => {
    see(true);
    vi.advanceTimersByTime(11_000);
    expect(Stream.open).toEqual([]);
    see(false);
    expect(Stream.open).toHaveLength(1);
  });
  it('a short look elsewhere costs no connection', () => {
    see(true);
    vi.advanceTimersByTime(3000);
    see(false);
    vi.advanceTimersByTime(20_000);
    expect(Stream.all).toHaveLength(1);
  });
  it('one that is opened behind another one keeps no connection', () => {
    end();
    isHidden = true;
    const behind = new Live();
    end = behind.start();
    behind.follow(viewOf(''));
    vi.advanceTimersByTime(11_000);
    expect(Stream.open).toEqual([]);
  });
  describe('beyond those that have a stream', () => {
    const locks = { free: false, request: (_: string, __: unknown, got: (lock: object | null) => unknown) => Promise.resolve(got(locks.free ? {} : null)) };
    beforeEach(async () => {
      end();
      Object.defineProperty(navigator, 'locks', { value: locks, configurable: true });
      locks.free = false;
      Stream.all = [];
      live = new Live();
      end = live.start();
      live.follow(viewOf(''));
      await vi.advanceTimersByTimeAsync(100);
    });
    afterEach(() => { Reflect.deleteProperty(navigator, 'locks'); });

    it('ask now and then, and say so', async () => {
      expect([live.isLive, live.isTurns, live.list?.total]).toEqual([true, true, 7]);
      await vi.advanceTimersByTimeAsync(30_000);
      expect([asked.length, Stream.all.length]).toEqual([7, 0]);
    });
    it('take the stream that another one leaves', async () => {
      locks.free = true;
      await vi.advanceTimersByTimeAsync(7000);
      expect([live.isTurns, Stream.open.length]).toEqual([false, 1]);
    });
    it('are not live when nothing answers', async () => {
      vi.stubGlobal('fetch', () => Promise.reject(new TypeError('failed')));
      await vi.advanceTimersByTimeAsync(7000);
      expect(live.isLive).toBe(false);
    });
  });
});

describe('pause', () => {
  it('holds what is seen and the clock, closes the stream, and goes on where it was', () => {
    Stream.last.say('list', LIST);
    live.pause();
    const before = live.now;
    vi.advanceTimersByTime(60_000);
    expect([Stream.open.length, live.now, live.isLive, live.isPaused]).toEqual([0, before, false, true]);
    live.resume();
    Stream.last.say('list', { ...LIST, total: 8 });
    expect([live.list?.total, live.isLive, live.since]).toEqual([8, true, undefined]);
  });
  it('still shows another filter, once', async () => {
    live.pause();
    live.follow(viewOf('?phase=Suspended'));
    await vi.advanceTimersByTimeAsync(30_000);
    expect(asked).toEqual(['./api/sagas?phase=Suspended&limit=100']);
    expect(Stream.open).toEqual([]);
  });
});
