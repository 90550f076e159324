/** Views that somebody keeps in this browser. */

export interface Saved { name: string; search: string }

const KEY = 'ordersaga.views';
const MOST = 30;

/** Views that come with the page: what people look for most. */
export const BUILT_IN: readonly Saved[] = [
  { name: 'Open', search: '' },
  { name: 'Needs a person', search: '?needs_person=1' },
  { name: 'Stuck', search: '?phase=Failed' },
  { name: 'Older than an hour', search: '?older=1h' },
  { name: 'All of today', search: '?newer=1d&finished=1&sort=age' },
];

/** What is kept; nothing if the browser keeps nothing, or something else lies there. */
export function load(storage: Pick<Storage, 'getItem'>): Saved[] {
  try {
    const found: unknown = JSON.parse(storage.getItem(KEY) ?? '[]');
    return Array.isArray(found) ? found.filter(isSaved).slice(0, MOST) : [];
  } catch {
    return [];
  }
}

/** The views with this one among them: a name is there once, the newest counts. */
export function keep(views: Saved[], view: Saved): Saved[] {
  return [...views.filter((each) => each.name !== view.name), view].slice(-MOST);
}

export function store(storage: Pick<Storage, 'setItem'>, views: Saved[]): void {
  try {
    storage.setItem(KEY, JSON.stringify(views));
  } catch {
    // a browser that keeps nothing shows them until it is closed
  }
}

const isSaved = (each: unknown): each is Saved =>
  typeof (each as Saved)?.name === 'string' && typeof (each as Saved)?.search === 'string';
