import { finished, PassThrough, Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StorageError } from '../errors.js';
import type { ByteRange } from './store.js';

/** @throws StorageError UNSUPPORTED for what no object can have; whether it lies within this one is for the store to say */
export function checkRange({ start, end }: ByteRange): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end) return;
  throw badRange();
}
export const badRange = () => new StorageError('UNSUPPORTED', 'The range is not within the object. Ask for bytes that it has.');

/** Whether an answer has the bytes of the range: some stores answer one past the end with the whole object, or with nothing. */
export function hasRange({ start }: ByteRange, contentRange = ''): boolean {
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(contentRange) ?? [];
  return Number(first) === start && (total === '*' || start < Number(total));
}

export const cutShort = (cause: unknown) =>
  new StorageError('UNKNOWN', 'The upload was cut short. Nothing of it was stored; send it again.', { cause });

/** Runs an upload of the body. What went wrong with the body itself, or its signal, is an upload that was cut short. */
export async function sending<Result>(
  body: Readable,
  signal: AbortSignal | undefined,
  toFault: (error: unknown) => StorageError,
  upload: () => Promise<Result>,
): Promise<Result> {
  const stop = () => body.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
  tolerateFailure(body);
  try {
    // Node iterates a stream that has ended as if it were empty: the object would be stored without its bytes.
    if (Readable.isDisturbed(body) || signal?.aborted) throw cutShort(body.errored ?? signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    return await upload();
  } catch (error) {
    throw body.errored || isCut(body) ? cutShort(body.errored ?? error) : toFault(error);
  } finally {
    signal?.removeEventListener('abort', stop);
    body.destroy();
  }
}

/** Has a body fail without harm while nobody reads it yet: its error would end the process. */
export function tolerateFailure(body: Readable): void {
  body.on('error', () => undefined);
}

/** Closed by its owner before its end, without an error. */
const isCut = (body: Readable) => body.destroyed && !body.readableEnded;

/**
 * Sends a body of exactly `size` bytes by one request. It is stopped when the body fails or has another size, and when
 * the store takes nothing for so long; a body that is slow itself is waited for.
 * @param patience in milliseconds
 */
export async function sendExactly<Result>(
  body: Readable,
  { size, patience }: { size: number; patience: number },
  send: (body: Readable, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController();
  const exact = exactly(size);
  let moved = true;
  exact.on('data', () => {
    moved = true;
  });
  exact.pause();
  const timer = setInterval(() => {
    if (!moved && (exact.readableLength > 0 || exact.readableEnded)) stop.abort(frozen());
    moved = false;
  }, patience);
  const piped = pipeline(body, exact).catch((error: unknown) => stop.abort(error));
  try {
    return await send(exact, stop.signal);
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    clearInterval(timer);
    exact.destroy();
    await piped;
  }
}

/** Passes on exactly so many bytes, or fails before the one too many, or at the end that comes too early. */
export function exactly(size: number): Transform {
  let left = size;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      left -= chunk.length;
      if (left < 0) done(cutShort(undefined));
      else done(null, chunk);
    },
    flush(done) {
      done(left === 0 ? null : cutShort(undefined));
    },
  });
}

/**
 * The bytes of an answer, whose faults are StorageErrors. It fails when the store sends nothing for so long although it
 * could: a reader who takes his time is waited for.
 * @param patience in milliseconds
 */
export function received(source: Readable, patience: number, toFault: (error: unknown) => StorageError, signal?: AbortSignal): Readable {
  let arrived = true;
  const out = new PassThrough({ highWaterMark: 256 * 1024 });
  const timer = setInterval(() => {
    if (!arrived && out.readableLength === 0) out.destroy(frozen());
    arrived = false;
  }, patience);
  source.on('data', () => {
    arrived = true;
  });
  const abort = () => out.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal?.addEventListener('abort', abort, { once: true });
  finished(source, (error) => {
    if (error) out.destroy(toFault(error));
  });
  out.once('close', () => {
    clearInterval(timer);
    signal?.removeEventListener('abort', abort);
    source.destroy();
  });
  return source.pipe(out);
}

export const frozen = (cause?: unknown) =>
  new StorageError('UNREACHABLE', 'The storage took too long to answer. It may be overloaded or frozen; try again later.', { cause });
