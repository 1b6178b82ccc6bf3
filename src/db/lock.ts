import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning, type ProcessIdentity, parseIdentity, thisProcess } from './process-identity.js';

/** Another process, or this one a second time, has the data directory open. */
export class DataDirInUseError extends Error {
  override readonly name = 'DataDirInUseError';
  readonly pid: number;
  constructor(dataDir: string, holder: ProcessIdentity) {
    const where = holder.host === hostname() ? '' : ` on ${holder.host}`;
    super(`DATA_DIR ${dataDir} is in use by process ${holder.pid}${where}; stop it or choose another DATA_DIR.`);
    this.pid = holder.pid;
  }
}

/** How often the holder touches its lock, in ms. */
const HEARTBEAT = 2_000;

/**
 * Takes `<dataDir>/lock` for this process, creating the directory if need be. The lock of a process that has
 * died is taken over at once; of several processes that try together, one gets it.
 *
 * @param patience a holder that cannot be looked up from here (in another container, on another machine, before
 *   the last boot) is taken for dead when it does not touch its lock for so long, in ms
 * @throws DataDirInUseError
 */
export async function lockDataDir(dataDir: string, patience = 5 * HEARTBEAT): Promise<{ release(): Promise<void> }> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, 'lock');
  const text = JSON.stringify(thisProcess());
  const holder = await take(path, text, patience);
  if (holder) throw new DataDirInUseError(dataDir, holder);
  const heartbeat = setInterval(() => void touch(path), HEARTBEAT).unref();
  return {
    async release() {
      clearInterval(heartbeat);
      if ((await read(path)) === text) await unlink(path);
    },
  };
}

/** Null when taken; otherwise who has it. */
async function take(path: string, text: string, patience: number): Promise<ProcessIdentity | null> {
  const own = `${path}.${randomUUID()}`;
  // Written under another name first, so that nobody sees a lock half-written.
  await writeFile(own, text, { flag: 'wx', mode: 0o600 });
  try {
    while (!(await linked(own, path))) {
      const found = await read(path);
      if (found === null) continue;
      const holder = parseIdentity(found);
      if (holder && (await isAlive(holder, path, patience))) return holder;
      const rival = await removeDead(path, found, text, patience);
      if (rival) return rival;
    }
    return null;
  } finally {
    await rm(own, { force: true });
  }
}

/**
 * Only who holds the lock on a dead lock removes it, and only while it is still that one: otherwise a slow process
 * would remove the lock of its successor. Returns who else is at it and does not get on.
 */
async function removeDead(path: string, found: string, text: string, patience: number): Promise<ProcessIdentity | null> {
  const guard = `${path}.${createHash('sha256').update(found).digest('hex').slice(0, 16)}`;
  const rival = await take(guard, text, patience);
  if (rival) {
    await sleep(100);
    return (await read(path)) === found ? rival : null;
  }
  if ((await read(path)) === found) await rm(path);
  await rm(guard, { force: true });
  return null;
}

async function isAlive(holder: ProcessIdentity, path: string, patience: number): Promise<boolean> {
  const running = isRunning(holder);
  if (running !== null) return running;
  const before = await touched(path);
  await sleep(patience);
  const after = await touched(path);
  return after !== null && after !== before;
}

const touch = (path: string) => utimes(path, new Date(), new Date()).catch(() => undefined);
const touched = (path: string) => unlessCode('ENOENT', async () => (await stat(path)).mtimeMs);
const read = (path: string) => unlessCode('ENOENT', () => readFile(path, 'utf8'));
const linked = async (from: string, to: string) => (await unlessCode('EEXIST', async () => link(from, to).then(() => true))) ?? false;

/** Null instead of the error with that code. */
async function unlessCode<T>(code: string, act: () => Promise<T>): Promise<T | null> {
  try {
    return await act();
  } catch (err) {
    if (err instanceof Error && 'code' in err && err.code === code) return null;
    throw err;
  }
}
