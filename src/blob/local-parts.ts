import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { StorageError } from '../errors.js';
import {
  assertPrepared,
  cutShort,
  faultOf,
  guarded,
  noObject,
  publish,
  segmentsOf,
  syncFolders,
  temporary,
  withDraft,
  writeDraft,
} from './local-disk.js';
import type { MultipartUploads, PartInfo } from './store.js';
import { tolerateFailure } from './streams.js';

const limits = { minSize: 1, maxSize: 5 * 1024 ** 3, maxParts: 10_000 };

/** Uploads in parts under a local_fs root: one folder for each, one file for each part. */
export function localParts(root: string): MultipartUploads {
  return {
    limits,
    create: (key) => create(root, key),
    putPart: (_, uploadId, number, body, { size, signal }) => putPart(root, uploadId, number, body, size, signal),
    presignPart: async () => {
      throw new StorageError('UNSUPPORTED', 'Clients cannot reach this storage themselves. Send the parts through this service.');
    },
    listParts: (_, uploadId) => guarded(root, () => partsIn(folderOf(root, uploadId))),
    complete: (key, uploadId, parts) => complete(root, key, uploadId, parts),
    abort: async (_, uploadId) => {
      await assertPrepared(root);
      await rm(folderOf(root, uploadId), { recursive: true, force: true }).catch(failAsStore);
    },
  };
}

async function create(root: string, key: string): Promise<string> {
  segmentsOf(key);
  const uploadId = randomUUID();
  await guarded(root, async () => {
    await mkdir(folderOf(root, uploadId), { mode: 0o700 });
    await syncFolders([join(root, temporary)]);
  });
  return uploadId;
}

async function putPart(root: string, uploadId: string, number: number, body: Readable, size: number, signal?: AbortSignal) {
  tolerateFailure(body);
  try {
    const folder = folderOf(root, uploadId);
    if (!Number.isInteger(number) || number < 1 || number > limits.maxParts) throw badPart();
    await guarded(root, () => stat(folder));
    await withDraft(root, async (draft) => {
      await writeDraft(draft, body, signal);
      if ((await stat(draft)).size !== size) throw cutShort(undefined);
      await guarded(root, () => rename(draft, join(folder, String(number))));
      await syncFolders([folder]);
    });
    return { number, size, etag: String(number) };
  } catch (error) {
    body.destroy();
    throw faultOf(error);
  }
}

async function partsIn(folder: string): Promise<PartInfo[]> {
  const numbers = (await readdir(folder)).map(Number).sort((a, b) => a - b);
  return Promise.all(
    numbers.map(async (number) => ({ number, size: (await stat(join(folder, String(number)))).size, etag: String(number) })),
  );
}

async function complete(root: string, key: string, uploadId: string, parts: PartInfo[]): Promise<void> {
  const segments = segmentsOf(key);
  const folder = folderOf(root, uploadId);
  await guarded(root, () => stat(folder));
  await withDraft(root, async (draft) => {
    await writeDraft(draft, Readable.from(joined(folder, parts), { objectMode: false }));
    await publish(root, segments, draft);
  }).catch(failAsStore);
  await rm(folder, { recursive: true, force: true }).catch(() => undefined);
}

async function* joined(folder: string, parts: PartInfo[]): AsyncGenerator<Uint8Array> {
  for (const { number, size } of parts) {
    let left = size;
    for await (const chunk of createReadStream(join(folder, String(number)))) {
      left -= chunk.length;
      yield chunk;
    }
    if (left !== 0) throw new StorageError('CHANGED', 'A part changed meanwhile. List the parts again.');
  }
}

/** @throws StorageError NOT_FOUND for what is no id of ours: it must not lead out of the folder */
function folderOf(root: string, uploadId: string): string {
  if (!/^[0-9a-f-]{36}$/.test(uploadId)) throw noObject();
  return join(root, temporary, uploadId);
}

const badPart = () => new StorageError('UNSUPPORTED', `Parts are numbered from 1 to ${limits.maxParts}.`);

function failAsStore(error: unknown): never {
  throw faultOf(error);
}
