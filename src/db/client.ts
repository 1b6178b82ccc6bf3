import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import type { BaseLogger } from 'pino';
import type { Settings } from '../env.js';
import { unavailable } from '../errors.js';
import { openEmbeddedPool } from './embedded.js';
import { PrismaClient } from './generated/client.js';
import { lockDataDir } from './lock.js';
import { applyMigrations } from './migrate.js';
import { statementName } from './statements.js';

type Log = Pick<BaseLogger, 'info' | 'warn'>;

/** Everything that `openDatabase` opened. */
export interface Database {
  pool: pg.Pool;
  prisma: PrismaClient;
  /** Whether it is the embedded PostgreSQL: one connection, one process. */
  embedded: boolean;
  /** Whether statements may have names, hence be prepared once per connection. */
  prepares: boolean;
  /** Waits for the queries under way; does nothing the second time. */
  close(): Promise<void>;
}

/**
 * Opens the database of these settings and brings it up to date: the PostgreSQL of `databaseUrl`, else the
 * embedded one under `dataDir`, which it locks. What was opened is closed again when a later step fails.
 *
 * @param migrationsDir by default the `prisma/migrations` next to or above this module
 * @throws DataDirInUseError, MigrationError, or the error of the connection
 */
export async function openDatabase(
  settings: Pick<Settings, 'dataDir' | 'databaseUrl' | 'databasePool'>,
  log: Log,
  migrationsDir = findMigrations(),
): Promise<Database> {
  const { databaseUrl } = settings;
  const { pool, close: closePool } = databaseUrl
    ? openServer(databaseUrl, settings.databasePool, log)
    : await openLocked(settings.dataDir, log);
  try {
    const applied = await applyMigrations(pool, migrationsDir);
    if (applied.length > 0) log.info({ applied }, 'the database was migrated');
  } catch (err) {
    await closePool();
    throw err;
  }
  const prepares = !isPooled(databaseUrl);
  const prisma = createPrisma(pool, prepares);
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= prisma.$disconnect().finally(closePool));
  return { pool, prisma, embedded: !databaseUrl, prepares, close };
}

function openServer(databaseUrl: string, max: number, log: Log) {
  const pool = openPool(databaseUrl, max, log);
  return { pool, close: () => pool.end() };
}

async function openLocked(dataDir: string, log: Log) {
  const lock = await lockDataDir(dataDir);
  try {
    const { pool, close } = await openEmbeddedPool(dataDir, log);
    return { pool, close: () => close().finally(lock.release) };
  } catch (err) {
    await lock.release();
    throw err;
  }
}

/**
 * A pool over the PostgreSQL at this address, or over a pooler before it; connects on first use. Sessions are in
 * UTC. A connection that breaks off while idle is logged and replaced.
 *
 * @param max connections at most
 */
export function openPool(databaseUrl: string, max: number, log?: Log): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max,
    application_name: 'docgate',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Prisma takes every timestamp that it reads to be in UTC. Not as a startup option: poolers refuse those.
    onConnect: async (client) => {
      await client.query(`SET TIME ZONE 'UTC'`);
    },
  });
  pool.on('error', (err) => log?.warn({ err }, 'an idle connection to PostgreSQL broke off'));
  return pool;
}

/**
 * Resolves when the database answers.
 *
 * @param timeout in ms
 * @throws DomainError UNAVAILABLE when it does not in time, or with an error
 */
export async function pingDatabase(pool: pg.Pool, timeout = 5_000): Promise<void> {
  const late = sleep(timeout, undefined, { ref: false }).then(() => Promise.reject(new Error(`no answer within ${timeout} ms`)));
  try {
    await Promise.race([pool.query('SELECT 1'), late]);
  } catch (cause) {
    throw unavailable('The database does not answer. Try again later.', { cause });
  }
}

/**
 * Prisma over this pool, which stays the caller's to close.
 *
 * @param prepares false behind a pooler that shares connections between transactions
 */
export function createPrisma(pool: pg.Pool, prepares = true): PrismaClient {
  const adapter = new PrismaPg(pool, prepares ? { statementNameGenerator: statementName } : {});
  return new PrismaClient({ adapter, transactionOptions: { maxWait: 10_000, timeout: 30_000 } });
}

/** The parameter that Prisma's users know: pgbouncer shares connections, and prepared statements with them. */
function isPooled(databaseUrl: string | null): boolean {
  return databaseUrl !== null && new URL(databaseUrl).searchParams.get('pgbouncer') === 'true';
}

/** This module lies in src/db or, bundled, in dist. */
function findMigrations(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const migrations = join(dir, 'prisma', 'migrations');
    if (existsSync(migrations) || dir === dirname(dir)) return migrations;
  }
}
