/** How long Docgate waits for a store, in milliseconds, and how often it asks. */
export interface Patience {
  /** Until a connection stands. */
  connect: number;
  /** Until a request without a body is answered, and between two pieces of a body that is read. */
  answer: number;
  /** Until a request that carries a piece of an object, or has the store copy one, is answered. */
  transfer: number;
  /** Of one request, the first one included; between them the SDKs wait, longer each time. */
  attempts: number;
}

export const usualPatience: Patience = { connect: 5_000, answer: 15_000, transfer: 60_000, attempts: 3 };
