import type { Readable } from 'node:stream';
import { recordEvent } from '../audit/audit.service.js';
import { authorize } from '../auth/policy.js';
import type { BlobStore } from '../blob/store.js';
import { inTransaction, type RequestContext } from '../context.js';
import type { File as FileRow, Storage as StorageRow } from '../db/generated/client.js';
import { newRow } from '../db/rows.js';
import { type DocumentRow, getDocument, lockForChange } from '../document/document.service.js';
import { filesChanged } from '../document/document.workflow.js';
import { ConflictError, DomainError, invalid, PayloadTooLargeError, unavailable } from '../errors.js';
import { name } from '../input.js';
import { storageById } from '../storage/storage.loader.js';
import { storeOf } from '../storage/storage.service.js';
import { canWriteFiles } from './file.policy.js';
import { type Inspection, inspectBytes } from './inspect.js';

/** A file on its way in. `open` may be called once; the bytes are read as fast as the store takes them. */
export interface IncomingFile {
  name: string;
  declaredType: string;
  open: () => Readable;
}

/** How long an upload may be silent before the sweeper takes it for dead. Renewed every third of it. */
const LEASE = 60_000;

interface StoredFile {
  row: FileRow;
  inspection: Inspection;
}

/**
 * Stores files with a document: all of them or none. A row is written before its bytes, so that whatever a crash
 * leaves has an owner that the sweeper finds; the rows become READY with the audit events in one transaction.
 */
export async function uploadFiles(
  ctx: RequestContext,
  documentId: string,
  files: AsyncIterable<IncomingFile>,
  expectedVersion?: number | null,
): Promise<{ document: DocumentRow; files: FileRow[] }> {
  authorize(ctx, canWriteFiles);
  const document = await requireOpenDocument(ctx, documentId);
  const storage = await storageById(ctx).load(document.storageId);
  if (!storage) throw new Error(`document ${document.id} has no storage`);
  const store = await storeOf(ctx, storage);
  const stored: StoredFile[] = [];
  const started: FileRow[] = [];
  const lease = setInterval(() => renewLease(ctx, started), LEASE / 3);
  try {
    for await (const file of files) {
      if (started.length >= ctx.services.limits.maxFiles) throw tooManyFiles(ctx);
      const row = await startFile(ctx, document, storage, file, started.length);
      started.push(row);
      stored.push({ row, inspection: await storeBytes(ctx, store, row, file) });
    }
    if (stored.length === 0) throw invalid('files', 'send at least one file');
    return await finish(ctx, document.id, stored, expectedVersion);
  } catch (error) {
    await abandon(ctx, store, started);
    throw error;
  } finally {
    clearInterval(lease);
  }
}

async function requireOpenDocument(ctx: RequestContext, id: string): Promise<DocumentRow> {
  const document = await getDocument(ctx, id);
  if (document.status === 'INACTIVE')
    throw new ConflictError('The document is inactive and read-only. Reactivate it first.', document.version);
  return document;
}

export const tooManyFiles = (ctx: RequestContext): PayloadTooLargeError => {
  const { maxFiles } = ctx.services.limits;
  return new PayloadTooLargeError(`At most ${maxFiles} files in one request. Send the rest in another.`, maxFiles);
};

function startFile(ctx: RequestContext, document: DocumentRow, storage: StorageRow, file: IncomingFile, index: number): Promise<FileRow> {
  const row = newRow(ctx);
  const checked = name(255).safeParse(file.name);
  if (!checked.success) throw invalid(`files.${index}.name`, checked.error.issues[0]?.message ?? 'is not a file name');
  return ctx.db.file.create({
    data: {
      ...row,
      documentId: document.id,
      storageId: storage.id,
      name: checked.data,
      declaredType: file.declaredType.slice(0, 255),
      objectKey: `${document.id}/${row.id}`,
      sweepAfter: new Date(row.createdAt.getTime() + LEASE),
    },
  });
}

async function storeBytes(ctx: RequestContext, store: BlobStore, row: FileRow, file: IncomingFile): Promise<Inspection> {
  const inspected = inspectBytes(file.open(), { maxSize: ctx.services.limits.maxFileSize, declaredType: row.declaredType });
  try {
    await store.put(row.objectKey, inspected.stream);
  } catch (error) {
    // The store only says that its source failed; why is what the client must know.
    throw inspected.stream.errored instanceof DomainError ? inspected.stream.errored : error;
  }
  return inspected.result;
}

function renewLease(ctx: RequestContext, rows: FileRow[]): void {
  const sweepAfter = new Date(ctx.now().getTime() + LEASE);
  ctx.db.file
    .updateMany({ where: { id: { in: rows.map((row) => row.id) }, state: 'UPLOADING' }, data: { sweepAfter } })
    .catch((error: unknown) => ctx.log.warn({ err: error }, 'could not renew the lease of an upload'));
}

function finish(ctx: RequestContext, documentId: string, stored: StoredFile[], expectedVersion: number | null | undefined) {
  return inTransaction(ctx, async (tx) => {
    const before = await lockForChange(tx, documentId, expectedVersion);
    const files: FileRow[] = [];
    for (const { row, inspection } of stored) files.push(await publish(tx, row, inspection));
    const document = await filesChanged(tx, before);
    for (const file of files) {
      await recordEvent(tx, {
        action: 'file.uploaded',
        subjectId: document.id,
        entity: { type: 'File', id: file.id },
        before: { status: before.status },
        after: { name: file.name, contentType: file.contentType, size: file.size, sha256: file.sha256, status: document.status },
      });
    }
    return { document, files };
  });
}

async function publish(ctx: RequestContext, row: FileRow, { size, sha256, contentType }: Inspection): Promise<FileRow> {
  const [file] = await ctx.db.file.updateManyAndReturn({
    where: { id: row.id, state: 'UPLOADING' },
    data: { state: 'READY', size, sha256, contentType, sweepAfter: null, updatedAt: ctx.now() },
  });
  if (!file) throw unavailable('The upload took so long that it was given up. Send it again.');
  return file;
}

/** Rows that became READY stay: a commit that seemed to fail may have happened. The sweeper does what this leaves. */
async function abandon(ctx: RequestContext, store: BlobStore, rows: FileRow[]): Promise<void> {
  try {
    for (const { id, objectKey } of rows) {
      await ctx.db.file.updateMany({ where: { id, state: 'UPLOADING' }, data: { state: 'DELETED', sweepAfter: ctx.now() } });
      if (await ctx.db.file.findFirst({ where: { id, state: 'READY' }, select: { id: true } })) continue;
      await store.delete(objectKey);
      await ctx.db.file.deleteMany({ where: { id, state: 'DELETED' } });
    }
  } catch (error) {
    ctx.log.warn({ err: error }, 'could not clean up after an upload; the sweeper will');
  }
}
