import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PGlite, PGliteOptions } from '@electric-sql/pglite';
import pg from 'pg';
import type { BaseLogger } from 'pino';
import { PGliteStream } from './pglite-stream.js';

/** How much WAL is written between two clean-ups, in bytes. */
const WAL_PER_CLEAN_UP = 32 * 1024 ** 2;

/**
 * Opens the PostgreSQL that lives in `<dataDir>/pg`, creating it the first time. It runs in this process and
 * on this thread, so the data directory must be locked (`lockDataDir`). What was committed survives the death
 * of the process. The pool has one connection, over which transactions queue; its time zone is UTC.
 *
 * @throws Error with PostgreSQL's own last words when the directory is damaged or of another version
 */
export async function openEmbeddedPool(
  dataDir: string,
  log?: Pick<BaseLogger, 'info' | 'warn'>,
): Promise<{ pool: pg.Pool; close(): Promise<void> }> {
  const started = performance.now();
  const db = await openPGlite(join(dataDir, 'pg'));
  const pool = new pg.Pool({
    stream: () => new PGliteStream(db),
    host: 'embedded',
    user: 'postgres',
    database: 'postgres',
    ssl: false,
    max: 1,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: 30_000,
    onConnect: resetSession,
  });
  pool.on('error', (err) => log?.warn({ err }, 'the connection to the embedded PostgreSQL broke off'));
  const cleaner = scheduleCleanUps(pool, log);
  log?.info({ ms: Math.round(performance.now() - started) }, 'embedded PostgreSQL is ready');
  return {
    pool,
    async close() {
      clearInterval(cleaner);
      await pool.end();
      await db.close();
    },
  };
}

/** The one session outlives its clients (`pool.query` drops a client upon any error); each expects a new one. */
async function resetSession(client: pg.ClientBase): Promise<void> {
  await client.query('ROLLBACK');
  await client.query('DISCARD ALL');
}

async function openPGlite(dir: string): Promise<PGlite> {
  if (!existsSync(dir)) await createDatabase(dir);
  const [{ pg_trgm }, { btree_gin }] = await Promise.all([
    import('@electric-sql/pglite/contrib/pg_trgm'),
    import('@electric-sql/pglite/contrib/btree_gin'),
  ]);
  return startPGlite(dir, { extensions: { pg_trgm, btree_gin } });
}

/** Under another name first: a process that dies half-way must not leave half a database behind. */
async function createDatabase(dir: string): Promise<void> {
  const unfinished = `${dir}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  const db = await startPGlite(unfinished);
  await db.close();
  await rename(unfinished, dir);
}

async function startPGlite(dataDir: string, options: PGliteOptions = {}): Promise<PGlite> {
  const { PGlite } = await import('@electric-sql/pglite');
  const lastLines: string[] = [];
  const onStderr = (line: string) => {
    if (lastLines.push(line) > 5) lastLines.shift();
    return false;
  };
  // PGlite's own parameters switch fsync off (-F); opening the WAL for synchronous writes is what reaches the disk from WebAssembly.
  const durable = ['-c', 'fsync=on', '-c', 'wal_sync_method=open_datasync'];
  // The default of 128 MB is resident memory here, and the operating system caches the files as well.
  const small = ['-c', 'shared_buffers=8MB'];
  const startParams = [...PGlite.defaultStartParams.filter((parameter) => parameter !== '-F'), ...durable, ...small];
  try {
    return await PGlite.create({ ...options, dataDir, startParams, onStderr });
  } catch (cause) {
    throw new Error(`The embedded PostgreSQL in ${dataDir} does not start:\n${lastLines.join('\n')}`, { cause });
  }
}

function scheduleCleanUps(pool: pg.Pool, log?: Pick<BaseLogger, 'warn'>): NodeJS.Timeout {
  let since = '0/0';
  const run = async () => {
    since = await cleanUp(pool, since);
  };
  return setInterval(() => run().catch((err: unknown) => log?.warn({ err }, 'the database could not be cleaned up')), 60_000).unref();
}

/**
 * Does what PostgreSQL's background processes would do, which the embedded one has not: without it the WAL
 * grows for ever, dead rows stay and the planner knows nothing of the tables. Does nothing before enough was written.
 *
 * @param since the position in the WAL of the last clean-up, as PostgreSQL prints it ("0/16B3748")
 * @returns the position to pass next time
 */
export async function cleanUp(pool: pg.Pool, since: string, walBytes = WAL_PER_CLEAN_UP): Promise<string> {
  const position = 'SELECT pg_current_wal_lsn() AS lsn, pg_wal_lsn_diff(pg_current_wal_lsn(), $1) >= $2 AS due';
  const due = await pool.query<{ lsn: string; due: boolean }>(position, [since, walBytes]);
  if (!due.rows[0]?.due) return since;
  await pool.query('VACUUM (ANALYZE)');
  await pool.query('CHECKPOINT');
  const done = await pool.query<{ lsn: string }>('SELECT pg_current_wal_lsn() AS lsn');
  return done.rows[0]?.lsn ?? since;
}
