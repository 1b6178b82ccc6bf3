import { signLink } from '../auth/links.js';
import { authorize } from '../auth/policy.js';
import type { BlobStore, PartInfo, SignedRequest } from '../blob/store.js';
import { inTransaction, type RequestContext } from '../context.js';
import { Prisma, type StagedUpload as UploadRow } from '../db/generated/client.js';
import { isId } from '../db/id.js';
import { newRow } from '../db/rows.js';
import { ConflictError, type FieldIssue, invalid, notFound, StorageError } from '../errors.js';
import { tooLarge } from '../file/inspect.js';
import { requireOpenDocument } from '../file/intake.js';
import { parseInput } from '../input.js';
import { storageById } from '../storage/storage.loader.js';
import { storeOf } from '../storage/storage.service.js';
import { withLease } from './lease.js';
import { countParts, partLength, partNumbers, partOffset, partSizeFor } from './parts.js';
import { type CreateUploadInput, createUploadInput, type SignPartsInput, signPartsInput } from './upload.input.js';
import { canUpload } from './upload.policy.js';

export type { UploadRow };

const HOUR = 60 * 60 * 1000;
const SIGNED_FOR = HOUR;
/** How long it is known what became of an upload, for whoever lost the answer, in milliseconds. */
export const ANSWERED_FOR = 24 * HOUR;
/** Requests in one answer. */
const MAX_REQUESTS = 100;

/** A part, and the request that brings it. */
export interface PartRequest extends SignedRequest {
  number: number;
  /** Where it begins in the file, and how long it is, in bytes. */
  offset: number;
  size: number;
}

/**
 * Announces a file that comes in parts, each with a request of its own: straight to the bucket where clients can reach it,
 * through this service where not. Nothing of it can be read before `completeUpload`.
 *
 * @param options.inOrder for bytes that come one after the other, to `appendBytes`
 */
export async function createUpload(
  ctx: RequestContext,
  raw: CreateUploadInput,
  { inOrder }: { inOrder: boolean } = { inOrder: false },
): Promise<UploadRow> {
  authorize(ctx, canUpload);
  const input = parseInput(createUploadInput, raw);
  const { maxFileSize, uploadHours } = ctx.services.limits;
  if (input.size > maxFileSize) throw tooLarge(maxFileSize);
  const document = await requireOpenDocument(ctx, input.documentId);
  const store = await storeIn(ctx, document.storageId);
  const partSize = partSizeFor(input.size, store.multipart.limits, input.partSize);
  const expiresAt = new Date(ctx.now().getTime() + uploadHours * HOUR);
  const row = await inTransaction(ctx, async (tx) => {
    await requireRoom(tx);
    const audit = newRow(tx);
    return tx.db.stagedUpload.create({
      data: {
        ...audit,
        documentId: document.id,
        storageId: document.storageId,
        name: input.name,
        declaredType: input.contentType ?? '',
        size: input.size,
        sha256: input.sha256 ?? '',
        partSize,
        received: inOrder ? 0n : null,
        stagedKey: `uploads/${audit.id}`,
        expiresAt,
        sweepAfter: expiresAt,
      },
    });
  });
  if (store.presigns && input.size <= partSize && !inOrder) return row;
  return beginParts(ctx, store, row);
}

/** An upload that could not begin is none: its name was never told, and it would count among those that are open. */
async function beginParts(ctx: RequestContext, store: BlobStore, row: UploadRow): Promise<UploadRow> {
  let storeUploadId: string | null = null;
  try {
    storeUploadId = await store.multipart.create(row.stagedKey, { contentType: row.declaredType || undefined });
    await ctx.db.stagedUpload.updateMany({ where: { id: row.id }, data: { storeUploadId } });
    return { ...row, storeUploadId };
  } catch (error) {
    await closeUpload(ctx, { ...row, storeUploadId }).catch((err: unknown) => ctx.log.warn({ err }, 'could not close an upload'));
    throw error;
  }
}

/** One user's creations wait for each other, so that the count is exact. */
async function requireRoom(ctx: RequestContext): Promise<void> {
  const { userId } = authorize(ctx, canUpload);
  const { maxOpenUploads } = ctx.services.limits;
  await ctx.db.execute(Prisma.sql`SELECT pg_advisory_xact_lock(hashtextextended(${ctx.db.tenantId} || ${userId}, 0))`);
  const open = await ctx.db.stagedUpload.count({ where: { createdBy: userId, state: 'OPEN', expiresAt: { gt: ctx.now() } } });
  if (open >= maxOpenUploads) throw new ConflictError(`You have ${open} open uploads, the most there may be. Complete or abort some.`);
}

/** An upload that is open or done, or was closed because its bytes were refused. */
export async function getUpload(ctx: RequestContext, id: string): Promise<UploadRow> {
  authorize(ctx, canUpload);
  return findUpload(ctx, id);
}

/** The same, where the right was established by other means. */
export async function findUpload(ctx: RequestContext, id: string): Promise<UploadRow> {
  const open = { state: 'OPEN' as const, expiresAt: { gt: ctx.now() } };
  const refused = { state: 'CLOSED' as const, failure: { not: null } };
  const row = isId(id) ? await ctx.db.stagedUpload.findFirst({ where: { id, OR: [open, { state: 'DONE' }, refused] } }) : null;
  if (!row) throw notFound('Upload');
  return row;
}

const listed = new WeakMap<UploadRow, Promise<PartInfo[]>>();

/** The parts that have arrived, by number. Its store is asked once for each row that was read, so all that an answer says of it agrees. */
export function listParts(ctx: RequestContext, upload: UploadRow): Promise<Pick<PartInfo, 'number' | 'size'>[]> {
  const parts = listed.get(upload) ?? listOpen(ctx, upload);
  listed.set(upload, parts);
  return parts;
}

const listOpen = async (ctx: RequestContext, upload: UploadRow): Promise<PartInfo[]> =>
  upload.state === 'OPEN' ? arrivedParts(await storeOfUpload(ctx, upload), upload) : [];

export async function arrivedParts(store: BlobStore, { stagedKey, storeUploadId }: UploadRow): Promise<PartInfo[]> {
  try {
    if (storeUploadId !== null) return await store.multipart.listParts(stagedKey, storeUploadId);
    const { size, version } = await store.head(stagedKey);
    return [{ number: 1, size, etag: version }];
  } catch (error) {
    if (error instanceof StorageError && error.reason === 'NOT_FOUND') return [];
    throw error;
  }
}

/** Requests for the parts that are still to come, at most 100 of them; none where the bytes come over tus. */
export async function nextRequests(ctx: RequestContext, upload: UploadRow): Promise<PartRequest[]> {
  if (!takesParts(upload)) return [];
  const arrived = new Set((await listParts(ctx, upload)).map(({ number }) => number));
  const missing = partNumbers(upload).filter((number) => !arrived.has(number));
  return sign(ctx, upload, missing.slice(0, MAX_REQUESTS));
}

/** Requests for these parts, to be sent for the first time or again. */
export async function signUploadParts(ctx: RequestContext, id: string, raw: SignPartsInput): Promise<PartRequest[]> {
  const upload = await getUpload(ctx, id);
  const { numbers } = parseInput(signPartsInput, raw);
  if (!takesParts(upload)) throw noMoreParts();
  const last = countParts(upload);
  if (!numbers.every((number) => number >= 1 && number <= last)) throw invalid('numbers', `the parts of this file are 1 to ${last}`);
  return sign(ctx, upload, numbers);
}

const takesParts = ({ state, received }: UploadRow) => state === 'OPEN' && received === null;
export const noMoreParts = () => new ConflictError('The upload takes no parts: it is complete or closed, or its bytes come over tus.');

async function sign(ctx: RequestContext, upload: UploadRow, numbers: number[]): Promise<PartRequest[]> {
  if (numbers.length === 0) return [];
  const store = await storeOfUpload(ctx, upload);
  const end = Math.min(ctx.now().getTime() + SIGNED_FOR, upload.expiresAt.getTime());
  const expiresIn = Math.max(1, Math.floor((end - ctx.now().getTime()) / 1000));
  // First: whoever holds a request may write until it expires, and until then the row has to own what they write.
  if (store.presigns) await noteSignature(ctx, upload, new Date(end));
  return Promise.all(
    numbers.map(async (number) => ({
      number,
      offset: partOffset(upload, number),
      size: partLength(upload, number),
      ...(await signPart(ctx, store, upload, number, expiresIn)),
    })),
  );
}

async function noteSignature(ctx: RequestContext, { id }: UploadRow, signedUntil: Date): Promise<void> {
  const { count } = await ctx.db.stagedUpload.updateMany({ where: { id, state: 'OPEN' }, data: { signedUntil } });
  if (count === 0) throw notFound('Upload');
}

function signPart(
  ctx: RequestContext,
  store: BlobStore,
  upload: UploadRow,
  number: number,
  expiresIn: number,
): SignedRequest | Promise<SignedRequest> {
  const { stagedKey, storeUploadId, id, tenantId } = upload;
  if (storeUploadId === null) return store.presignPut(stagedKey, { expiresIn });
  if (store.presigns) return store.multipart.presignPart(stagedKey, storeUploadId, number, { expiresIn });
  const claims = { tenant: tenantId, upload: id, part: String(number) };
  const token = signLink(ctx.services.linkKeys, 'upload part', claims, expiresIn);
  const expiresAt = new Date(ctx.now().getTime() + expiresIn * 1000);
  return { method: 'PUT', url: `${ctx.baseUrl}/uploads/${id}/parts/${number}?token=${token}`, headers: {}, expiresAt };
}

/** Gives an upload up and frees what has arrived. */
export async function abortUpload(ctx: RequestContext, id: string): Promise<UploadRow> {
  const { state } = await getUpload(ctx, id);
  if (state === 'DONE') throw new ConflictError('The upload is complete. Delete its file instead.');
  return withLease(ctx, id, (upload) => closeUpload(ctx, upload));
}

/**
 * Nobody can send to it or complete it any more; what is staged goes at once, or when the sweeper comes.
 *
 * @param refused why, for whoever asks within a day
 */
export async function closeUpload(ctx: RequestContext, upload: UploadRow, refused?: FieldIssue): Promise<UploadRow> {
  const reason = refused && { failure: refused.message, failureField: refused.path };
  const [closed = upload] = await ctx.db.stagedUpload.updateManyAndReturn({
    where: { id: upload.id, state: 'OPEN' },
    data: { state: 'CLOSED', sweepAfter: ctx.now(), updatedAt: ctx.now(), ...reason },
  });
  try {
    await clearStaged(await storeOfUpload(ctx, upload), upload);
    const sweepAfter = new Date(ctx.now().getTime() + ANSWERED_FOR);
    if (refused) await ctx.db.stagedUpload.updateMany({ where: { id: upload.id, state: 'CLOSED' }, data: { sweepAfter } });
  } catch (error) {
    ctx.log.warn({ err: error }, 'could not clear an upload; the sweeper will');
  }
  return closed;
}

/** Removes whatever is staged under an upload's key. Doing it twice is no harm. */
export async function clearStaged(store: BlobStore, { stagedKey, storeUploadId }: UploadRow): Promise<void> {
  // The object first: a store that keeps waiting parts beside an object (azure_blob) drops them only when it is gone.
  await store.delete(stagedKey);
  if (storeUploadId !== null) await store.multipart.abort(stagedKey, storeUploadId);
  for await (const { key } of store.list(tailPrefix(stagedKey))) await store.delete(key);
}

/** Bytes at the end that do not fill a part yet have keys that begin so. */
export const tailPrefix = (stagedKey: string) => `${stagedKey}-tail-`;

export const storeOfUpload = (ctx: RequestContext, { storageId }: UploadRow): Promise<BlobStore> => storeIn(ctx, storageId);

async function storeIn(ctx: RequestContext, storageId: string): Promise<BlobStore> {
  const storage = await storageById(ctx).load(storageId);
  if (!storage) throw new Error(`there is no storage ${storageId}`);
  return storeOf(ctx, storage);
}
