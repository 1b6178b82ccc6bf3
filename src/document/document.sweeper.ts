import { asSystem, type RequestContext } from '../context.js';
import { Prisma } from '../db/generated/client.js';

/** Adds up what the triggers noted of how many documents there are: their sums stay as they are, their rows become few. */
export async function compactDocumentCounts(ctx: RequestContext): Promise<void> {
  await asSystem(ctx).$executeRaw(Prisma.sql`
    WITH many AS (
      SELECT tenant_id, status, category_id, storage_id, deleted_at FROM document_counts GROUP BY 1, 2, 3, 4, 5 HAVING count(*) > 1),
    gone AS (
      DELETE FROM document_counts n USING many m
       WHERE n.tenant_id = m.tenant_id AND n.status = m.status AND n.category_id IS NOT DISTINCT FROM m.category_id
         AND n.storage_id = m.storage_id AND n.deleted_at IS NOT DISTINCT FROM m.deleted_at
      RETURNING n.*)
    INSERT INTO document_counts (tenant_id, status, category_id, storage_id, deleted_at, delta)
    SELECT tenant_id, status, category_id, storage_id, deleted_at, sum(delta) FROM gone GROUP BY 1, 2, 3, 4, 5 HAVING sum(delta) <> 0`);
}
