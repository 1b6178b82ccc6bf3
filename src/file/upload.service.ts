import type { Readable } from 'node:stream';
import { authorize } from '../auth/policy.js';
import type { RequestContext } from '../context.js';
import type { File as FileRow } from '../db/generated/client.js';
import type { DocumentRow } from '../document/document.service.js';
import { invalid, PayloadTooLargeError } from '../errors.js';
import { storageById } from '../storage/storage.loader.js';
import { storeOf } from '../storage/storage.service.js';
import { canWriteFiles } from './file.policy.js';
import {
  abandonFiles,
  fileName,
  finishFiles,
  inspectWhile,
  keepLease,
  quarantine,
  requireOpenDocument,
  type StoredFile,
  startFile,
} from './intake.js';

/** A file on its way in. `open` may be called once; the bytes are read as fast as the store takes them. */
export interface IncomingFile {
  name: string;
  declaredType: string;
  open: () => Readable;
}

/**
 * Stores files with a document: all of them or none. A row is written before its bytes, so that whatever a crash
 * leaves has an owner that the sweeper finds; the rows become READY with the audit events in one transaction.
 *
 * @param within runs last in that transaction
 */
export async function uploadFiles(
  ctx: RequestContext,
  documentId: string,
  files: AsyncIterable<IncomingFile>,
  expectedVersion?: number | null,
  within?: (tx: RequestContext, files: FileRow[]) => Promise<void>,
): Promise<{ document: DocumentRow; files: FileRow[] }> {
  authorize(ctx, canWriteFiles);
  const document = await requireOpenDocument(ctx, documentId);
  const storage = await storageById(ctx).load(document.storageId);
  if (!storage) throw new Error(`document ${document.id} has no storage`);
  const store = await storeOf(ctx, storage);
  const stored: StoredFile[] = [];
  const started: FileRow[] = [];
  const release = keepLease(ctx, started);
  try {
    for await (const { name, declaredType, open } of files) {
      if (started.length >= ctx.services.limits.maxFiles) throw tooManyFiles(ctx);
      const checked = fileName(name, `files.${started.length}.name`);
      const row = await startFile(ctx, { documentId: document.id, storageId: storage.id, name: checked, declaredType });
      started.push(row);
      const inspection = await inspectWhile(ctx, open(), row, (stream) => store.put(row.objectKey, stream));
      if (inspection.scan?.verdict === 'INFECTED') throw await quarantine(ctx, { row, inspection }, inspection.scan.signature);
      stored.push({ row, inspection });
    }
    if (stored.length === 0) throw invalid('files', 'send at least one file');
    return await finishFiles(ctx, document.id, stored, expectedVersion, within);
  } catch (error) {
    await abandonFiles(ctx, store, started);
    throw error;
  } finally {
    release();
  }
}

export const tooManyFiles = (ctx: RequestContext): PayloadTooLargeError => {
  const { maxFiles } = ctx.services.limits;
  return new PayloadTooLargeError(`At most ${maxFiles} files in one request. Send the rest in another.`, maxFiles);
};
