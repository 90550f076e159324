/** Links to logs, traces and dashboards, made from the installation's templates. Pure. */

import type { OrderSaga } from '../timeline/model';

export interface Link { name: string; url: string }

const CORRELATION = 'ordersaga.io/correlation-id';

/** Those whose blanks can all be filled, and that lead to http(s): a template is somebody's setting. */
export function linksOf(templates: readonly Link[], saga: OrderSaga, trace = ''): Link[] {
  const values: Record<string, string | undefined> = {
    order: saga.metadata?.name,
    namespace: saga.metadata?.namespace,
    customer: saga.spec?.customerID,
    correlation: saga.metadata?.annotations?.[CORRELATION],
    start: saga.status?.startTime ?? saga.metadata?.creationTimestamp,
    end: saga.status?.completionTime ?? 'now',
    trace: trace || undefined,
  };
  return templates.flatMap(({ name, url }) => {
    let isWhole = true;
    const made = url.replaceAll(/\{(\w+)\}/g, (_, key: string) => {
      const value = values[key];
      if (value === undefined) isWhole = false;
      return encodeURIComponent(value ?? '');
    });
    return isWhole && /^https?:\/\//.test(made) ? [{ name, url: made }] : [];
  });
}
