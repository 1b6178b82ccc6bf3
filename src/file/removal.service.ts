import type { BlobStore } from '../blob/store.js';
import type { RequestContext } from '../context.js';
import { newId } from '../db/id.js';

/** How long an object that is on its way may have no file, in milliseconds. Renewed while it is. */
const ARRIVAL = 60 * 60_000;
/** How long an object outlives its file row's change: whoever read the row before may still open it. */
const FAREWELL = 10 * 60_000;

export interface StoredObject {
  storageId: string;
  objectKey: string;
}

/** An object on its way, and its note. */
export interface ExpectedObject extends StoredObject {
  removalId: string;
}

const later = (ctx: RequestContext, milliseconds: number) => new Date(ctx.now().getTime() + milliseconds);

/** When an object that loses its file now may go. */
export const farewell = (ctx: RequestContext): Date => later(ctx, FAREWELL);

/** Notes an object before it is written: it goes unless `keepObject` says otherwise in time. */
export const expectObject = async (ctx: RequestContext, object: StoredObject): Promise<ExpectedObject> => ({
  ...object,
  removalId: await note(ctx, object, ARRIVAL),
});

/** More time for objects that take long, those that are noted later too, until the function that it returns is called. */
export function keepExpecting(ctx: RequestContext, removalIds: string[]): () => void {
  const timer = setInterval(() => {
    const where = { id: { in: removalIds }, givenUp: false };
    ctx.db.objectRemoval
      .updateMany({ where, data: { dueAt: later(ctx, ARRIVAL) } })
      .catch((err: unknown) => ctx.log.warn({ err }, 'could not renew the notes of objects that arrive'));
  }, ARRIVAL / 12);
  return () => clearInterval(timer);
}

/** Call it in the transaction that gives the object a file. @returns whether it was in time */
export async function keepObject(ctx: RequestContext, { removalId }: ExpectedObject): Promise<boolean> {
  return (await ctx.db.objectRemoval.deleteMany({ where: { id: removalId, givenUp: false } })).count === 1;
}

/** Removes an object that no file took. One that was kept stays: a commit that seemed to fail may have happened. */
export async function dropObject(ctx: RequestContext, store: BlobStore, { objectKey, removalId }: ExpectedObject): Promise<void> {
  // A commit under way is waited for: it holds the note.
  const given = await ctx.db.objectRemoval.updateMany({ where: { id: removalId }, data: { givenUp: true, dueAt: ctx.now() } });
  if (given.count === 0) return;
  await store.delete(objectKey);
  await ctx.db.objectRemoval.deleteMany({ where: { id: removalId } });
}

/** Call it in the transaction that takes an object its file. */
export async function releaseObject(ctx: RequestContext, object: StoredObject): Promise<void> {
  await note(ctx, object, FAREWELL);
}

async function note(ctx: RequestContext, { storageId, objectKey }: StoredObject, milliseconds: number): Promise<string> {
  const id = newId();
  await ctx.db.objectRemoval.create({
    data: { storageId, objectKey, tenantId: ctx.db.tenantId, id, dueAt: later(ctx, milliseconds) },
  });
  return id;
}
