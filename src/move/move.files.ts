import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { BlobStore } from '../blob/store.js';
import { inTransaction, type RequestContext } from '../context.js';
import type { File as FileRow } from '../db/generated/client.js';
import { newId } from '../db/id.js';
import { StorageError } from '../errors.js';
import { inspectBytes } from '../file/inspect.js';
import { type ExpectedObject, expectObject, keepExpecting, keepObject, releaseObject } from '../file/removal.service.js';
import { releaseRenditions } from '../rendition/rendition.store.js';
import { storageById } from '../storage/storage.loader.js';
import { type StorageRow, storeOf } from '../storage/storage.service.js';

/** Where a file goes. */
export interface Target {
  storage: StorageRow;
  store: BlobStore;
}

/**
 * Brings one file to another storage: copies it, reads the copy back, compares both with the file's SHA-256, and only then
 * points the row at the copy. Its readers notice nothing. Pictures of it stay behind, to be removed, and are made anew. A crash
 * at any point leaves the file where it was, or moved, and notes of the other objects.
 *
 * @param moved is part of the transaction in which the row changes; not asked when the file was deleted or moved meanwhile
 * @throws StorageError CHANGED when the bytes are not those of the row
 */
export async function moveFile(
  ctx: RequestContext,
  file: FileRow,
  { storage, store }: Target,
  moved: (tx: RequestContext) => Promise<void>,
): Promise<void> {
  const from = await storageById(ctx).load(file.storageId);
  if (!from) throw new Error(`file ${file.id} has no storage`);
  const copy = { storageId: storage.id, objectKey: `${file.documentId}/${newId()}` };
  const expected = await expectObject(ctx, copy);
  const release = keepExpecting(ctx, [expected.removalId]);
  try {
    await copyBytes(file, await storeOf(ctx, from), store, copy.objectKey);
  } finally {
    release();
  }
  await inTransaction(ctx, async (tx) => {
    if (await pointAt(tx, file, expected)) await moved(tx);
  });
}

async function copyBytes(file: FileRow, from: BlobStore, to: BlobStore, objectKey: string): Promise<void> {
  const source = inspectBytes(await from.get(file.objectKey), { maxSize: Number(file.size) });
  await to.put(objectKey, source.stream, { size: Number(file.size), contentType: file.contentType });
  requireSame(file, await source.result, 'The stored object is damaged: its bytes are not those that were uploaded. It was not moved.');
  const copy = inspectBytes(await to.get(objectKey), { maxSize: Number(file.size) });
  await drain(copy.stream);
  requireSame(file, await copy.result, 'The new storage gives other bytes than it was sent. The file was not moved.');
}

function requireSame(file: FileRow, { sha256, size }: { sha256: string; size: number }, message: string): void {
  if (sha256 !== file.sha256 || BigInt(size) !== file.size) throw new StorageError('CHANGED', message);
}

async function drain(stream: Readable): Promise<void> {
  stream.resume();
  await once(stream, 'end');
}

/** @returns whether the file was still where the copy was made from */
async function pointAt(tx: RequestContext, file: FileRow, expected: ExpectedObject): Promise<boolean> {
  const { count } = await tx.db.file.updateMany({
    where: { id: file.id, storageId: file.storageId, objectKey: file.objectKey, state: { in: ['READY', 'QUARANTINED'] } },
    data: { storageId: expected.storageId, objectKey: expected.objectKey },
  });
  if (count === 0) return false;
  if (!(await keepObject(tx, expected))) throw new StorageError('UNKNOWN', 'The copy took so long that it was given up.');
  await releaseObject(tx, file);
  await releaseRenditions(tx, file.id);
  return true;
}

/** The files of a document that are not in this storage; those that are still on their way count as `arriving`. */
export async function filesElsewhere(ctx: RequestContext, documentId: string, storageId: string) {
  const rows = await ctx.db.file.findMany({
    where: { documentId, storageId: { not: storageId }, state: { in: ['READY', 'QUARANTINED', 'UPLOADING'] } },
    orderBy: { id: 'asc' },
  });
  return { files: rows.filter(({ state }) => state !== 'UPLOADING'), arriving: rows.some(({ state }) => state === 'UPLOADING') };
}
