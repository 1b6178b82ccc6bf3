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
         AND NOT EXISTS (SELECT FROM staged_uploads u WHERE u.tenant_id = d.tenant_id AND u.document_id = d.id)
       FOR UPDATE SKIP LOCKED),
    unlisted AS (DELETE FROM share_accesses a USING shares h, expired e
       WHERE h.tenant_id = e.tenant_id AND h.document_id = e.id AND a.tenant_id = h.tenant_id AND a.share_id = h.id),
    uncounted AS (DELETE FROM share_attempts t USING shares h, expired e
       WHERE h.tenant_id = e.tenant_id AND h.document_id = e.id AND t.tenant_id = h.tenant_id AND t.share_id = h.id),
    unshared AS (DELETE FROM shares h USING expired e WHERE h.tenant_id = e.tenant_id AND h.document_id = e.id)
    DELETE FROM documents d USING expired e WHERE d.tenant_id = e.tenant_id AND d.id = e.id`);
}

/**
 * Gives back the downloads of transfers that say nothing any more, because their process died; forgets old attempts.
 *
 * @returns how many transfers were given up
 */
export async function sweepTransfers(ctx: RequestContext): Promise<number> {
  await asSystem(ctx).$executeRaw(Prisma.sql`DELETE FROM share_attempts WHERE since < clock_timestamp() - interval '1 hour'`);
  return asSystem(ctx).$executeRaw(Prisma.sql`
    WITH lapsed AS (
      UPDATE share_accesses a SET running = 0, lease_until = NULL, charged = a.charged AND a.finished > 0,
             outcome = CASE WHEN a.finished > 0 THEN 'SUCCEEDED' ELSE 'FAILED' END::share_access_outcome
       WHERE a.lease_until < clock_timestamp() RETURNING a.tenant_id, a.share_id, a.charged)
    UPDATE shares h SET download_count = greatest(0, h.download_count - l.refunds)
      FROM (SELECT tenant_id, share_id, count(*)::int AS refunds FROM lapsed WHERE NOT charged GROUP BY 1, 2) l
     WHERE h.tenant_id = l.tenant_id AND h.id = l.share_id`);
}
