import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { openPool } from '../src/db/client.js';
import { openEmbeddedPool } from '../src/db/embedded.js';
import { applyMigrations } from '../src/db/migrate.js';
import { embeddedDir, migrationsDir, scratchDatabase, scratchDir, serverUrl } from './db.scratch.js';

const history = async (pool: pg.Pool) =>
  (
    await pool.query(
      'SELECT migration_name AS name, finished_at IS NOT NULL AS done, applied_steps_count AS steps FROM _prisma_migrations ORDER BY started_at',
    )
  ).rows;

/** A directory of migrations with these scripts, by name. */
async function migrations(scripts: Record<string, string>): Promise<string> {
  const { dir, remove } = await scratchDir();
  onTestFinished(remove);
  for (const [name, sql] of Object.entries(scripts)) {
    await mkdir(join(dir, name), { recursive: true });
    await writeFile(join(dir, name, 'migration.sql'), sql);
  }
  await writeFile(join(dir, 'migration_lock.toml'), 'provider = "postgresql"\n');
  return dir;
}

const surfaces = [
  {
    database: 'embedded',
    open: async () => {
      const { dir, remove } = await embeddedDir();
      const { pool, close } = await openEmbeddedPool(dir);
      return { pool, close: () => close().then(remove) };
    },
  },
  ...(serverUrl ? [{ database: 'PostgreSQL', open: openScratch }] : []),
];

async function openScratch(max = 4) {
  const { url, remove } = await scratchDatabase();
  const pool = openPool(url, max);
  return { url, pool, close: () => pool.end().then(remove) };
}

describe.each(surfaces)('migrations on $database', ({ open }) => {
  let opened: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened.close());
  beforeEach(async () => {
    await opened.pool.query('DROP SCHEMA public CASCADE');
    await opened.pool.query('CREATE SCHEMA public');
  });

  test('are applied once, in order, and recorded', async () => {
    const dir = await migrations({ '2_b': 'ALTER TABLE a ADD b text', '1_a': 'CREATE TABLE a (n int); INSERT INTO a VALUES (1)' });
    expect(await applyMigrations(opened.pool, dir)).toEqual(['1_a', '2_b']);
    expect(await applyMigrations(opened.pool, dir)).toEqual([]);
    expect((await opened.pool.query('SELECT * FROM a')).rows).toEqual([{ n: 1, b: null }]);
    const done = { done: true, steps: 1 };
    expect(await history(opened.pool)).toEqual([
      { name: '1_a', ...done },
      { name: '2_b', ...done },
    ]);
  });

  test('of this project apply', async () => {
    expect(await applyMigrations(opened.pool, migrationsDir)).toContain('20261123000000_document_domain');
    expect(await applyMigrations(opened.pool, migrationsDir)).toEqual([]);
  });

  test('that are edited or unknown stop the start, other line endings do not', async () => {
    const dir = await migrations({ '1_a': 'CREATE TABLE a (n int);\nSELECT 1;\n', '2_b': 'SELECT 2' });
    await applyMigrations(opened.pool, dir);
    await writeFile(join(dir, '1_a', 'migration.sql'), 'CREATE TABLE a (n int);\r\nSELECT 1;\r\n');
    expect(await applyMigrations(opened.pool, dir)).toEqual([]);
    await writeFile(join(dir, '1_a', 'migration.sql'), 'CREATE TABLE a (n bigint)');
    await expect(applyMigrations(opened.pool, dir)).rejects.toThrow('Migration 1_a was edited');
    const older = await migrations({ '2_b': 'SELECT 2' });
    await expect(applyMigrations(opened.pool, older)).rejects.toThrow('migration 1_a, which this version does not know');
  });

  test('that fail leave nothing, and the next start goes on from there', async () => {
    const dir = await migrations({ '1_a': 'CREATE TABLE a (n int)', '2_b': 'CREATE TABLE b (n int); SELECT nonsense', '3_c': 'SELECT 3' });
    await expect(applyMigrations(opened.pool, dir)).rejects.toThrow('Migration 2_b failed: column "nonsense" does not exist');
    expect(await history(opened.pool)).toHaveLength(1);
    await writeFile(join(dir, '2_b', 'migration.sql'), 'CREATE TABLE b (n int)');
    expect(await applyMigrations(opened.pool, dir)).toEqual(['2_b', '3_c']);
  });

  test('that Prisma left half-done stop the start until they are settled', async () => {
    const dir = await migrations({ '1_a': 'SELECT 1' });
    await applyMigrations(opened.pool, dir);
    await opened.pool.query('UPDATE _prisma_migrations SET finished_at = NULL');
    await expect(applyMigrations(opened.pool, dir)).rejects.toThrow(
      'Migration 1_a failed earlier; settle it with "prisma migrate resolve".',
    );
    await opened.pool.query('UPDATE _prisma_migrations SET rolled_back_at = now()');
    expect(await applyMigrations(opened.pool, dir)).toEqual(['1_a']);
  });
});

describe.runIf(serverUrl)('copies that start together', () => {
  test('apply each migration once between them', async () => {
    const { url, pool, close } = await openScratch();
    onTestFinished(close);
    const dir = await migrations({ '1_a': 'CREATE TABLE a (n int)', '2_b': 'INSERT INTO a VALUES (1)', '3_c': 'INSERT INTO a VALUES (2)' });
    await cp(migrationsDir, dir, { recursive: true });
    const pools = Array.from({ length: 6 }, () => openPool(url, 1));
    const applied = await Promise.all(pools.map((each) => applyMigrations(each, dir)));
    await Promise.all(pools.map((each) => each.end()));
    const names = (await history(pool)).map(({ name }) => name);
    expect(applied.flat().toSorted()).toEqual(names.toSorted());
    expect(names).toEqual(names.toSorted());
    expect((await pool.query('SELECT count(*)::int FROM a')).rows).toEqual([{ count: 2 }]);
  });

  test('and a role without the right to create anything finds a migrated database in order', async () => {
    const { url, pool, close } = await openScratch();
    onTestFinished(close);
    await applyMigrations(pool, migrationsDir);
    const role = `reader_${process.pid}`;
    await pool.query(`CREATE ROLE ${role} LOGIN; GRANT SELECT ON _prisma_migrations TO ${role}`);
    onTestFinished(() => pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`).then(() => undefined));
    const address = new URL(url);
    address.username = role;
    const asReader = openPool(address.href, 1);
    expect(await applyMigrations(asReader, migrationsDir)).toEqual([]);
    await asReader.end();
  });
});
