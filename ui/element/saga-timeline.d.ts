/** <saga-timeline>: one OrderSaga as a picture, and as a table for who can't see it. Importing the module defines the element. */
export declare class SagaTimeline extends HTMLElement {
  /** The resource as the API server shows it. */
  saga: unknown;
  /** The clock of who sent it: milliseconds, or RFC 3339 to set it. */
  get now(): number;
  set now(now: number | string);
}

declare global {
  interface HTMLElementTagNameMap { 'saga-timeline': SagaTimeline }
}
