import { asSystem, type RequestContext } from '../context.js';
import { Prisma } from '../db/generated/client.js';

const DAY = 24 * 60 * 60 * 1000;

/**
 * Removes documents whose time in the trash is over and whose files are gone, with their shares. Their history stays.
 *
 * @returns how many documents were removed
 */
export async function purgeDocuments(ctx: RequestContext): Promise<number> {
  const cutoff = new Date(ctx.now().getTime() - ctx.services.limits.retentionDays * DAY);
  return asSystem(ctx).$executeRaw(Prisma.sql`
    WITH expired AS (
      SELECT d.tenant_id, d.id FROM documents d
       WHERE d.deleted_at < ${cutoff}
         AND NOT EXISTS (SELECT FROM files f WHERE f.tenant_id = d.tenant_id AND f.document_id = d.id)
       FOR UPDATE SKIP LOCKED),
    unshared AS (DELETE FROM shares h USING expired e WHERE h.tenant_id = e.tenant_id AND h.document_id = e.id)
    DELETE FROM documents d USING expired e WHERE d.tenant_id = e.tenant_id AND d.id = e.id`);
}
