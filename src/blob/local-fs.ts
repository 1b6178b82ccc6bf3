import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, opendir, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { addAbortSignal, Readable } from 'node:stream';
import { StorageError } from '../errors.js';
import {
  assertPrepared,
  badKey,
  codeOf,
  enter,
  faultOf,
  guarded,
  infoOf,
  isNotFound,
  maxKeyLength,
  missingCodes,
  pathOf,
  publish,
  segmentPattern,
  segmentsOf,
  statsIfThere,
  syncFolders,
  temporary,
  upwards,
  withDraft,
  writeDraft,
} from './local-disk.js';
import { localParts } from './local-parts.js';
import { probeStore } from './probe.js';
import type { BlobStore, ByteRange, ObjectInfo } from './store.js';
import { tolerateFailure } from './streams.js';

/** A BlobStore in a folder: one object is one file, mode 0600, at the path that its key spells. */
export interface LocalFsStore extends BlobStore {
  /**
   * Removes what killed processes left of unfinished uploads. An upload that is still running loses its bytes, and
   * fails, only if none arrived for that long.
   * @param olderThanMs time since the last byte was written, in milliseconds
   * @returns how many files were removed
   */
  sweepTemporary(olderThanMs: number): Promise<number>;
}

/**
 * Makes a folder into a local_fs storage (mode 0700); one that is prepared already stays as it is. Call it when a
 * storage is set up and never later: a store that made its own root would write beside a disk that is not mounted.
 * @throws StorageError
 */
export async function prepareLocalFs(folder: string): Promise<void> {
  const root = resolve(folder);
  try {
    const made = await mkdir(join(root, temporary), { recursive: true, mode: 0o700 });
    if (made) await syncFolders(upwards(root, dirname(made)));
  } catch (error) {
    throw faultOf(error);
  }
}

/** @param folder a folder that prepareLocalFs has made; on any other, every method rejects with UNREACHABLE */
export function createLocalFsStore(folder: string): LocalFsStore {
  const root = resolve(folder);
  const store: LocalFsStore = {
    presigns: false,
    multipart: localParts(root),
    put: (key, body, options) => put(root, key, body, options?.signal),
    get: (key, options) => guarded(root, async () => read(await pathOf(root, key), options?.range, options?.signal)),
    head: (key) => guarded(root, async () => infoOf(key, await lstat(await pathOf(root, key)))),
    delete: (key) => remove(root, key),
    copy: (from, to, options) => copy(root, from, to, options?.version),
    list: (prefix) => list(root, prefix),
    presignGet: unreachable,
    presignPut: unreachable,
    probe: () => probeStore(store, { reach: () => assertPrepared(root) }),
    sweepTemporary: (olderThanMs) => guarded(root, () => sweep(root, Date.now() - olderThanMs)),
  };
  return store;
}

async function put(root: string, key: string, body: Readable, signal?: AbortSignal): Promise<void> {
  tolerateFailure(body);
  try {
    const segments = segmentsOf(key);
    await assertPrepared(root);
    await withDraft(root, async (draft) => {
      await writeDraft(draft, body, signal);
      await publish(root, segments, draft);
    });
  } catch (error) {
    body.destroy();
    throw faultOf(error);
  }
}

/** A second name for the same file: an object is never changed, so two may share its bytes. */
async function copy(root: string, from: string, to: string, version?: string): Promise<void> {
  const segments = segmentsOf(to);
  await guarded(root, async () => {
    const source = await pathOf(root, from);
    infoOf(from, await lstat(source));
    await publish(root, segments, source);
  });
  if (version === undefined) return;
  const copied = await guarded(root, async () => infoOf(to, await lstat(await pathOf(root, to))));
  if (copied.version === version) return;
  await remove(root, to);
  throw new StorageError('CHANGED', 'The object changed meanwhile and was not copied. Verify it again.');
}

/** In bytes. Larger ones save steps and cost memory for each download under way. */
const chunkSize = 256 * 1024;

async function read(path: string, range?: ByteRange, signal?: AbortSignal): Promise<Readable> {
  signal?.throwIfAborted();
  // Without O_NONBLOCK a planted FIFO would hold a thread for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = infoOf('', await file.stat());
    if (range) checkRange(range, size);
    const { start, end } = range ?? { start: 0, end: size - 1 };
    const length = Math.min(end, size - 1) - start + 1;
    const stream =
      length <= chunkSize ? await readWhole(file, start, length) : file.createReadStream({ start, end, highWaterMark: chunkSize });
    return signal ? addAbortSignal(signal, stream) : stream;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A few bytes: to read them at once costs half of a stream's steps. Closes the file unless it throws. */
async function readWhole(file: FileHandle, start: number, length: number): Promise<Readable> {
  const bytes = Buffer.allocUnsafe(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(bytes, read, length - read, start + read);
    if (bytesRead === 0) throw new StorageError('CHANGED', 'The object became shorter while it was read. Fetch it again.');
    read += bytesRead;
  }
  await file.close();
  const body = new Readable({ read: () => undefined });
  body.push(bytes);
  body.push(null);
  return body;
}

function checkRange({ start, end }: ByteRange, size: number): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && start < size) return;
  throw new StorageError('UNSUPPORTED', `The range ${start}–${end} is not within the object of ${size} bytes.`);
}

async function remove(root: string, key: string): Promise<void> {
  try {
    await guarded(root, async () => {
      const path = await pathOf(root, key);
      await unlink(path);
      await syncFolders([dirname(path)]);
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

async function* list(root: string, prefix: string): AsyncGenerator<ObjectInfo> {
  const folders = prefix.split('/').slice(0, -1);
  if (prefix.length > maxKeyLength || !folders.every((name) => segmentPattern.test(name))) throw badKey();
  try {
    await assertPrepared(root);
    if (!(await isFolder(root, folders))) return;
    yield* walk(join(root, ...folders), folders.map((name) => `${name}/`).join(''), prefix);
  } catch (error) {
    throw faultOf(error);
  }
}

async function isFolder(root: string, folders: string[]): Promise<boolean> {
  try {
    await enter(root, folders, false);
    return (await lstat(join(root, ...folders))).isDirectory();
  } catch (error) {
    if (missingCodes.has(codeOf(error))) return false;
    throw error;
  }
}

async function* walk(folder: string, folderKey: string, prefix: string): AsyncGenerator<ObjectInfo> {
  for await (const { name } of await opendir(folder)) {
    const key = folderKey + name;
    // What is not named like an object is none: unfinished uploads, lost+found.
    if (!segmentPattern.test(name) || !key.startsWith(prefix)) continue;
    const path = join(folder, name);
    const stats = await statsIfThere(path);
    if (stats?.isDirectory()) yield* walk(path, `${key}/`, prefix);
    if (stats?.isFile()) yield infoOf(key, stats);
  }
}

async function sweep(root: string, before: number): Promise<number> {
  await assertPrepared(root);
  const folder = join(root, temporary);
  let removed = 0;
  for await (const { name } of await opendir(folder)) {
    const path = join(folder, name);
    const stats = await statsIfThere(path);
    if (stats?.isDirectory()) await removeIfForgotten(path, stats.mtimeMs);
    if (!stats?.isFile() || stats.mtimeMs > before) continue;
    await rm(path, { force: true });
    removed += 1;
  }
  return removed;
}

const DAY = 24 * 60 * 60 * 1000;

/** An upload in parts that its maker never noted down: it died between the two. One with parts is left to its owner. */
async function removeIfForgotten(folder: string, modified: number): Promise<void> {
  if (modified > Date.now() - DAY) return;
  await rmdir(folder).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'ENOENT') throw error;
  });
}

const unreachable = async (): Promise<never> => {
  throw new StorageError('UNSUPPORTED', 'Clients cannot reach this storage themselves. Send and fetch files through this service.');
};
