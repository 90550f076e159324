import type { OrderSaga } from './timeline/model';

declare module 'svelte/elements' {
  interface SvelteHTMLElements {
    'saga-timeline': { saga?: OrderSaga; now?: number; show?: 'picture' | 'table' | 'both' };
  }
}
