import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { authorize } from '../auth/policy.js';
import type { BlobStore } from '../blob/store.js';
import type { RequestContext } from '../context.js';
import { newId } from '../db/id.js';
import { ConflictError, invalid, notFound } from '../errors.js';
import { UploadBusyError, withLease } from './lease.js';
import { countParts, partLength } from './parts.js';
import { canUpload } from './upload.policy.js';
import { getUpload, storeOfUpload, tailPrefix, type UploadRow } from './upload.service.js';

/** How long a client may send nothing while it is waited for, in milliseconds. What came until then is kept. */
const SILENCE = 30_000;
/** As many small pieces at the end become one. */
const MAX_TAILS = 16;

/** An upload whose bytes come one after the other. */
export interface OrderedUpload extends UploadRow {
  /** How many have come and are safe. */
  received: bigint;
}

/** @throws NotFoundError also for an upload whose parts come on their own */
export async function getOrderedUpload(ctx: RequestContext, id: string): Promise<OrderedUpload> {
  return ordered(await getUpload(ctx, id));
}

/**
 * Takes bytes of an upload that was created to come in order. They are safe in the store before they count, part by part;
 * where the body breaks off, what came of it counts as well.
 *
 * @param offset where the body begins in the file, which is where the upload stands
 * @returns it as it stands now
 * @throws ConflictError when it stands elsewhere, UploadBusyError when someone else is sending
 */
export async function appendBytes(ctx: RequestContext, id: string, offset: number, body: Readable): Promise<OrderedUpload> {
  authorize(ctx, canUpload);
  return withLease(ctx, id, async (row) => {
    let upload = ordered(row);
    if (Number(upload.received) !== offset) throw elsewhere(upload);
    const store = await storeOfUpload(ctx, upload);
    const { partSize } = numbersOf(upload);
    for await (const piece of piecesOf(body, partSize - (offset % partSize), partSize)) upload = await keep(ctx, store, upload, piece);
    if (upload.size === 0n) await putPart(store, upload, Buffer.alloc(0));
    return upload;
  });
}

function ordered(upload: UploadRow): OrderedUpload {
  if (upload.received === null) throw notFound('Upload');
  return { ...upload, received: upload.received };
}

const elsewhere = ({ received }: OrderedUpload) =>
  new ConflictError(`The upload stands at byte ${received}. Ask for its offset and go on from there.`);

const numbersOf = ({ partSize, received }: OrderedUpload) => ({ partSize: Number(partSize), received: Number(received) });

/** Cuts a stream where parts end: the first piece has at most `room` bytes, and only the last may be shorter than it could be. */
async function* piecesOf(body: Readable, room: number, partSize: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let left = room;
  const watch = () => setTimeout(() => body.destroy(), SILENCE);
  let silence = watch();
  try {
    for await (const chunk of body) {
      for (let rest: Buffer = chunk; rest.length > 0; ) {
        const taken = rest.subarray(0, left);
        held.push(taken);
        rest = rest.subarray(taken.length);
        left -= taken.length;
        if (left > 0) continue;
        clearTimeout(silence);
        yield Buffer.concat(held);
        silence = watch();
        [held, left] = [[], partSize];
      }
      silence.refresh();
    }
  } catch {
    // The connection broke, or was silent: nobody has to send again what came before.
  } finally {
    clearTimeout(silence);
  }
  if (held.length > 0) yield Buffer.concat(held);
}

/** Stores a piece, then counts it. A piece that ends a part takes the tails before it along. */
async function keep(ctx: RequestContext, store: BlobStore, upload: OrderedUpload, piece: Buffer): Promise<OrderedUpload> {
  const received = upload.received + BigInt(piece.length);
  if (received > upload.size) throw invalid('size', `${upload.size} bytes were announced, and more come`);
  const endsPart = received % upload.partSize === 0n || received === upload.size;
  if (!endsPart && upload.tails.length < MAX_TAILS) {
    const tail = await putTail(store, upload, piece);
    return count(ctx, upload, { received, tails: [...upload.tails, tail] });
  }
  const whole = Buffer.concat([...(await readTails(store, upload)), piece]);
  const tails = endsPart ? [] : [await putTail(store, upload, whole)];
  if (endsPart) await putPart(store, upload, whole);
  const counted = await count(ctx, upload, { received, tails });
  await removeTails(store, upload.tails).catch((error: unknown) =>
    ctx.log.warn({ err: error }, 'could not remove tails; the sweeper will'),
  );
  return counted;
}

async function putTail(store: BlobStore, { stagedKey }: UploadRow, bytes: Buffer): Promise<string> {
  const key = `${tailPrefix(stagedKey)}${newId()}`;
  await store.put(key, Readable.from([bytes], { objectMode: false }), { size: bytes.length });
  return key;
}

async function readTails(store: BlobStore, { tails }: UploadRow): Promise<Buffer[]> {
  const read: Buffer[] = [];
  for (const key of tails) read.push(await buffer(await store.get(key)));
  return read;
}

async function removeTails(store: BlobStore, tails: string[]): Promise<void> {
  for (const key of tails) await store.delete(key);
}

async function putPart(store: BlobStore, upload: OrderedUpload, bytes: Buffer): Promise<void> {
  const { stagedKey, storeUploadId, size } = upload;
  if (storeUploadId === null) throw notFound('Upload');
  const { partSize, received } = numbersOf(upload);
  const number = Math.min(Math.floor(received / partSize) + 1, countParts(upload));
  if (bytes.length !== partLength(upload, number)) throw new Error(`part ${number} of ${size} bytes came with ${bytes.length}`);
  await store.multipart.putPart(stagedKey, storeUploadId, number, Readable.from([bytes], { objectMode: false }), { size: bytes.length });
}

/** Whoever lost the lease without noticing has been overtaken, and does not count. */
async function count(
  ctx: RequestContext,
  { id, received }: OrderedUpload,
  now: { received: bigint; tails: string[] },
): Promise<OrderedUpload> {
  const [upload] = await ctx.db.stagedUpload.updateManyAndReturn({
    where: { id, state: 'OPEN', received },
    data: { ...now, updatedAt: ctx.now() },
  });
  if (!upload) throw new UploadBusyError();
  return ordered(upload);
}
