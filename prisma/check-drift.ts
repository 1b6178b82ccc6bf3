/**
 * Fails when what is generated or written by hand has fallen behind prisma/schema.prisma: the client in
 * src/db/generated, or the migrations. Needs no server: the migrations run on an embedded PostgreSQL. What the
 * schema cannot say (checks, functions, triggers) is in the migrations alone and does not count.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { btree_gin } from '@electric-sql/pglite/contrib/btree_gin';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { openPool } from '../src/db/client.js';
import { applyMigrations } from '../src/db/migrate.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const generated = join('src', 'db', 'generated');
const schema = join('prisma', 'schema.prisma');

/** Whether the command, run in the project, succeeds. */
async function succeeds(command: string, args: string[], env: Record<string, string> = {}): Promise<boolean> {
  // biome-ignore lint/style/noProcessEnv: handed on, not read
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  const [code] = await once(child, 'exit');
  return code === 0;
}

/** The schema says where the client goes relative to itself, so a copy of it generates elsewhere. */
async function clientIsCurrent(): Promise<boolean> {
  const cache = join(root, 'node_modules', '.cache');
  await mkdir(cache, { recursive: true });
  const copy = await mkdtemp(join(cache, 'drift-'));
  try {
    await cp(join(root, schema), join(copy, schema));
    const made = await succeeds('npx', ['--no-install', 'prisma', 'generate', '--schema', join(copy, schema)]);
    return made && (await succeeds('git', ['diff', '--no-index', '--stat', '--exit-code', generated, join(copy, generated)]));
  } finally {
    await rm(copy, { recursive: true });
  }
}

async function migrationsAreCurrent(): Promise<boolean> {
  const db = await PGlite.create({ extensions: { pg_trgm, btree_gin } });
  const server = new PGLiteSocketServer({ db, port: 0, maxConnections: 10 });
  await server.start();
  try {
    const url = `postgresql://postgres@${server.getServerConn()}/postgres`;
    const pool = openPool(url, 1);
    await applyMigrations(pool, join(root, 'prisma', 'migrations'));
    await pool.end();
    const diff = ['migrate', 'diff', '--from-config-datasource', '--to-schema', schema, '--exit-code'];
    return await succeeds('npx', ['--no-install', 'prisma', ...diff], { DATABASE_URL: url });
  } finally {
    await server.stop();
    await db.close();
  }
}

const checks = {
  'The generated client is behind the schema: npm run db:generate': await clientIsCurrent(),
  'The migrations are behind the schema: npm run db:migrate': await migrationsAreCurrent(),
};
const failures = Object.entries(checks).flatMap(([message, passed]) => (passed ? [] : [message]));
for (const message of failures) console.error(message);
process.exitCode = failures.length > 0 ? 1 : 0;
