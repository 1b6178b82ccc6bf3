import { beforeAll } from 'vitest';
import { createObjects, type Objects } from './objects.js';
import { type Actor, useWorld } from './world.js';

/** Two tenants with the same of everything. */
export function useTenants() {
  const world = useWorld();
  let ours: Actor;
  let theirs: Actor;
  let our: Objects;
  let their: Objects;
  const objectsOf = (actor: Actor) => createObjects(() => world().context(actor));

  beforeAll(async () => {
    ours = world().actor('admin');
    theirs = world().actor('admin');
    our = await objectsOf(ours);
    their = await objectsOf(theirs);
  });

  /** Every row that a tenant has, as text. */
  async function rowsOf(tenantId: string): Promise<string> {
    const tables = await tenantTables();
    const dumps = tables.map((table) =>
      world().gateway.database.pool.query(`SELECT to_jsonb(t) AS row FROM "${table}" t WHERE tenant_id = $1 ORDER BY id`, [tenantId]),
    );
    return JSON.stringify((await Promise.all(dumps)).map(({ rows }) => rows));
  }

  async function tenantTables(): Promise<string[]> {
    const { rows } = await world().gateway.database.pool.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> '_prisma_migrations' ORDER BY 1`,
    );
    return rows.map(({ name }) => name);
  }

  return { world, objectsOf, rowsOf, tenantTables, ours: () => ours, theirs: () => theirs, our: () => our, their: () => their };
}
