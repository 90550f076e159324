/** A browser has six connections for a host, and a stream of events keeps one for itself. So the tabs of a page share a few
 *  streams, and the others ask now and then: with seven streams the seventh tab, and every action, would wait for ever. */

const STREAMS = 4; // two connections are left for what tabs ask

/** Whether this browser can tell its tabs apart: on its own machine, or over HTTPS. */
export const areShared = (): boolean => Boolean((navigator as { locks?: LockManager | null }).locks);

/** One of them: what gives it back, or undefined if all are taken. A tab that is closed gives its own back. */
export async function taken(): Promise<(() => void) | undefined> {
  for (let number = 0; number < STREAMS; number += 1) {
    const free = await new Promise<(() => void) | undefined>((decided) => {
      void navigator.locks.request(`ordersaga.stream.${number}`, { ifAvailable: true },
        (lock) => (lock ? new Promise<void>((end) => { decided(end); }) : decided(undefined)));
    });
    if (free) return free;
  }
  return undefined;
}
