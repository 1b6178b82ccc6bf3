import { asSystem, type RequestContext } from '../context.js';
import { Prisma } from '../db/generated/client.js';

const counters = { document_counts: '', document_tag_counts: 'tags, ' };

/** Adds up what the triggers noted of how many documents there are: their sums stay as they are, their rows become few. */
export async function compactDocumentCounts(ctx: RequestContext): Promise<void> {
  for (const [name, more] of Object.entries(counters)) {
    const table = Prisma.raw(name);
    const kind = Prisma.raw(`${more}tenant_id, status, category_id, storage_id, deleted_at`);
    await asSystem(ctx).$executeRaw(Prisma.sql`
      WITH many AS (SELECT ${kind} FROM ${table} GROUP BY ${kind} HAVING count(*) > 1),
      gone AS (
        DELETE FROM ${table} n USING many m
         WHERE n.tenant_id = m.tenant_id AND n.status = m.status AND n.category_id IS NOT DISTINCT FROM m.category_id
           AND n.storage_id = m.storage_id AND n.deleted_at IS NOT DISTINCT FROM m.deleted_at ${Prisma.raw(more && 'AND n.tags = m.tags')}
        RETURNING n.*)
      INSERT INTO ${table} (${kind}, delta) SELECT ${kind}, sum(delta) FROM gone GROUP BY ${kind} HAVING sum(delta) <> 0`);
  }
}
