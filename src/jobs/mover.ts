import { setTimeout as sleep } from 'node:timers/promises';
import { createContext, type Services } from '../context.js';
import { newId } from '../db/id.js';
import { expireMoveLeases, runMoves } from '../move/move.runner.js';

/** How long a new move waits at most until it begins, in milliseconds. */
const PAUSE = 2_000;

/**
 * Works on the moves between storages until stopped; stopping waits for the document in hand.
 *
 * @param alone whether this is the only process on the database: then what looks under way was left by a dead one
 */
export async function startMover(services: Services, alone: boolean): Promise<{ stop: () => Promise<void> }> {
  const ctx = () => createContext(services, { requestId: `move-${newId()}`, viewer: null, baseUrl: '' });
  const stopping = new AbortController();
  if (alone) await expireMoveLeases(ctx());
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await runMoves(ctx(), () => stopping.signal.aborted).catch((err: unknown) => services.log.error({ err }, 'moves are interrupted'));
      await sleep(PAUSE, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
    }
  })();
  return {
    stop: () => {
      stopping.abort();
      return running;
    },
  };
}
