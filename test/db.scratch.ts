import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import { openEmbeddedPool } from '../src/db/embedded.js';
import { applyMigrations } from '../src/db/migrate.js';

export const migrationsDir = fileURLToPath(new URL('../prisma/migrations', import.meta.url));
export const serverUrl = process.env.TEST_DATABASE_URL;
export const log = { info: () => {}, warn: () => {} };

/** An empty directory and what removes it. */
export async function scratchDir(): Promise<{ dir: string; remove(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'docgate-db-'));
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

/** A data directory with an empty embedded database, and what removes it. Copied, as creating one takes seconds. */
export const embeddedDir = () => copyOf('empty', async (dir) => (await openEmbeddedPool(dir)).close());

/** The same, with all migrations applied. */
export const migratedDir = () =>
  copyOf(`migrated-${migrationsHash()}`, async (dir) => {
    const { pool, close } = await openEmbeddedPool(dir);
    await applyMigrations(pool, migrationsDir);
    await close();
  });

/** A copy of the data directory that `create` fills, which is kept under this name. */
async function copyOf(name: string, create: (dir: string) => Promise<void>): Promise<{ dir: string; remove(): Promise<void> }> {
  const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
  const { version } = JSON.parse(await readFile(join(modules, '@electric-sql/pglite/package.json'), 'utf8'));
  const template = join(modules, '.cache', `docgate-${version}-${name}`);
  if (!existsSync(template)) {
    const unfinished = `${template}.${process.pid}`;
    await create(unfinished);
    // Another test file may have been faster.
    await rename(unfinished, template).catch(() => rm(unfinished, { recursive: true }));
  }
  const scratch = await scratchDir();
  // A thousand files: Node's own `cp` takes three times as long.
  await promisify(execFile)('cp', ['-R', `${template}/.`, scratch.dir]);
  return scratch;
}

function migrationsHash(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(migrationsDir).sort()) {
    const file = join(migrationsDir, name, 'migration.sql');
    if (existsSync(file)) hash.update(name).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}

/** An empty database on the server of TEST_DATABASE_URL, and what removes it. */
export async function scratchDatabase(template = 'template1'): Promise<{ url: string; remove(): Promise<void> }> {
  const url = new URL(serverUrl ?? '');
  const name = `docgate_test_${randomUUID().replaceAll('-', '')}`;
  await administer(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  url.pathname = `/${name}`;
  return { url: url.href, remove: async () => void (await administer(`DROP DATABASE ${name} WITH (FORCE)`)) };
}

/** The same, with all migrations applied: a copy of a database that stays on the server. */
export async function migratedDatabase(): Promise<{ url: string; remove(): Promise<void> }> {
  const template = `docgate_template_${migrationsHash()}`;
  if (!(await exists(template))) {
    const { url, remove } = await scratchDatabase();
    const pool = new pg.Pool({ connectionString: url });
    await applyMigrations(pool, migrationsDir);
    await pool.end();
    // Another test file may have been faster.
    await administer(`ALTER DATABASE ${new URL(url).pathname.slice(1)} RENAME TO ${template}`).catch(remove);
  }
  return scratchDatabase(template);
}

async function exists(database: string): Promise<boolean> {
  return (await administer(`SELECT 1 FROM pg_database WHERE datname = '${database}'`)).rowCount === 1;
}

async function administer(sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

/** A process of its own that runs test/db.child.ts; `next` waits for its next line. It is killed when the test ends. */
export function startChild(...args: string[]): { process: ChildProcess; next(): Promise<string>; kill(): Promise<void> } {
  const script = fileURLToPath(new URL('./db.child.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  return { process: child, kill, next: async () => (await lines.next()).value ?? 'exited' };
}
