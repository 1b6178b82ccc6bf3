import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { BlobStore } from '../blob/store.js';
import type { RequestContext } from '../context.js';
import { type File as FileRow, type Preview, Prisma, type Rendition } from '../db/generated/client.js';
import { newId } from '../db/id.js';
import { StorageError } from '../errors.js';
import { farewell } from '../file/removal.service.js';
import type { PageRequest, RenderFailure } from '../render/outcome.js';
import { storageById } from '../storage/storage.loader.js';
import { storeOf } from '../storage/storage.service.js';

/** What is known of a file and of one of its pages; null where nothing is. */
export interface Known {
  preview: Preview | null;
  rendition: Rendition | null;
}

/** These may have been the machine's fault: they are tried again after a while, in milliseconds. */
const passing: ReadonlySet<string> = new Set<RenderFailure>(['TIMED_OUT', 'CRASHED']);
const TRY_AGAIN = 60 * 60_000;

export async function findKnown(ctx: RequestContext, file: FileRow, { page, width }: PageRequest): Promise<Known> {
  const [preview, rendition] = await Promise.all([
    ctx.db.preview.findFirst({ where: { id: file.id } }),
    ctx.db.rendition.findFirst({ where: { fileId: file.id, page, width } }),
  ]);
  return { preview, rendition };
}

/** The failure that a row remembers, while it stands. */
export function failureOf(ctx: RequestContext, row: { failure: RenderFailure | null; createdAt: Date } | null): RenderFailure | null {
  if (!row?.failure) return null;
  return passing.has(row.failure) && row.createdAt.getTime() < ctx.now().getTime() - TRY_AGAIN ? null : row.failure;
}

/** Writes down what was learnt of a file that is still there. */
export async function rememberFile(
  ctx: RequestContext,
  file: FileRow,
  { pageCount = null, failure = null }: { pageCount?: number | null; failure?: RenderFailure | null },
): Promise<void> {
  await ctx.db.execute(Prisma.sql`
    INSERT INTO previews (tenant_id, id, created_at, page_count, failure)
    SELECT f.tenant_id, f.id, ${ctx.now()}, ${pageCount}::int, ${failure}::render_failure FROM files f
     WHERE ${ctx.db.owns('f')} AND f.id = ${file.id} AND f.state = 'READY'
    ON CONFLICT (tenant_id, id) DO UPDATE
      SET created_at = excluded.created_at, page_count = excluded.page_count, failure = excluded.failure`);
}

/**
 * The row of a page in a width, written before its object. Null when the file is gone meanwhile. A move of the file waits
 * for it, or comes first: no row names a storage that the file has left.
 */
async function claimRow(
  ctx: RequestContext,
  file: FileRow,
  { page, width }: PageRequest,
  failure: RenderFailure | null,
): Promise<Rendition | null> {
  await ctx.db.execute(Prisma.sql`
    INSERT INTO renditions (tenant_id, id, created_at, file_id, page, width, storage_id, object_key, failure)
    SELECT f.tenant_id, ${newId()}, ${ctx.now()}, f.id, ${page}::int, ${width}::int, f.storage_id,
           'renditions/' || f.sha256 || '/' || f.id || ${`/${page}-${width}.webp`}, ${failure}::render_failure FROM files f
     WHERE ${ctx.db.owns('f')} AND f.id = ${file.id} AND f.state = 'READY'
       FOR SHARE
    ON CONFLICT (tenant_id, file_id, page, width) DO UPDATE SET failure = excluded.failure, created_at = excluded.created_at`);
  return ctx.db.rendition.findFirst({ where: { fileId: file.id, page, width } });
}

export async function rememberPage(ctx: RequestContext, file: FileRow, request: PageRequest, failure: RenderFailure): Promise<void> {
  await claimRow(ctx, file, request, failure);
}

/** Keeps a picture. Two copies that made the same one write the same object: whoever comes second has nothing to do. */
export async function keep(ctx: RequestContext, file: FileRow, request: PageRequest, image: Buffer): Promise<void> {
  const row = await claimRow(ctx, file, request, null);
  if (!row) return;
  const store = await storeOfRendition(ctx, row);
  try {
    await store.put(row.objectKey, Readable.from([image]), { contentType: 'image/webp', size: image.length });
  } catch (error) {
    if (!(error instanceof StorageError && error.reason === 'ALREADY_EXISTS')) throw error;
  }
  const { count } = await ctx.db.rendition.updateMany({ where: { id: row.id }, data: { stored: true } });
  // The file went while its picture was on its way.
  if (count === 0) await store.delete(row.objectKey);
}

/** The bytes of a picture that was kept; null when they are not there, whatever the row says. */
export async function readKept(ctx: RequestContext, row: Rendition | null): Promise<Buffer | null> {
  if (!row?.stored) return null;
  try {
    return await buffer(await (await storeOfRendition(ctx, row)).get(row.objectKey));
  } catch (error) {
    if (error instanceof StorageError && error.reason === 'NOT_FOUND') return null;
    throw error;
  }
}

/** Removes all pictures of a file: the objects first, then their rows. For whoever removes the file's own bytes. */
export async function removeRenditions(ctx: RequestContext, file: Pick<FileRow, 'id'>): Promise<void> {
  for (const row of await ctx.db.rendition.findMany({ where: { fileId: file.id } })) {
    // One that failed may have been kept by another copy of the gateway.
    await (await storeOfRendition(ctx, row)).delete(row.objectKey);
    await ctx.db.rendition.deleteMany({ where: { id: row.id } });
  }
  await ctx.db.preview.deleteMany({ where: { id: file.id } });
}

async function storeOfRendition(ctx: RequestContext, row: Rendition): Promise<BlobStore> {
  const storage = await storageById(ctx).load(row.storageId);
  if (!storage) throw new Error(`rendition ${row.id} has no storage`);
  return storeOf(ctx, storage);
}

/** Call it in the transaction that moves a file, after its row: the pictures of it that the old storage keeps. */
export async function releaseRenditions(ctx: RequestContext, fileId: string): Promise<void> {
  await ctx.db.execute(Prisma.sql`
    WITH gone AS (DELETE FROM renditions r WHERE ${ctx.db.owns('r')} AND r.file_id = ${fileId} RETURNING *)
    INSERT INTO object_removals (tenant_id, id, storage_id, object_key, due_at)
    SELECT tenant_id, id, storage_id, object_key, ${farewell(ctx)} FROM gone`);
}
