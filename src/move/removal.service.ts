import type { RequestContext } from '../context.js';
import { Prisma } from '../db/generated/client.js';
import { newId } from '../db/id.js';

/** How long an object that is on its way may have no file, in milliseconds. Renewed while it is. */
const ARRIVAL = 60 * 60_000;
/** How long an object outlives its file row's change: whoever read the row before may still open it. */
const FAREWELL = 10 * 60_000;

export interface StoredObject {
  storageId: string;
  objectKey: string;
}

const later = (ctx: RequestContext, milliseconds: number) => new Date(ctx.now().getTime() + milliseconds);

/** Notes an object before it is written: it goes unless `keepObject` says otherwise in time. @returns the note's id */
export const expectObject = (ctx: RequestContext, object: StoredObject): Promise<string> => note(ctx, object, ARRIVAL);

/** More time for an object that takes long. */
export async function stillExpecting(ctx: RequestContext, removalId: string): Promise<void> {
  await ctx.db.objectRemoval.updateMany({ where: { id: removalId }, data: { dueAt: later(ctx, ARRIVAL) } });
}

/** Call it in the transaction that gives the object a file. @returns whether it was in time */
export async function keepObject(ctx: RequestContext, removalId: string): Promise<boolean> {
  return (await ctx.db.objectRemoval.deleteMany({ where: { id: removalId } })).count === 1;
}

/** Call it in the transaction that takes an object its file. */
export async function releaseObject(ctx: RequestContext, object: StoredObject): Promise<void> {
  await note(ctx, object, FAREWELL);
}

/** Call it in the transaction that moves a file, after its row: the pictures of it that the old storage keeps. */
export async function releaseRenditions(ctx: RequestContext, fileId: string): Promise<void> {
  await ctx.db.execute(Prisma.sql`
    WITH gone AS (DELETE FROM renditions r WHERE ${ctx.db.owns('r')} AND r.file_id = ${fileId} RETURNING *)
    INSERT INTO object_removals (tenant_id, id, storage_id, object_key, due_at)
    SELECT tenant_id, id, storage_id, object_key, ${later(ctx, FAREWELL)} FROM gone`);
}

async function note(ctx: RequestContext, { storageId, objectKey }: StoredObject, milliseconds: number): Promise<string> {
  const id = newId();
  await ctx.db.objectRemoval.create({
    data: { storageId, objectKey, tenantId: ctx.db.tenantId, id, dueAt: later(ctx, milliseconds) },
  });
  return id;
}
