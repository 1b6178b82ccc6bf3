import { finished } from 'node:stream/promises';
import { authorize } from '../auth/policy.js';
import type { BlobStore } from '../blob/store.js';
import type { RequestContext } from '../context.js';
import { isId } from '../db/id.js';
import { ConflictError, FileInfectedError, invalid, notFound, StorageError, ValidationError } from '../errors.js';
import type { FileRow } from '../file/file.service.js';
import type { Inspection } from '../file/inspect.js';
import { abandonFiles, finishFiles, inspectWhile, keepLease, quarantine, requireOpenDocument, startFile } from '../file/intake.js';
import { parseInput } from '../input.js';
import { withLease } from './lease.js';
import { partLength, partNumbers } from './parts.js';
import { type CompleteUploadInput, completeUploadInput } from './upload.input.js';
import { canUpload } from './upload.policy.js';
import { ANSWERED_FOR, arrivedParts, clearStaged, closeUpload, storeOfUpload, type UploadRow } from './upload.service.js';

/**
 * Makes a file of what has arrived. Its bytes are first copied to where no client can write, and then read to the end:
 * what is verified is what is served. A lie about size or hash closes the upload; a failure that may pass leaves it open
 * for another try. Doing it again answers the same file.
 *
 * @throws ConflictError when parts are missing, or another request is completing it
 */
export async function completeUpload(ctx: RequestContext, id: string, raw: CompleteUploadInput = {}): Promise<FileRow> {
  authorize(ctx, canUpload);
  const { expectedVersion } = parseInput(completeUploadInput, raw);
  const done = await outcome(ctx, id);
  if (done) return done;
  return withLease(ctx, id, async (upload) => {
    const store = await storeOfUpload(ctx, upload);
    try {
      await assemble(store, upload);
      return await verifyAndPublish(ctx, store, upload, expectedVersion);
    } catch (error) {
      if (error instanceof ValidationError) await closeUpload(ctx, upload, error.fields[0]);
      throw error;
    }
  });
}

/** What became of an upload, for whoever asks again: its file or why it was refused; null while it is open. */
async function outcome(ctx: RequestContext, id: string): Promise<FileRow | null> {
  const done = isId(id) ? await ctx.db.stagedUpload.findFirst({ where: { id, state: { not: 'OPEN' } } }) : null;
  if (!done) return null;
  if (done.failure !== null) throw invalid(done.failureField ?? '', done.failure);
  if (done.state === 'CLOSED') throw notFound('Upload');
  const file = await ctx.db.file.findFirst({ where: { id: done.fileId ?? '', state: { in: ['READY', 'QUARANTINED'] } } });
  if (!file) throw notFound('File');
  if (file.state === 'QUARANTINED') throw new FileInfectedError(file.name);
  return file;
}

/** Makes one object of the parts, unless an earlier try came so far. */
async function assemble(store: BlobStore, upload: UploadRow): Promise<void> {
  const { stagedKey, storeUploadId } = upload;
  if (storeUploadId !== null && (await stagedSize(store, stagedKey)) === null) {
    const arrived = new Map((await arrivedParts(store, upload)).map((part) => [part.number, part]));
    const numbers = partNumbers(upload);
    const missing = numbers.filter((number) => !arrived.has(number));
    if (missing.length > 0) throw incomplete(missing);
    const wrong = numbers.find((number) => arrived.get(number)?.size !== partLength(upload, number));
    if (wrong !== undefined) throw invalid('size', `part ${wrong} has another size than was announced; announce the file anew`);
    const parts = numbers.flatMap((number) => arrived.get(number) ?? []);
    await store.multipart.complete(stagedKey, storeUploadId, parts);
  }
  const size = await stagedSize(store, stagedKey);
  if (size === null) throw incomplete([1]);
  requireSize(upload, size);
}

async function stagedSize(store: BlobStore, key: string): Promise<number | null> {
  try {
    return (await store.head(key)).size;
  } catch (error) {
    if (error instanceof StorageError && error.reason === 'NOT_FOUND') return null;
    throw error;
  }
}

const SHOWN = 10;
const incomplete = (missing: number[]) =>
  new ConflictError(
    `${missing.length} part(s) have not arrived: ${missing.slice(0, SHOWN).join(', ')}${missing.length > SHOWN ? ', …' : ''}. Send them, then complete again.`,
  );

function requireSize({ size }: UploadRow, found: number): void {
  if (Number(size) !== found) throw invalid('size', `${size} bytes were announced, ${found} arrived; announce the file anew`);
}

async function verifyAndPublish(
  ctx: RequestContext,
  store: BlobStore,
  upload: UploadRow,
  expectedVersion: number | null | undefined,
): Promise<FileRow> {
  const { documentId, storageId, name, declaredType, stagedKey } = upload;
  await requireOpenDocument(ctx, documentId);
  const row = await startFile(ctx, { documentId, storageId, name, declaredType });
  const release = keepLease(ctx, [row]);
  try {
    await store.copy(stagedKey, row.objectKey);
    const inspection = await inspectWhile(ctx, await store.get(row.objectKey), row, (stream) => finished(stream.resume()));
    requireTruth(upload, inspection);
    const file = await publish(ctx, upload, { row, inspection }, expectedVersion);
    await clearStaged(store, upload).catch((error: unknown) => ctx.log.warn({ err: error }, 'could not clear an upload; the sweeper will'));
    return file;
  } catch (error) {
    await abandonFiles(ctx, store, [row]);
    throw error;
  } finally {
    release();
  }
}

function requireTruth(upload: UploadRow, { size, sha256 }: Inspection): void {
  requireSize(upload, size);
  if (upload.sha256 && upload.sha256 !== sha256)
    throw invalid('sha256', `the bytes that arrived have the SHA-256 ${sha256}, not the one announced; announce the file anew`);
}

/** The upload is done in the same transaction in which its file appears: of two tries, one makes the file. */
async function publish(
  ctx: RequestContext,
  upload: UploadRow,
  stored: { row: FileRow; inspection: Inspection },
  expectedVersion: number | null | undefined,
): Promise<FileRow> {
  const { scan } = stored.inspection;
  if (scan?.verdict === 'INFECTED') throw await quarantine(ctx, stored, scan.signature, (tx, file) => markDone(tx, upload, file));
  const { files } = await finishFiles(ctx, upload.documentId, [stored], expectedVersion, async (tx, [file]) => {
    if (file) await markDone(tx, upload, file);
  });
  const [file] = files;
  if (!file) throw new Error('a file was finished and is not there');
  return file;
}

/** Kept for a day, so that whoever lost the answer can ask again. */
async function markDone(ctx: RequestContext, upload: UploadRow, file: FileRow): Promise<void> {
  const sweepAfter = new Date(ctx.now().getTime() + ANSWERED_FOR);
  const { count } = await ctx.db.stagedUpload.updateMany({
    where: { id: upload.id, state: 'OPEN' },
    data: { state: 'DONE', fileId: file.id, sweepAfter, updatedAt: ctx.now() },
  });
  if (count === 0) throw new ConflictError('The upload was completed or aborted meanwhile. Ask for its state.');
}
