/** What the server sends, kept up to date over one stream of events: always with the word whether it is what is. */

import { get, type List, type Liveness, type Over, Problem, type Saga, SIGNED_OUT } from './api';
import { moment } from '../timeline/words';
import { areShared, taken } from './streams';
import { askedOf, type View } from './view';

const SILENCE = 40_000;   // the server says something every 15 s: a stream without a word for longer is a dead one
const IMPATIENCE = 4_000; // without a first word: perhaps a proxy keeps the stream back, so it is asked the simple way
const AGAIN = 10_000;     // between two such questions
const LONGEST = 30_000;   // between two attempts to connect
const TURN = 4_500;     // after which a tab asks again that has no stream, since other tabs have them all: at the next second
const BEHIND = 120_000;  // an older word of the time isn't a late one: a clock was changed
const HIDDEN = 10_000;    // a tab that nobody sees gives its connection back: a browser has six of them for a host

export class Live {
  list = $state.raw<List>();
  /** The open saga; null: it is gone, undefined: nothing is known yet. */
  saga = $state.raw<Saga | null>();
  isLive = $state(false);
  isPaused = $state(false);
  /** It is asked now and then, since other tabs have the streams. */
  isTurns = $state(false);
  /** When it was last known to be live, in milliseconds of the server's clock. */
  since = $state<number>();
  why = $state('');
  /** The cluster doesn't know the viewer any more. */
  isSignedOut = $state(false);
  /** When the open saga was last known to be as it is shown, in milliseconds of the server's clock. */
  asOf = $state<number>();
  /** Now, by the server's clock: ages must not depend on the viewer's. */
  now = $state(Date.now());

  #view: View | undefined;
  #asked = '';
  #source: EventSource | undefined;
  #offset: number | undefined;
  #heard = 0;
  #begun = 0;
  #simple = 0;
  #attempts = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #hiding: ReturnType<typeof setTimeout> | undefined;
  #abort: AbortController | undefined;
  #free: (() => void) | undefined;
  #attempt = 0;

  /** Keeps the page's clock, and watches over the stream. Returns what ends that. */
  start(): () => void {
    const ticker = setInterval(() => this.#tick(), 1000);
    const seen = (): void => this.#seen();
    const online = (): void => { if (!this.isPaused) this.#connect(); };
    if (document.hidden) seen(); // opened behind the tab that one looks at
    document.addEventListener('visibilitychange', seen);
    window.addEventListener('online', online);
    return () => {
      clearInterval(ticker);
      document.removeEventListener('visibilitychange', seen);
      window.removeEventListener('online', online);
      this.#leave();
    };
  }

  /** What is to be shown from now on. */
  follow(view: View): void {
    const asked = askedOf(view) + (view.saga ? `&saga=${encodeURIComponent(view.saga)}` : '');
    if (asked === this.#asked) return;
    if (view.saga !== this.#view?.saga) this.saga = this.asOf = undefined;
    this.#view = view;
    this.#asked = asked;
    if (this.isPaused) void this.#ask(); else this.#connect();
  }

  pause(): void {
    this.isPaused = true;
    this.isLive = false;
    this.since = this.now;
    this.#leave();
  }

  resume(): void {
    this.isPaused = false;
    this.#attempts = 0;
    this.#connect();
  }

  /** Ask once more, at once: after something was changed. */
  refresh(): void { void this.#ask(); }

  #connect(): void {
    this.#disconnect();
    this.#begun = this.#simple = Date.now();
    this.#heard = 0;
    if (this.#free || !areShared()) { this.#stream(); return; }
    const attempt = this.#attempt;
    void taken().then((free) => {
      if (attempt !== this.#attempt) { free?.(); return; } // it has connected since, or isn't seen any more
      this.#free = free;
      this.isTurns = !free;
      if (free) this.#stream(); else void this.#ask();
    });
  }

  #stream(): void {
    this.isTurns = false;
    const source = new EventSource(`./api/events?${this.#asked}`);
    this.#source = source;
    source.addEventListener('list', (event) => this.#listed(JSON.parse(event.data) as List));
    source.addEventListener('saga', (event) => { this.#hear(); this.#told(JSON.parse(event.data) as Saga | null); });
    source.addEventListener('live', (event) => { this.#hear(); this.#liveness(JSON.parse(event.data) as Liveness); });
    source.addEventListener('over', (event) => {
      const { status, why } = JSON.parse(event.data) as Over;
      this.#connectLater(); // a proxy may have another token meanwhile
      this.#refused(status, why);
    });
    source.addEventListener('error', () => {
      this.#lost('the connection is broken');
      // while it is CONNECTING the browser tries by itself; a stream that was refused doesn't say why, an answer does
      if (source.readyState === EventSource.CLOSED) { this.#connectLater(); void this.#ask(); }
    });
  }

  /** Gives the stream to another tab. */
  #leave(): void {
    this.#disconnect();
    this.#free?.();
    this.#free = undefined;
  }

  #disconnect(): void {
    this.#attempt += 1;
    this.#source?.close();
    this.#source = undefined;
    this.#abort?.abort();
    clearTimeout(this.#retry);
  }

  #connectLater(): void {
    this.#source?.close();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), Math.min(LONGEST, 1000 * 2 ** this.#attempts));
    this.#attempts += 1;
  }

  #hear(): void {
    this.isSignedOut = false;
    this.#heard = Date.now();
    this.#attempts = 0;
  }

  #listed(list: List): void {
    this.#hear();
    this.#clock(list.now);
    this.list = list;
    this.#liveness(list);
    if (list.live && !this.saga?.trouble) this.asOf = this.now; // a saga that has not changed is not sent again
  }

  #told(saga: Saga | null): void {
    if (saga) this.#clock(saga.now);
    // one that can't be read now is shown as it was, with the word why
    if (saga?.trouble && !saga.item && this.saga?.item) this.saga = { ...this.saga, trouble: saga.trouble, actions: [] };
    else this.saga = saga;
    if (saga?.item) this.asOf = moment(saga.as_of ?? saga.now);
  }

  #liveness({ live, since, why }: Liveness): void {
    this.isLive = live;
    this.since = live ? undefined : (moment(since) ?? this.since ?? this.now);
    this.why = live ? '' : (why ?? '');
  }

  #lost(why: string): void {
    if (this.isPaused) return;
    if (this.isLive || this.since === undefined) this.since = this.now;
    this.isLive = false;
    this.why = why;
  }

  #refused(status: number, why: string): void {
    this.isSignedOut = status === SIGNED_OUT;
    this.#lost(why);
  }

  #clock(now: string): void {
    const at = moment(now);
    if (at === undefined) return;
    // what was long on its way, or was made before something hung, says an older time: the clock must not jump back
    const offset = at - Date.now();
    const known = this.#offset ?? -Infinity;
    this.#offset = known - offset > BEHIND ? offset : Math.max(known, offset);
    if (!this.isPaused) this.now = Date.now() + this.#offset;
  }

  #tick(): void {
    if (this.isPaused || document.hidden) return;
    this.now = Date.now() + (this.#offset ?? 0);
    if (this.isTurns) {
      if (Date.now() - this.#simple > TURN) this.#connect();
      return;
    }
    const silent = Date.now() - Math.max(this.#heard, this.#begun);
    if (this.#heard && silent > SILENCE) {
      this.#lost('nothing is heard from the server');
      this.#connect();
    } else if (!this.#heard && silent > IMPATIENCE && Date.now() - this.#simple > (this.list ? AGAIN : IMPATIENCE)) {
      this.#lost('the stream of changes does not come through');
      void this.#ask();
    }
  }

  /** The list and the saga without the stream. */
  async #ask(): Promise<void> {
    this.#simple = Date.now();
    this.#abort?.abort();
    const { signal } = (this.#abort = new AbortController());
    const name = this.#view?.saga;
    try {
      const list = await get<List>(`sagas?${askedOf(this.#view!)}`, signal);
      this.#clock(list.now);
      this.list = list;
      this.isSignedOut = false;
      if (this.isTurns) this.#liveness(list);
      if (name) this.#told(await get<Saga>(`sagas/${encodeURIComponent(name)}`, signal));
    } catch (error) {
      if (error instanceof Problem && error.status === 404 && name) this.saga = null;
      else if (error instanceof Problem) this.#refused(error.status, error.message);
    }
  }

  #seen(): void {
    clearTimeout(this.#hiding);
    if (this.isPaused) return;
    if (document.hidden) this.#hiding = setTimeout(() => this.#leave(), HIDDEN);
    else if (!this.#source || this.#source.readyState === EventSource.CLOSED) this.#connect();
  }
}
