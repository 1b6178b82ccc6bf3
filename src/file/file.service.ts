import type { Readable } from 'node:stream';
import { recordEvent } from '../audit/audit.service.js';
import { authorize } from '../auth/policy.js';
import type { BlobStore, ByteRange } from '../blob/store.js';
import { inTransaction, type RequestContext } from '../context.js';
import type { File as FileRow } from '../db/generated/client.js';
import { isId } from '../db/id.js';
import { changedRow } from '../db/rows.js';
import { documentById } from '../document/document.loader.js';
import { canReadDocuments } from '../document/document.policy.js';
import { type DocumentRow, lockForChange } from '../document/document.service.js';
import { filesChanged } from '../document/document.workflow.js';
import { ConflictError, notFound } from '../errors.js';
import type { Columns } from '../relation/table.js';
import { knownAddress } from '../storage/addresses.js';
import { storageById } from '../storage/storage.loader.js';
import { storeOf } from '../storage/storage.service.js';
import { readFault } from './fault.js';
import { type FileInStore, fileById } from './file.loader.js';
import { canReadFiles, canWriteFiles } from './file.policy.js';
import { documentFiles, findDocumentAndFiles } from './file.relations.js';

export type { FileRow };

const DAY = 24 * 60 * 60 * 1000;

export async function getFile(ctx: RequestContext, id: string): Promise<FileRow> {
  authorize(ctx, canReadFiles);
  const row = isId(id) ? await fileById(ctx).load(id) : null;
  if (!row) throw notFound('File');
  return row;
}

/** A file of just this document. */
export async function getFileOf(ctx: RequestContext, documentId: string, id: string): Promise<FileRow> {
  const row = await getFile(ctx, id);
  if (row.documentId !== documentId) throw notFound('File');
  return row;
}

/** @param columns what will be looked at of the rows; the rest may be missing */
export async function listFiles(ctx: RequestContext, documentId: string, columns?: Columns): Promise<FileRow[]> {
  authorize(ctx, canReadFiles);
  return filesOf(ctx, documentId, columns);
}

/** The same, for an answer to whoever may see the document or has just changed it. */
export const filesOf = async (ctx: RequestContext, documentId: string, columns?: Columns): Promise<FileRow[]> =>
  (await documentFiles.load(ctx, columns).load(documentId)) ?? [];

/** A document whose files `filesOf` has already: both by one statement. @param columns as `filesOf` will be given them */
export async function getDocumentAndFiles(ctx: RequestContext, id: string, columns: Columns): Promise<DocumentRow> {
  authorize(ctx, canReadDocuments);
  const found = isId(id) ? await findDocumentAndFiles(ctx, id, columns) : null;
  if (!found) throw notFound('Document');
  documentFiles.load(ctx, columns).prime(id, found.files);
  return found.document;
}

/** @throws CONFLICT for a file whose bytes are kept back */
export function requireReadable(file: FileRow): void {
  if (file.state !== 'READY') throw new ConflictError('The file is in quarantine and cannot be read. Delete it and upload a clean one.');
}

/** Where a file's bytes come from. The caller has established the right to read them. INTERNAL when they are lost. */
export async function openFile(ctx: RequestContext, file: FileRow, range?: ByteRange, signal?: AbortSignal): Promise<Readable> {
  requireReadable(file);
  try {
    return await (await storeOfFile(ctx, file)).get(file.objectKey, { range, signal });
  } catch (error) {
    throw readFault(ctx, file, error);
  }
}

/** In seconds. */
const LOCATION_LIFE = 60;

/**
 * Where the bucket itself hands out a file's bytes for a minute, with these headers; null where they come through this
 * process: by the settings, or because clients cannot reach the store. The caller has established the right to read them.
 */
export async function locateFile(
  ctx: RequestContext,
  file: FileRow,
  headers: { contentType?: string; contentDisposition?: string },
): Promise<string | null> {
  if (!ctx.services.redirectDownloads) return null;
  requireReadable(file);
  const store = await storeOfFile(ctx, file);
  return store.presigns ? (await store.presignGet(file.objectKey, { expiresIn: LOCATION_LIFE, ...headers })).url : null;
}

async function storeOfFile(ctx: RequestContext, file: FileRow & Partial<FileInStore>): Promise<BlobStore> {
  const { tenantId, storageId: id, storageVersion: version } = file;
  const known = version === undefined ? null : knownAddress(ctx, { tenantId, id, version });
  if (known) return ctx.services.blobs.open(known);
  const storage = await storageById(ctx).load(id);
  if (!storage) throw new Error(`file ${file.id} has no storage`);
  return storeOf(ctx, storage);
}

/** Removes a file from its document, which has to be reviewed again. The bytes go after the retention time. */
export async function deleteFile(ctx: RequestContext, id: string, expectedVersion?: number | null): Promise<DocumentRow> {
  authorize(ctx, canWriteFiles);
  const file = await getFile(ctx, id);
  return inTransaction(ctx, async (tx) => {
    const before = await lockForChange(tx, file.documentId, expectedVersion);
    const sweepAfter = new Date(tx.now().getTime() + tx.services.limits.retentionDays * DAY);
    const { count } = await tx.db.file.updateMany({
      where: { id, state: { in: ['READY', 'QUARANTINED'] } },
      data: { state: 'DELETED', sweepAfter, ...changedRow(tx) },
    });
    if (count === 0) throw notFound('File');
    const after = await filesChanged(tx, before);
    await recordEvent(tx, {
      action: 'file.deleted',
      subjectId: before.id,
      entity: { type: 'File', id },
      before: { name: file.name, sha256: file.sha256, status: before.status },
      after: { status: after.status },
    });
    return after;
  });
}

/** The document of a file; null once it is in the trash. */
export async function documentOf(ctx: RequestContext, file: FileRow): Promise<DocumentRow | null> {
  authorize(ctx, canReadDocuments);
  return documentById(ctx).load(file.documentId);
}
