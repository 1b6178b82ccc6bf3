import type { Locker } from '@tus/utils';
import { UploadBusyError } from './lease.js';

/** How long a newcomer waits for the request before it to let go, in milliseconds. */
const PATIENCE = 20_000;

interface Holder {
  release: () => void | Promise<void>;
  gone: Promise<void>;
}

/**
 * Who has an upload in this process. A client whose connection broke comes again before we have noticed: the request that
 * it left behind is asked to end, and the newcomer waits for that. Among processes the lease of the upload decides.
 * The library's own lock for this keeps a processor busy while it waits.
 */
export function createTusLocks(): Locker {
  const holders = new Map<string, Holder>();
  return {
    newLock(id) {
      let free: () => void = () => {};
      return {
        async lock(_signal, release) {
          const until = Date.now() + PATIENCE;
          for (let holder = holders.get(id); holder; holder = holders.get(id)) {
            await holder.release();
            if (!(await endsBefore(holder.gone, until))) throw new UploadBusyError();
          }
          const gone = new Promise<void>((resolve) => {
            free = resolve;
          });
          holders.set(id, { release, gone });
        },
        async unlock() {
          holders.delete(id);
          free();
        },
      };
    },
  };
}

async function endsBefore(gone: Promise<void>, until: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, until - Date.now()));
  });
  try {
    return await Promise.race([gone.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
