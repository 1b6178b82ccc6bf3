import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';

/** The database cannot be brought to this version's schema; nothing of the migration it names remains. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

interface Migration {
  name: string;
  sql: string;
}

/** The key Prisma's schema engine takes, so that the two exclude each other. */
const LOCK = 72707369;

const CREATE_TABLE = `CREATE TABLE _prisma_migrations (
  id                  VARCHAR(36) PRIMARY KEY NOT NULL,
  checksum            VARCHAR(64) NOT NULL,
  finished_at         TIMESTAMPTZ,
  migration_name      VARCHAR(255) NOT NULL,
  logs                TEXT,
  rolled_back_at      TIMESTAMPTZ,
  started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  applied_steps_count INTEGER NOT NULL DEFAULT 0
)`;

/**
 * Applies those of `<dir>/<name>/migration.sql` that the database has not had yet, in the order of their names, and
 * records them as Prisma does: `prisma migrate deploy|status|dev` go on from there. Any number of processes may do
 * so at once; each migration is applied once. A migration runs in a transaction, so it must not hold its own.
 *
 * @returns the names of the migrations applied by this call
 * @throws MigrationError when one fails, has failed before, was edited since, or is unknown to this version
 */
export async function applyMigrations(pool: pg.Pool, dir: string): Promise<string[]> {
  const migrations = await readMigrations(dir);
  const client = await pool.connect();
  // A connection that breaks off fails the query it is at; without a listener it would end the process as well.
  client.on('error', () => undefined);
  const applied: string[] = [];
  try {
    for (let name = await applyNext(client, migrations); name !== null; name = await applyNext(client, migrations)) applied.push(name);
  } catch (err) {
    // Closing the connection is what rolls back, whatever state it is in.
    client.release(true);
    throw err;
  }
  client.release();
  return applied;
}

async function readMigrations(dir: string): Promise<Migration[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(names.sort().map(async (name) => ({ name, sql: await readFile(join(dir, name, 'migration.sql'), 'utf8') })));
}

/**
 * One transaction per migration, each taking the lock anew: a lock of the session would not survive a pooler that
 * hands out connections per transaction. READ COMMITTED, so as to see what was committed while waiting for it.
 */
async function applyNext(client: pg.ClientBase, migrations: Migration[]): Promise<string | null> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
  const next = pending(migrations, await readApplied(client));
  if (next) await apply(client, next);
  await client.query('COMMIT');
  return next?.name ?? null;
}

async function readApplied(client: pg.ClientBase): Promise<Map<string, string>> {
  // Asked first: even CREATE TABLE IF NOT EXISTS needs a right that the role of a migrated database may not have.
  const table = await client.query<{ missing: boolean }>(`SELECT to_regclass('_prisma_migrations') IS NULL AS missing`);
  if (table.rows[0]?.missing) await client.query(CREATE_TABLE);
  const { rows } = await client.query<{ name: string; checksum: string; done: boolean }>(
    `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS done
       FROM _prisma_migrations WHERE rolled_back_at IS NULL`,
  );
  const failed = rows.find((row) => !row.done);
  if (failed) throw new MigrationError(`Migration ${failed.name} failed earlier; settle it with "prisma migrate resolve".`);
  return new Map(rows.map((row) => [row.name, row.checksum]));
}

function pending(migrations: Migration[], applied: Map<string, string>): Migration | undefined {
  const unknown = [...applied.keys()].find((name) => !migrations.some((migration) => migration.name === name));
  if (unknown) throw new MigrationError(`The database has migration ${unknown}, which this version does not know; run the newer version.`);
  for (const { name, sql } of migrations) {
    const checksum = applied.get(name);
    if (checksum !== undefined && !checksums(sql).includes(checksum)) {
      throw new MigrationError(`Migration ${name} was edited after it was applied; restore it and add another one instead.`);
    }
  }
  return migrations.find((migration) => !applied.has(migration.name));
}

async function apply(client: pg.ClientBase, { name, sql }: Migration): Promise<void> {
  const id = randomUUID();
  const begin = 'INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES ($1, $2, $3, clock_timestamp())';
  await client.query(begin, [id, sha256(sql), name]);
  try {
    await client.query(sql);
  } catch (cause) {
    throw new MigrationError(`Migration ${name} failed: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  await client.query('UPDATE _prisma_migrations SET finished_at = clock_timestamp(), applied_steps_count = 1 WHERE id = $1', [id]);
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** As in Prisma, line endings do not count. */
function checksums(sql: string): string[] {
  const unix = sql.replaceAll('\r\n', '\n');
  return [sql, unix, unix.replaceAll('\n', '\r\n')].map(sha256);
}
