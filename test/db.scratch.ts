import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import { openEmbeddedPool } from '../src/db/embedded.js';

export const migrationsDir = fileURLToPath(new URL('../prisma/migrations', import.meta.url));
export const serverUrl = process.env.TEST_DATABASE_URL;
export const log = { info: () => {}, warn: () => {} };

/** An empty directory and what removes it. */
export async function scratchDir(): Promise<{ dir: string; remove(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'docgate-db-'));
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

/** A data directory with an empty embedded database, and what removes it. Copied, as creating one takes seconds. */
export async function embeddedDir(): Promise<{ dir: string; remove(): Promise<void> }> {
  const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
  const { version } = JSON.parse(await readFile(join(modules, '@electric-sql/pglite/package.json'), 'utf8'));
  const template = join(modules, '.cache', `docgate-embedded-${version}`);
  if (!existsSync(template)) await createTemplate(template);
  const scratch = await scratchDir();
  await cp(template, scratch.dir, { recursive: true });
  return scratch;
}

async function createTemplate(path: string): Promise<void> {
  const unfinished = `${path}.${process.pid}`;
  await (await openEmbeddedPool(unfinished)).close();
  // Another test file may have been faster.
  await rename(unfinished, path).catch(() => rm(unfinished, { recursive: true }));
}

/** An empty database on the server of TEST_DATABASE_URL, and what removes it. */
export async function scratchDatabase(): Promise<{ url: string; remove(): Promise<void> }> {
  const url = new URL(serverUrl ?? '');
  const name = `docgate_test_${randomUUID().replaceAll('-', '')}`;
  await administer(`CREATE DATABASE ${name}`);
  url.pathname = `/${name}`;
  return { url: url.href, remove: () => administer(`DROP DATABASE ${name} WITH (FORCE)`) };
}

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(sql);
  await client.end();
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
