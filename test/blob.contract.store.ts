import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect } from 'vitest';
import type { BlobStore } from '../src/blob/store.js';
import { StorageError, type StorageFailure } from '../src/errors.js';
import type { Driver } from './blob.drivers.js';

export const MiB = 1024 * 1024;
export const bytes = (text: string) => Readable.from([Buffer.from(text)]);

export async function keysUnder(store: BlobStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys.sort();
}

/** The StorageError that the promise must reject with. */
export async function faultOf(promise: Promise<unknown>): Promise<StorageError> {
  const error = await promise.then(
    () => expect.unreachable('resolved'),
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(StorageError);
  return error as StorageError; // As the line above says.
}

export const reasonOf = async (promise: Promise<unknown>): Promise<StorageFailure> => (await faultOf(promise)).reason;

/** A stream that only ever exists in parts, and the digest of what it gave so far. */
export function generated(size: number): { stream: Readable; digest: () => string } {
  const block = randomBytes(MiB);
  const hash = createHash('sha256');
  function* blocks() {
    for (let left = size; left > 0; left -= MiB) {
      const part = Buffer.from(block.subarray(0, Math.min(left, MiB)));
      part.writeUInt32BE(left / MiB);
      hash.update(part);
      yield part;
    }
  }
  return { stream: Readable.from(blocks(), { objectMode: false }), digest: () => hash.digest('hex') };
}

/** A store of a driver, opened for the tests of a block. */
export function useStore(open: Driver['open']) {
  let opened: Awaited<ReturnType<Driver['open']>>;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened.close());
  return { store: () => opened.store, refused: () => opened.refused };
}
