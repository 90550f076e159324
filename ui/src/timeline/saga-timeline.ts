/** <saga-timeline>: one OrderSaga as a picture (SVG) and as a table, which says the same to who can't see it.
 *
 *  In: properties `saga` (the resource as JSON) and `now` (milliseconds, or RFC 3339: the clock of who sent it).
 *  Attribute `show`: `picture` or `table` leaves the other one out, `both` shows both; without it the table is there for who
 *  can't see the picture. Steps go to the right, what was undone back to the left; where there is less room than for
 *  that, downwards and back up. Marks and attempts take the focus: arrow keys walk through them. */

import { type Column, type Dot, type Lane, type OrderSaga, type Picture, pictureOf, reached, says, type Sign } from './model';
import { CSS } from './style';
import { after, count, moment, span, took } from './words';

const NARROW = 620; // pixels: below that six names side by side run into each other
const RADIUS = 12;
const GLYPHS: Partial<Record<Sign, string>> = {
  done: 'M-5 0.5 L-1.5 4 L5 -4', refused: 'M-4 -4 L4 4 M4 -4 L-4 4', stuck: 'M-4 -4 L4 4 M4 -4 L-4 4',
  now: 'M-2.5 -4.5 L4.5 0 L-2.5 4.5 Z', undoing: 'M2.5 -4.5 L-4.5 0 L2.5 4.5 Z', 'left-out': 'M-4.5 0 L4.5 0',
  nothing: 'M-3.5 0 a3.5 3.5 0 1 0 7 0 a3.5 3.5 0 1 0 -7 0',
};

type Attributes = Record<string, string | number>;
type Child = Node | string;

/** Where things lie: a mark's place in its lane, and its dots and words beside or below it. */
interface Layout {
  width: number; height: number; isFlat: boolean;
  mark: (place: number, isUndo: boolean) => [number, number];
}

export class SagaTimeline extends HTMLElement {
  #saga: OrderSaga | undefined;
  #now = Date.now();
  #ticking: (() => void)[] = [];
  #drawn = '';
  #focused = '';
  readonly #root = this.attachShadow({ mode: 'open' });
  readonly #picture = html('div', { class: 'picture' });
  readonly #detail = html('p', { class: 'detail', 'aria-live': 'polite' });
  readonly #table = html('div', { class: 'table', tabindex: 0, role: 'region', 'aria-label': 'Every attempt' });
  readonly #watcher = new ResizeObserver(() => this.#draw());

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.append(this.#picture, this.#detail, this.#table);
    this.#picture.addEventListener('keydown', (event) => this.#walk(event as KeyboardEvent));
    for (const kind of ['focusin', 'pointerover']) this.#picture.addEventListener(kind, (event) => this.#tell(event.target));
    this.#picture.addEventListener('pointerleave', () => this.#tell(this.#root.activeElement));
    this.#picture.addEventListener('focusout', () => { this.#focused = ''; this.#tell(null); });
  }

  get saga(): OrderSaga | undefined { return this.#saga; }
  set saga(saga: OrderSaga | undefined) { this.#saga = saga; this.#drawn = ''; this.#draw(); }

  get now(): number { return this.#now; }
  set now(now: number | string) {
    this.#now = typeof now === 'number' ? now : (moment(now) ?? this.#now);
    for (const tick of this.#ticking) tick();
  }

  connectedCallback(): void { this.#watcher.observe(this); this.#draw(); }
  disconnectedCallback(): void { this.#watcher.disconnect(); }

  /** Draws again if the saga or the layout is another one, and keeps the focus where it was. */
  #draw(): void {
    if (!this.#saga || !this.isConnected) return;
    const isFlat = this.clientWidth === 0 || this.clientWidth >= NARROW;
    const key = `${isFlat} ${isFlat ? 0 : this.clientWidth}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    this.#ticking = [];
    const picture = pictureOf(this.#saga);
    const focused = this.#focused;
    const show = this.getAttribute('show');
    if (show !== 'picture') this.#table.replaceChildren(this.#tableOf(picture));
    if (show === 'table') return;
    this.#picture.replaceChildren(this.#svg(picture, layoutOf(picture, isFlat, this.clientWidth)));
    const stops = this.#stops();
    const kept = stops.find((stop) => stop.dataset['key'] === focused);
    (kept ?? stops[0])?.setAttribute('tabindex', '0');
    if (kept) kept.focus(); else this.#tell(null);
  }

  #svg(picture: Picture, layout: Layout): SVGElement {
    const { columns } = picture;
    const parts: Child[] = [];
    if (picture.pivot > 0) parts.push(...pivotLine(picture, layout));
    for (const isUndo of picture.hasUndo ? [false, true] : [false]) {
      const ends = reached(columns.map((column) => (isUndo ? column.undo : column.do)));
      if (ends) parts.push(...way(columns, ends, isUndo, layout));
    }
    columns.forEach((column, place) => {
      const [x, y] = layout.mark(place, false);
      const idle = column.do.sign === 'not-yet' && !column.isCurrent ? ' idle' : '';
      parts.push(layout.isFlat
        ? svg('text', { class: `name${idle}`, x, y: y - 24, 'text-anchor': 'middle' }, column.name)
        : svg('text', { class: `name${idle}`, x: 0, y: y + 5 }, column.name));
      parts.push(...this.#lane(picture, column, false, layout, place));
      if (picture.hasUndo && column.undo.sign !== 'blank') parts.push(...this.#lane(picture, column, true, layout, place));
    });
    const label = `Order ${this.#saga?.metadata?.name ?? ''}, ${this.#saga?.status?.phase ?? 'Pending'}: its steps`;
    return svg('svg', { viewBox: `0 0 ${layout.width} ${layout.height}`, role: 'group', 'aria-label': label }, ...parts);
  }

  *#lane(picture: Picture, column: Column, isUndo: boolean, layout: Layout, place: number): Generator<SVGElement> {
    const lane = isUndo ? column.undo : column.do;
    const [x, y] = layout.mark(place, isUndo);
    const isBusy = lane.sign === 'now' || lane.sign === 'undoing';
    const glyph = GLYPHS[lane.sign];
    const told = `${column.name}${isUndo ? ', undo' : ''}: ${says(lane.sign, isUndo)}`;
    const more = [column.externalID && !isUndo ? `as ${column.externalID}` : '', lane.why].filter(Boolean).join('. ');
    yield svg('g', { class: `mark ${lane.sign}`, ...stop(`${place}${isUndo}`, more ? `${told}. ${more}` : told), transform: `translate(${x} ${y})` },
      ...(isBusy ? [svg('circle', { class: 'pulse', r: RADIUS + 3 })] : []),
      svg('circle', { class: 'focus', r: RADIUS + 4 }), svg('circle', { class: 'ring', r: RADIUS }),
      ...(glyph ? [svg('path', { d: glyph })] : lane.sign === 'unknown' ? [svg('text', { y: 5 }, '?')] : []));
    const [left, dotsY] = layout.isFlat ? [x - (lane.dots.length - 1) * 5.5, y + 26] : [x + RADIUS + 12, y - 6];
    for (const [at, dot] of lane.dots.entries()) {
      yield svg('g', { class: `dot ${inkOf(dot)}${dot.recorded ? '' : ' whole'}`, transform: `translate(${left + at * 11} ${dotsY})`,
        ...stop(`${place}${isUndo}${at}`, this.#attempt(picture, column, lane, isUndo, at)) },
        svg('circle', { class: 'hit', r: 9 }), svg('circle', { class: 'focus', r: 6 }), svg('circle', { class: 'seen', r: 3.5 }));
    }
    const words = layout.isFlat ? { x, y: y + 46, 'text-anchor': 'middle' } : { x: x + RADIUS + 8, y: y + 12 };
    const line = svg('text', { class: `small${lane.sign === 'stuck' ? ' bad' : ''}`, ...words });
    const due = svg('text', { class: 'small due', ...words, y: words.y + 15 });
    this.#tick(() => {
      line.textContent = timesOf(lane, this.#now, layout.isFlat);
      due.textContent = column.isCurrent && (isUndo || lane.sign === 'now') ? this.#due(picture) : '';
    });
    yield line;
    yield due;
  }

  #due({ again, waiting }: Picture): string {
    if (this.#saga?.status?.phase === 'Suspended') return 'suspended';
    if (waiting !== undefined) return `waits, ${span(this.#now - waiting)}`;
    return again === undefined ? '' : again <= this.#now ? 'again now' : `again in ${span(again - this.#now)}`;
  }

  #attempt(picture: Picture, column: Column, lane: Lane, isUndo: boolean, at: number): string {
    const dot = lane.dots[at]!;
    const all = Math.max(lane.times, lane.dots.length);
    const which = dot.recorded ? `attempt ${all - lane.dots.length + at + 1} of ${all}` : count(all, 'attempt');
    const what = `${column.name}${isUndo ? ', undo' : ''}, ${which}`;
    const reason = dot.reason && dot.reason !== dot.outcome ? ` (${dot.reason})` : '';
    const ms = dot.ms === undefined ? '' : `, after ${dot.ms} ms`;
    const clock = dot.at === undefined ? '' : `, ${after(dot.at - picture.origin)}, ${new Date(dot.at).toLocaleTimeString()}`;
    return `${what}: ${dot.outcome}${reason}${ms}${clock}`;
  }

  #tableOf({ columns, origin }: Picture): HTMLElement {
    const heads = ['Step', 'Way', 'State', 'Began', 'Took', 'Tries', 'Why'];
    const rows: HTMLElement[] = [];
    for (const column of columns) {
      for (const [isUndo, lane] of [[false, column.do], [true, column.undo]] as const) {
        if (isUndo && !lane.state) continue;
        const began = lane.began === undefined ? '' : after(lane.began - origin);
        const ink = isUndo ? { Undone: 'done', Failed: 'stuck', Undoing: 'undoing' }[lane.state] ?? '' : stateInk(lane.state);
        rows.push(row('', isUndo ? '' : column.name, column.name, ink, isUndo ? 'undo' : 'do', lane.state, began,
          lane.ended === undefined || lane.began === undefined ? '' : took(lane.ended - lane.began), String(lane.times || ''), lane.why));
        for (const dot of lane.dots.filter((each) => each.recorded)) {
          const at = dot.at === undefined ? '' : after(dot.at - origin);
          rows.push(row('try', '', column.name, inkOf(dot), '', dot.outcome, at, `${dot.ms ?? 0} ms`, '', dot.reason));
        }
      }
    }
    const titles = heads.map((head) => html('th', { scope: 'col', role: 'columnheader' }, head));
    return html('table', { role: 'table', 'aria-label': 'Every step, and each attempt that is recorded' },
      html('thead', { role: 'rowgroup' }, html('tr', { role: 'row' }, ...titles)), html('tbody', { role: 'rowgroup' }, ...rows)); // roles: narrow ones are no table to a browser
  }

  #tick(tick: () => void): void { this.#ticking.push(tick); tick(); }

  #stops(): SVGElement[] { return [...this.#picture.querySelectorAll<SVGElement>('[data-key]')]; }

  #walk(event: KeyboardEvent): void {
    const stops = this.#stops();
    const at = stops.indexOf(this.#root.activeElement as SVGElement);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: stops.length - 1 }[event.key];
    const next = to === undefined ? undefined : stops[to];
    if (!next || at < 0) return;
    event.preventDefault();
    stops[at]?.setAttribute('tabindex', '-1');
    next.setAttribute('tabindex', '0');
    next.focus();
  }

  #tell(target: EventTarget | null): void {
    const found = target instanceof Element ? target.closest<SVGElement>('[data-key]') : null;
    if (found && found === this.#root.activeElement) this.#focused = found.dataset['key'] ?? '';
    const [what = '', ...rest] = (found?.getAttribute('aria-label') ?? '').split(': ');
    this.#detail.replaceChildren(...(found ? [html('b', {}, what), `: ${rest.join(': ')}`] : ['Each dot is an attempt. Point at one, or walk with the arrow keys.']));
  }
}

function layoutOf(picture: Picture, isFlat: boolean, width: number): Layout {
  const number = picture.columns.length;
  if (isFlat) {
    const step = 160;
    return { isFlat, width: number * step, height: picture.hasUndo ? 218 : 122,
      mark: (place, isUndo) => [(place + 0.5) * step, isUndo ? 140 : 46] };
  }
  const step = 58;
  const names = 98;
  const back = names + (width - names) * 0.46;
  return { isFlat, width, height: number * step + 8, mark: (place, isUndo) => [(isUndo ? back : names) + RADIUS, (place + 0.5) * step] };
}

/** The line from the first mark that was reached to the last, with an arrow at each that it arrives at. */
function* way(columns: Column[], [first, last]: [number, number], isUndo: boolean, layout: Layout): Generator<SVGElement> {
  const isEmpty = (place: number): boolean => (isUndo && columns[place]?.undo.sign === 'blank');
  for (let place = first; place < last; place += 1) {
    const [[x1, y1], [x2, y2]] = [layout.mark(place, isUndo), layout.mark(place + 1, isUndo)];
    const [from, to] = [isEmpty(place) ? 0 : RADIUS + 5, isEmpty(place + 1) ? 0 : RADIUS + 5];
    const arrow = (x: number, y: number, turn: number): SVGElement =>
      svg('path', { class: 'arrow', d: 'M0 0 L-8 -4.5 L-8 4.5 Z', transform: `translate(${x} ${y}) rotate(${turn})` });
    yield svg('path', { class: 'way', d: layout.isFlat ? `M${x1 + from} ${y1} H${x2 - to}` : `M${x1} ${y1 + from} V${y2 - to}` });
    if (isUndo && from) yield layout.isFlat ? arrow(x1 + from - 2, y1, 180) : arrow(x1, y1 + from - 2, 270);
    if (!isUndo && to) yield layout.isFlat ? arrow(x2 - to + 2, y2, 0) : arrow(x2, y2 - to + 2, 90);
  }
}

function pivotLine({ pivot }: Picture, { isFlat, mark, width, height }: Layout): SVGElement[] {
  const [[x1, y1], [x2, y2]] = [mark(pivot - 1, false), mark(pivot, false)];
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const words = 'pivot: beyond it only forward';
  return isFlat
    ? [svg('path', { class: 'pivot', d: `M${x} 6 V${height - 4}` }), svg('text', { class: 'small', x: x + 7, y: height - 6 }, words)]
    : [svg('path', { class: 'pivot', d: `M0 ${y} H${width}` }), svg('text', { class: 'small', x: width, y: y - 4, 'text-anchor': 'end' }, 'pivot')];
}

/** Where there is little room it has to do with fewer letters: `5× · 8 min`. */
function timesOf(lane: Lane, now: number, isWide: boolean): string {
  const single = lane.dots.length === 1 && lane.times === 1 ? lane.dots[0]?.ms : undefined;
  const length = lane.began === undefined ? '' : lane.ended !== undefined
    ? (single !== undefined && lane.ended - lane.began < 1000 ? `${single} ms` : took(lane.ended - lane.began))
    : `${isWide ? 'for ' : ''}${span(now - lane.began)}`;
  const times = isWide ? count(lane.times, 'try', 'tries') : `${lane.times}×`;
  return [lane.times > 1 ? times : '', length].filter(Boolean).join(' · ');
}

const inkOf = ({ outcome }: Dot): Sign =>
  ['Succeeded', 'Undone', 'Compensated'].includes(outcome) ? 'done' : outcome === 'Refused' ? 'refused' : outcome === 'InProgress' ? 'now' : 'unknown';
const stateInk = (state: string): Sign =>
  ({ Succeeded: 'done', Refused: 'refused', Unknown: 'unknown', Skipped: 'left-out' } as Record<string, Sign>)[state] ?? 'not-yet';

/** A stop of the arrow keys. `told` is what the line below says, and what is read aloud. */
const stop = (key: string, told: string): Attributes => ({ tabindex: -1, 'data-key': key, role: 'img', 'aria-label': told });

function row(kind: string, head: string, step: string, ink: string, ...[way, state, began, length, times, why]: string[]): HTMLElement {
  const cell = (name: string, text = ''): HTMLElement => html('td', { class: text ? name : `${name} none`, role: 'cell' }, text);
  const title = html('th', { scope: 'row', role: 'rowheader' }, head || html('span', { class: 'unseen' }, step));
  return html('tr', { class: kind, role: 'row' }, title, cell('way', way), cell(`what ${ink}`, state), cell('number', began), cell('number', length),
    cell('number', times && `${times} ×`), cell('why', why));
}

function filled<E extends Element>(element: E, attributes: Attributes, children: Child[]): E {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}
function svg(tag: string, attributes: Attributes, ...children: Child[]): SVGElement {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', tag) as SVGElement, attributes, children);
}
function html(tag: string, attributes: Attributes, ...children: Child[]): HTMLElement {
  return filled(document.createElement(tag), attributes, children);
}

if (!customElements.get('saga-timeline')) customElements.define('saga-timeline', SagaTimeline);
