import { asSystem, asTenant, type RequestContext, retentionStart } from '../context.js';
import { columnsOf } from '../db/columns.js';
import { type File as FileRow, Prisma } from '../db/generated/client.js';
import { storageById } from '../storage/storage.loader.js';
import { storeOf } from '../storage/storage.service.js';

const BATCH = 100;
/** How long a claimed row is left to its sweeper before another tries, in milliseconds. */
const CLAIM = 10 * 60_000;

type RemoveDerived = (ctx: RequestContext, file: FileRow) => Promise<void>;

/**
 * Finishes off what crashed uploads and expired retention left: the object first, then its row. A store that errs keeps
 * its row for the next round. Any number of copies may run it at once.
 *
 * @param removeDerived removes what was made of a file, and acts for its tenant; comes before the file's own bytes
 * @returns how many files were removed
 */
export async function sweepFiles(ctx: RequestContext, removeDerived: RemoveDerived = async () => undefined): Promise<number> {
  await expireDeletedDocuments(ctx);
  let removed = 0;
  for (;;) {
    const rows = await claim(ctx);
    for (const row of rows) removed += (await remove(ctx, row, removeDerived)) ? 1 : 0;
    if (rows.length < BATCH) return removed;
  }
}

/** At the start of the only process on a database no upload can be running: what looks so is left over. */
export async function expireUploads(ctx: RequestContext): Promise<void> {
  await asSystem(ctx).file.updateMany({ where: { state: 'UPLOADING' }, data: { sweepAfter: ctx.now() } });
}

async function expireDeletedDocuments(ctx: RequestContext): Promise<void> {
  await asSystem(ctx).$executeRaw(Prisma.sql`
    UPDATE files f SET state = 'DELETED', sweep_after = ${ctx.now()} FROM documents d
     WHERE d.deleted_at < ${retentionStart(ctx)} AND f.tenant_id = d.tenant_id AND f.document_id = d.id AND f.state IN ('READY', 'QUARANTINED')`);
}

/** Rows that are due, kept from other sweepers for a while. */
function claim(ctx: RequestContext): Promise<FileRow[]> {
  const again = new Date(ctx.now().getTime() + CLAIM);
  return asSystem(ctx).$queryRaw<FileRow[]>(Prisma.sql`
    UPDATE files f SET state = 'DELETED', sweep_after = ${again}
     WHERE (f.tenant_id, f.id) IN (
       SELECT tenant_id, id FROM files WHERE sweep_after <= ${ctx.now()} AND state IN ('UPLOADING', 'DELETED')
        ORDER BY sweep_after LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
    RETURNING ${columnsOf(Prisma.FileScalarFieldEnum, 'f')}`);
}

async function remove(ctx: RequestContext, row: FileRow, removeDerived: RemoveDerived): Promise<boolean> {
  const tenant = asTenant(ctx, row.tenantId);
  try {
    const storage = await storageById(tenant).load(row.storageId);
    if (!storage) throw new Error(`file ${row.id} has no storage`);
    await removeDerived(tenant, row);
    await (await storeOf(tenant, storage)).delete(row.objectKey);
    await tenant.db.file.deleteMany({ where: { id: row.id, state: 'DELETED' } });
    return true;
  } catch (error) {
    ctx.log.warn({ err: error, fileId: row.id }, 'could not remove a file; trying again later');
    return false;
  }
}
