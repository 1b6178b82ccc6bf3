import type { Readable } from 'node:stream';
import { recordEvent } from '../audit/audit.service.js';
import type { BlobStore } from '../blob/store.js';
import { inTransaction, type RequestContext } from '../context.js';
import type { File as FileRow } from '../db/generated/client.js';
import { newRow } from '../db/rows.js';
import { type DocumentRow, getDocument, lockForChange } from '../document/document.service.js';
import { filesChanged } from '../document/document.workflow.js';
import { ConflictError, DomainError, FileInfectedError, invalid, unavailable } from '../errors.js';
import { name } from '../input.js';
import { type Inspection, inspectBytes } from './inspect.js';

// What every door for bytes obeys, whether they come in one request or in parts.

/** How long an upload may be silent before the sweeper takes it for dead, in milliseconds. */
export const LEASE = 60_000;

/** A file whose bytes are in the store and have been looked at. */
export interface StoredFile {
  row: FileRow;
  inspection: Inspection;
}

export async function requireOpenDocument(ctx: RequestContext, id: string): Promise<DocumentRow> {
  const document = await getDocument(ctx, id);
  if (document.status === 'INACTIVE')
    throw new ConflictError('The document is inactive and read-only. Reactivate it first.', document.version);
  return document;
}

/** A file's name as it is kept. @param path where the input has it, for the error */
export function fileName(given: string, path: string): string {
  const checked = name(255).safeParse(given);
  if (!checked.success) throw invalid(path, checked.error.issues[0]?.message ?? 'is not a file name');
  return checked.data;
}

/** A claimed media type as it is kept. */
export const keptType = (declaredType: string): string => declaredType.slice(0, 255);

/** Writes the row that owns the bytes to come. */
export function startFile(
  ctx: RequestContext,
  file: { documentId: string; storageId: string; name: string; declaredType: string },
): Promise<FileRow> {
  const row = newRow(ctx);
  return ctx.db.file.create({
    data: {
      ...row,
      ...file,
      declaredType: keptType(file.declaredType),
      objectKey: `${file.documentId}/${row.id}`,
      sweepAfter: new Date(row.createdAt.getTime() + LEASE),
    },
  });
}

/** Keeps the sweeper from rows, those that are added later too, until the function that it returns is called. */
export function keepLease(ctx: RequestContext, rows: FileRow[]): () => void {
  const timer = setInterval(() => {
    const sweepAfter = new Date(ctx.now().getTime() + LEASE);
    ctx.db.file
      .updateMany({ where: { id: { in: rows.map((row) => row.id) }, state: 'UPLOADING' }, data: { sweepAfter } })
      .catch((error: unknown) => ctx.log.warn({ err: error }, 'could not renew the lease of an upload'));
  }, LEASE / 3);
  return () => clearInterval(timer);
}

/** Looks at a file's bytes while `consume` reads them: size, hash, type and the virus scanner's verdict, in one pass. */
export async function inspectWhile(
  ctx: RequestContext,
  source: Readable,
  { declaredType }: Pick<FileRow, 'declaredType'>,
  consume: (stream: Readable) => Promise<void>,
): Promise<Inspection> {
  const { limits, scanner } = ctx.services;
  const options = { maxSize: limits.maxFileSize, declaredType, scan: scanner?.begin() };
  const inspected = inspectBytes(source, options);
  try {
    await consume(inspected.stream);
  } catch (error) {
    // Whoever reads only says that its source failed; why is what the client must know.
    const reason = inspected.stream.errored instanceof DomainError ? inspected.stream.errored : error;
    inspected.stream.destroy();
    throw reason;
  }
  return inspected.result;
}

/**
 * Makes files READY with their audit events, and their document PENDING if it was reviewed, in one transaction.
 *
 * @param within runs in the same transaction
 */
export function finishFiles(
  ctx: RequestContext,
  documentId: string,
  stored: StoredFile[],
  expectedVersion?: number | null,
  within?: (tx: RequestContext, files: FileRow[]) => Promise<void>,
): Promise<{ document: DocumentRow; files: FileRow[] }> {
  return inTransaction(ctx, async (tx) => {
    const before = await lockForChange(tx, documentId, expectedVersion);
    const files: FileRow[] = [];
    for (const file of stored) files.push(await settle(tx, file, 'READY'));
    const document = await filesChanged(tx, before);
    for (const [index, file] of files.entries()) await recordUpload(tx, file, stored[index]?.inspection, before, document);
    await within?.(tx, files);
    return { document, files };
  });
}

/** Writes into the history that a file came to its document. */
export const recordUpload = (
  tx: RequestContext,
  file: FileRow,
  inspection: Inspection | undefined,
  before: DocumentRow,
  after: DocumentRow,
): Promise<void> =>
  recordEvent(tx, {
    action: 'file.uploaded',
    subjectId: after.id,
    entity: { type: 'File', id: file.id },
    before: { status: before.status },
    after: { ...described(file, inspection), status: after.status },
  });

/**
 * Keeps a file that the virus scanner objects to as evidence, out of everyone's reach; its document stays as it is.
 *
 * @returns the error to throw
 */
export async function quarantine(
  ctx: RequestContext,
  stored: StoredFile,
  signature: string,
  within?: (tx: RequestContext, file: FileRow) => Promise<void>,
): Promise<FileInfectedError> {
  await inTransaction(ctx, async (tx) => {
    const file = await settle(tx, stored, 'QUARANTINED');
    await recordEvent(tx, {
      action: 'file.quarantined',
      subjectId: file.documentId,
      entity: { type: 'File', id: file.id },
      after: { ...described(file), signature },
    });
    await within?.(tx, file);
  });
  ctx.log.warn({ fileId: stored.row.id, signature }, 'an infected file was put into quarantine');
  return new FileInfectedError(stored.row.name);
}

const described = ({ name, contentType, size, sha256 }: FileRow, inspection?: Inspection) => ({
  name,
  contentType,
  size,
  sha256,
  ...(inspection?.scan && { scan: inspection.scan.verdict }),
});

async function settle(ctx: RequestContext, { row, inspection }: StoredFile, state: 'READY' | 'QUARANTINED'): Promise<FileRow> {
  const { size, sha256, contentType } = inspection;
  const [file] = await ctx.db.file.updateManyAndReturn({
    where: { id: row.id, state: 'UPLOADING' },
    data: { state, size, sha256, contentType, sweepAfter: null, updatedAt: ctx.now() },
  });
  if (!file) throw unavailable('The upload took so long that it was given up. Send it again.');
  return file;
}

/** Rows that were settled stay: a commit that seemed to fail may have happened. The sweeper does what this leaves. */
export async function abandonFiles(ctx: RequestContext, store: BlobStore, rows: FileRow[]): Promise<void> {
  try {
    for (const { id, objectKey } of rows) {
      await ctx.db.file.updateMany({ where: { id, state: 'UPLOADING' }, data: { state: 'DELETED', sweepAfter: ctx.now() } });
      const settled = { id, state: { in: ['READY' as const, 'QUARANTINED' as const] } };
      if (await ctx.db.file.findFirst({ where: settled, select: { id: true } })) continue;
      await store.delete(objectKey);
      await ctx.db.file.deleteMany({ where: { id, state: 'DELETED' } });
    }
  } catch (error) {
    ctx.log.warn({ err: error }, 'could not clean up after an upload; the sweeper will');
  }
}
