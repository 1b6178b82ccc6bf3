import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { CRC32C } from '@google-cloud/storage';
import { StorageError } from '../errors.js';
import { type GcsBucket, objectPath, uploadPath } from './gcs-client.js';
import type { GcsObject, Mark } from './gcs-objects.js';

/** In bytes. Smaller objects are sent by one request. Must be a multiple of 256 KiB. */
const PIECE = 8 * 1024 ** 2;

interface About {
  contentType: string;
  metadata: Mark;
}

/**
 * Creates an object of whatever the body has. Rejects with the SDK's own errors. The SDK's own stream for this keeps what
 * it was given until much later: it takes 300 MiB to send one of 1 GiB.
 */
export async function uploadGcs(place: GcsBucket, key: string, body: Readable, about: About): Promise<void> {
  const sum = new CRC32C();
  let session: string | undefined;
  let sent = 0;
  for await (const { bytes, isLast } of piecesOf(body)) {
    sum.update(bytes);
    if (isLast && session === undefined) return sendWhole(place, key, bytes, { ...about, crc32c: sum.toString() });
    session ??= await begin(place, key, about);
    const made = await sendPiece(place, session, bytes, sent, isLast);
    sent += bytes.length;
    if (made && made.crc32c !== sum.toString()) await discard(place, key, made);
  }
}

/** Each piece takes the memory of the one before. */
async function* piecesOf(body: Readable): AsyncGenerator<{ bytes: Buffer; isLast: boolean }> {
  const piece = Buffer.allocUnsafe(PIECE);
  let filled = 0;
  // A failure of the store must not look as if the body had been cut.
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    for (let rest: Buffer = chunk; rest.length > 0; ) {
      if (filled === PIECE) {
        yield { bytes: piece, isLast: false };
        filled = 0;
      }
      const taken = rest.copy(piece, filled);
      filled += taken;
      rest = rest.subarray(taken);
    }
  }
  yield { bytes: piece.subarray(0, filled), isLast: true };
}

/** The service compares the bytes with their sum before there is an object. */
async function sendWhole(place: GcsBucket, key: string, bytes: Buffer, about: About & { crc32c: string }): Promise<void> {
  const boundary = randomUUID();
  const parts = [
    `content-type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify(about)}`,
    `content-type: ${about.contentType}\r\n\r\n`,
  ];
  const start = parts.map((part) => `--${boundary}\r\n${part}`).join('\r\n');
  await place.send({
    method: 'POST',
    path: uploadPath(place),
    params: { uploadType: 'multipart', name: key, ifGenerationMatch: 0 },
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    data: Buffer.concat([Buffer.from(start), bytes, Buffer.from(`\r\n--${boundary}--`)]),
    patience: place.patience.transfer,
  });
}

/** @returns where the pieces are sent to: a path, as whatever host it is at must not be believed */
async function begin(place: GcsBucket, key: string, about: About): Promise<string> {
  const { headers } = await place.send({
    method: 'POST',
    path: uploadPath(place),
    params: { uploadType: 'resumable', name: key, ifGenerationMatch: 0 },
    data: about,
  });
  const { location = '' } = headers;
  if (!URL.canParse(location)) throw new StorageError('UNKNOWN', 'The storage began an upload without an address. Try again.');
  const { pathname, search } = new URL(location);
  return pathname + search;
}

/** The service ends a session that it cannot go on with, or that lasts longer than a week; another must be begun. */
const isForgotten = (status: number) => status === 404 || status === 410;

/** Sends a piece until the store has all of it; it may take a part at a time. @returns the object that the last one makes */
async function sendPiece(place: GcsBucket, session: string, bytes: Buffer, start: number, isLast: boolean): Promise<GcsObject | null> {
  const end = start + bytes.length;
  for (let from = start; ; ) {
    const { status, headers, data } = await place.send<GcsObject>({
      method: 'PUT',
      path: session,
      headers: { 'content-range': `bytes ${from}-${end - 1}/${isLast ? end : '*'}` },
      data: bytes.subarray(from - start),
      accepts: (status) => status < 300 || status === 308 || isForgotten(status),
      patience: place.patience.transfer,
    });
    if (isForgotten(status)) throw new StorageError('UNKNOWN', 'The storage has forgotten an upload that it had begun. Send it again.');
    if (status !== 308) return data;
    const [, had = '-1'] = /-(\d+)$/.exec(headers.range ?? '') ?? [];
    if (Number(had) < from) throw new StorageError('UNKNOWN', 'The storage takes no more of an upload. Send it again.');
    from = Number(had) + 1;
    if (from === end && !isLast) return null;
  }
}

async function discard(place: GcsBucket, key: string, { generation }: GcsObject): Promise<never> {
  await place.send({ method: 'DELETE', path: objectPath(place, key), params: { ifGenerationMatch: generation } });
  throw new StorageError('UNKNOWN', 'Other bytes arrived than were sent. Nothing of them was stored; send them again.');
}
