import { asSystem, asTenant, type RequestContext } from '../context.js';
import { columnsOf } from '../db/columns.js';
import { Prisma } from '../db/generated/client.js';
import { clearStaged, storeOfUpload, type UploadRow } from './upload.service.js';

const BATCH = 100;
/** How long a request that was signed may still be under way after it expired, in milliseconds. */
const UNDER_WAY = 60 * 60_000;
/** How long a claimed row is left to its sweeper before another tries, in milliseconds. */
const CLAIM = 10 * 60_000;

/**
 * Removes uploads that expired, were given up, or became files: what is staged first, then the row. A store that errs
 * keeps its row for the next round. Any number of copies may run it at once.
 *
 * @returns how many uploads were removed
 */
export async function sweepUploads(ctx: RequestContext): Promise<number> {
  let removed = 0;
  for (;;) {
    const rows = await claim(ctx);
    for (const row of rows) removed += (await remove(ctx, row)) ? 1 : 0;
    if (rows.length < BATCH) return removed;
  }
}

/** At the start of the only process on a database nobody can be writing or completing: whoever seemed to has died. */
export async function releaseUploads(ctx: RequestContext): Promise<void> {
  await asSystem(ctx).stagedUpload.updateMany({ where: { leasedUntil: { not: null } }, data: { leasedUntil: null } });
}

function claim(ctx: RequestContext): Promise<UploadRow[]> {
  const now = ctx.now();
  const again = new Date(now.getTime() + CLAIM);
  return asSystem(ctx).$queryRaw<UploadRow[]>(Prisma.sql`
    UPDATE staged_uploads u SET state = CASE u.state WHEN 'OPEN' THEN 'CLOSED' ELSE u.state END, sweep_after = ${again}
     WHERE (u.tenant_id, u.id) IN (
       SELECT tenant_id, id FROM staged_uploads
        WHERE sweep_after <= ${now} AND (leased_until IS NULL OR leased_until <= ${now})
          AND (signed_until IS NULL OR signed_until <= ${new Date(now.getTime() - UNDER_WAY)})
        ORDER BY sweep_after LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
    RETURNING ${columnsOf(Prisma.StagedUploadScalarFieldEnum, 'u')}`);
}

async function remove(ctx: RequestContext, row: UploadRow): Promise<boolean> {
  const tenant = asTenant(ctx, row.tenantId);
  try {
    await clearStaged(await storeOfUpload(tenant, row), row);
    await tenant.db.stagedUpload.deleteMany({ where: { id: row.id, state: { not: 'OPEN' } } });
    return true;
  } catch (error) {
    ctx.log.warn({ err: error, uploadId: row.id }, 'could not remove an upload; trying again later');
    return false;
  }
}
