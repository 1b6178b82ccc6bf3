import { asSystem, type RequestContext, retentionStart } from '../context.js';
import { Prisma } from '../db/generated/client.js';

/**
 * Removes documents whose time in the trash is over and whose files are gone, with their shares. Their history stays.
 *
 * @returns how many documents were removed
 */
export async function purgeDocuments(ctx: RequestContext): Promise<number> {
  return asSystem(ctx).$executeRaw(Prisma.sql`
    WITH expired AS (
      SELECT d.tenant_id, d.id FROM documents d
       WHERE d.deleted_at < ${retentionStart(ctx)}
         AND NOT EXISTS (SELECT FROM files f WHERE f.tenant_id = d.tenant_id AND f.document_id = d.id)
       FOR UPDATE SKIP LOCKED),
    unshared AS (DELETE FROM shares h USING expired e WHERE h.tenant_id = e.tenant_id AND h.document_id = e.id)
    DELETE FROM documents d USING expired e WHERE d.tenant_id = e.tenant_id AND d.id = e.id`);
}
