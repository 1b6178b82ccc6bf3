import type { FastifyInstance } from 'fastify';

/** How many requests begin in one turn of the event loop. */
export const EACH_TURN = 4;

/**
 * Lets requests that come all at once begin a few in each turn of the event loop. Streams, timers and answers of the database
 * wait for a few of them then, and not for all.
 */
export function takeTurns(app: FastifyInstance): void {
  let begun = 0;
  const waiting: (() => void)[] = [];
  const turn = () => {
    const next = waiting.splice(0, EACH_TURN);
    begun = next.length;
    if (begun > 0) setImmediate(turn);
    for (const begin of next) begin();
  };
  app.addHook('onRequest', (_request, _reply, done) => {
    if (begun === 0) setImmediate(turn);
    if (begun === EACH_TURN) waiting.push(done);
    else {
      begun += 1;
      done();
    }
  });
}
