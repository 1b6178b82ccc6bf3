import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareLocalFs } from '../src/blob/local-fs.js';
import { openPool } from '../src/db/client.js';
import { applyMigrations } from '../src/db/migrate.js';
import { Secrets } from '../src/db/secrets.js';
import { withClient } from './postgres.js';
import { tenants, user } from './workloads.js';

const nobody = '00000000-0000-0000-0000-000000000000';

/** Migrates the database and fills it, unless an earlier run did. @param url of a database that need not exist yet */
export async function loadData(url: string, documents: number, dataDir: string, secretsKey: string): Promise<void> {
  const database = new URL(url).pathname.slice(1);
  await withClient(url.replace(`/${database}`, '/postgres'), async (client) => {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
    if (!rowCount) await client.query(`CREATE DATABASE ${database}`);
  });
  const pool = openPool(url, 1);
  try {
    await applyMigrations(pool, join(import.meta.dirname, '../prisma/migrations'));
    for (const tenantId of tenants) await prepareLocalFs(join(dataDir, 'blobs', tenantId, 'default'));
    const { rows } = await pool.query<{ full: boolean }>('SELECT EXISTS (SELECT FROM documents) AS full');
    if (rows[0]?.full) return;
    const secrets = new Secrets([secretsKey]);
    for (const tenantId of tenants) {
      const credentials = Buffer.from(secrets.seal('{}', { table: 'storages', tenantId, id: 'STORAGE-DEFAULT' }));
      await pool.query(
        `INSERT INTO storages (tenant_id, id, created_by, created_at, updated_at, name, provider, bucket, credentials, credentials_masked, is_default)
         VALUES ($1, 'STORAGE-DEFAULT', $2, now(), now(), 'Default', 'LOCAL_FS', 'default', $3, '{}', true)`,
        [tenantId, nobody, credentials],
      );
    }
    for (const statement of statements(documents)) await pool.query(statement);
  } finally {
    await pool.end();
  }
}

function statements(documents: number): string[] {
  const values: Record<string, string> = {
    documents: String(documents),
    user: `'${user}'::uuid`,
    tenants: `ARRAY['${tenants.join("', '")}']::uuid[]`,
  };
  return readFileSync(join(import.meta.dirname, 'data.sql'), 'utf8')
    .replace(/(?<!:):(documents|user|tenants)\b/g, (_, name: string) => values[name] ?? '')
    .split(/;\n/)
    .filter((statement) => statement.trim() !== '');
}
