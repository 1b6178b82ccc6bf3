import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { cleanUp, openEmbeddedPool } from '../src/db/embedded.js';
import { embeddedDir, scratchDir, startChild } from './db.scratch.js';

let shared: Awaited<ReturnType<typeof openEmbeddedPool>>;
let pool: pg.Pool;
let remove: () => Promise<void>;

beforeAll(async () => {
  const data = await embeddedDir();
  shared = await openEmbeddedPool(data.dir);
  pool = shared.pool;
  remove = data.remove;
});
afterAll(async () => {
  await shared.close();
  await remove();
});

async function ownDir(make = embeddedDir): Promise<string> {
  const { dir, remove } = await make();
  onTestFinished(remove);
  return dir;
}

test('the first start creates a private database, also after one that was killed half-way', async () => {
  const dir = await ownDir(scratchDir);
  await mkdir(join(dir, 'pg.new', 'base'), { recursive: true });
  await writeFile(join(dir, 'pg.new', 'PG_VERSION'), '18\n');
  const { pool: own, close } = await openEmbeddedPool(dir);
  expect((await own.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await close();
  expect(await readdir(dir)).toEqual(['pg']);
  expect((await stat(join(dir, 'pg'))).mode & 0o777).toBe(0o700);
});

test('the database is durable and in UTC, with the extensions the migrations need', async () => {
  const settings = `SELECT current_setting('fsync') AS fsync, current_setting('wal_sync_method') AS method, current_setting('TimeZone') AS zone`;
  expect((await pool.query(settings)).rows).toEqual([{ fsync: 'on', method: 'open_datasync', zone: 'UTC' }]);
  await pool.query('CREATE EXTENSION pg_trgm');
  await pool.query('CREATE EXTENSION btree_gin');
  expect((await pool.query(`SELECT similarity('document', 'documents') > 0.5 AS similar`)).rows).toEqual([{ similar: true }]);
});

test('failing queries, named ones too, neither mix up answers nor lose statements', async () => {
  const ask = (n: number) => pool.query({ name: 'divide', text: 'SELECT 100 / $1::int AS q, $1::int AS n', values: [n] });
  const results = await Promise.allSettled(Array.from({ length: 60 }, (_, n) => ask(n % 3)));
  results.forEach((result, i) => {
    if (i % 3 === 0) expect(result).toMatchObject({ status: 'rejected', reason: { code: '22012' } });
    else expect(result).toMatchObject({ value: { rows: [{ q: 100 / (i % 3), n: i % 3 }] } });
  });
  await expect(pool.query('SELECT 1; SELECT nonsense')).rejects.toMatchObject({ code: '42703' });
  expect((await ask(5)).rows).toEqual([{ q: 20, n: 5 }]);
});

test('a client that is dropped leaves no transaction, setting, lock or prepared statement behind', async () => {
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query('CREATE TABLE unfinished ()');
  await client.query(`SET TIME ZONE 'Asia/Tokyo'`);
  await client.query('SELECT pg_advisory_lock(1)');
  await client.query({ name: 'stale', text: 'SELECT 1' });
  client.release(true);
  const left = `SELECT to_regclass('unfinished') AS unfinished, current_setting('TimeZone') AS zone,
    (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory') AS locks, (SELECT count(*)::int FROM pg_prepared_statements) AS statements`;
  expect((await pool.query(left)).rows).toEqual([{ unfinished: null, zone: 'UTC', locks: 0, statements: 0 }]);
});

test('an error leaves its transaction failed until the end of it, and a savepoint saves it', async () => {
  const client = await pool.connect();
  await client.query('CREATE TABLE kept (n int PRIMARY KEY)');
  await client.query('BEGIN');
  await client.query('INSERT INTO kept VALUES ($1)', [1]);
  await client.query('SAVEPOINT before');
  await expect(client.query('INSERT INTO kept VALUES ($1)', [1])).rejects.toMatchObject({ code: '23505', table: 'kept' });
  await expect(client.query('SELECT $1::int', [1])).rejects.toMatchObject({ code: '25P02' });
  await client.query('ROLLBACK TO before');
  await client.query('COMMIT');
  client.release();
  expect((await pool.query('SELECT n FROM kept')).rows).toEqual([{ n: 1 }]);
});

test('large values go in and out unchanged', async () => {
  const bytes = Buffer.alloc(5_000_000, 'abcdefg');
  const { rows } = await pool.query('SELECT $1::bytea AS bytes, repeat($2, 1000000) AS text', [bytes, 'né']);
  expect(bytes.equals(rows[0].bytes)).toBe(true);
  expect(rows[0].text).toBe('né'.repeat(1_000_000));
});

test('cleaning up gathers statistics and waits until enough was written', async () => {
  await pool.query('CREATE TABLE filled AS SELECT n FROM generate_series(1, 1000) n');
  const since = await cleanUp(pool, '0/0', 0);
  expect((await pool.query(`SELECT reltuples::int FROM pg_class WHERE relname = 'filled'`)).rows).toEqual([{ reltuples: 1000 }]);
  expect(await cleanUp(pool, since)).toBe(since);
  expect(await cleanUp(pool, since, 0)).not.toBe(since);
});

test('what was committed is there after a restart, and a damaged directory is refused in words', async () => {
  const dir = await ownDir();
  const first = await openEmbeddedPool(dir);
  await first.pool.query('CREATE TABLE kept AS SELECT 42 AS n');
  await first.close();
  const second = await openEmbeddedPool(dir);
  expect((await second.pool.query('SELECT n FROM kept')).rows).toEqual([{ n: 42 }]);
  await second.close();
  await rm(join(dir, 'pg', 'PG_VERSION'));
  await writeFile(join(dir, 'pg', 'PG_VERSION'), '9\n');
  await expect(openEmbeddedPool(dir)).rejects.toThrow(/does not start:\n.*(incompatible|PG_VERSION)/s);
});

test('kill -9 loses nothing that was acknowledged, round after round', async () => {
  const dir = await ownDir();
  let acknowledged = 0;
  for (let round = 0; round < 5; round++) {
    const child = startChild('write', dir);
    const found = Number(await child.next());
    expect(found).toBeGreaterThanOrEqual(acknowledged);
    const until = found + 10 + Math.floor(Math.random() * 100);
    while (acknowledged < until) acknowledged = Number(await child.next());
    await child.kill();
  }
});
