import { asSystem, asTenant, type RequestContext } from '../context.js';
import { type ObjectRemoval, Prisma } from '../db/generated/client.js';
import { storageById } from '../storage/storage.loader.js';
import { storeOf } from '../storage/storage.service.js';

const BATCH = 100;
/** How long a claimed note is left to its sweeper before another tries, in milliseconds. */
const CLAIM = 10 * 60_000;

/**
 * Removes the objects that no file took or that lost theirs: the object first, then its note. A store that errs keeps its
 * note for the next round. Any number of copies may run it at once.
 *
 * @returns how many objects were removed
 */
export async function sweepObjects(ctx: RequestContext): Promise<number> {
  let removed = 0;
  for (;;) {
    const due = await claim(ctx);
    for (const removal of due) removed += (await remove(ctx, removal)) ? 1 : 0;
    if (due.length < BATCH) return removed;
  }
}

/** An object that a file has is never among them, whatever a note says. */
function claim(ctx: RequestContext): Promise<ObjectRemoval[]> {
  const again = new Date(ctx.now().getTime() + CLAIM);
  return asSystem(ctx).$queryRaw<ObjectRemoval[]>(Prisma.sql`
    UPDATE object_removals r SET due_at = ${again}, given_up = true
     WHERE (r.tenant_id, r.id) IN (
       SELECT o.tenant_id, o.id FROM object_removals o
        WHERE o.due_at <= ${ctx.now()} AND NOT EXISTS (
          SELECT FROM files f WHERE f.tenant_id = o.tenant_id AND f.storage_id = o.storage_id AND f.object_key = o.object_key)
        ORDER BY o.due_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
    RETURNING r.tenant_id AS "tenantId", r.id, r.storage_id AS "storageId", r.object_key AS "objectKey", r.due_at AS "dueAt", r.given_up AS "givenUp"`);
}

async function remove(ctx: RequestContext, { tenantId, id, storageId, objectKey }: ObjectRemoval): Promise<boolean> {
  const tenant = asTenant(ctx, tenantId);
  try {
    const storage = await storageById(tenant).load(storageId);
    if (!storage) throw new Error(`object removal ${id} has no storage`);
    await (await storeOf(tenant, storage)).delete(objectKey);
    await tenant.db.objectRemoval.deleteMany({ where: { id } });
    return true;
  } catch (error) {
    ctx.log.warn({ err: error, removalId: id }, 'could not remove an object; trying again later');
    return false;
  }
}
