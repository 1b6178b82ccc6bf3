import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, opendir, rm, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { addAbortSignal, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { StorageError, type StorageFailure } from '../errors.js';
import type { BlobStore, ByteRange, ObjectInfo, ProbeCheck } from './store.js';

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

// Holds unfinished uploads, and marks a prepared folder: a disk that is not mounted must not look like lost objects.
const temporary = '.tmp';
const maxKeyLength = 900;
// No leading dot: that keeps out "." and "..", and objects out of the temporary folder.
const segmentPattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;

const missingCodes = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);
const noHardLinkCodes = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV']);
const noRights = 'This service may not use the storage folder. Give its user the right to read and write there.';
const faults: Record<string, [StorageFailure, string]> = {
  EACCES: ['FORBIDDEN', noRights],
  EPERM: ['FORBIDDEN', noRights],
  EROFS: ['FORBIDDEN', 'The disk of the storage is read-only. Mount it writable.'],
  ENOSPC: ['UNKNOWN', 'The disk of the storage is full. Free some space, then try again.'],
  EDQUOT: ['UNKNOWN', 'The disk quota of the storage is used up. Raise it or free some space, then try again.'],
  EMFILE: ['UNKNOWN', 'Too many files are open. Try again later.'],
  ENFILE: ['UNKNOWN', 'Too many files are open. Try again later.'],
};

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
    put: (key, body, options) => put(root, key, body, options?.signal),
    get: (key, options) => guarded(root, async () => read(await pathOf(root, key), options?.range, options?.signal)),
    head: (key) => guarded(root, async () => infoOf(key, await lstat(await pathOf(root, key)))),
    delete: (key) => remove(root, key),
    list: (prefix) => list(root, prefix),
    probe: () => probe(store),
    sweepTemporary: (olderThanMs) => guarded(root, () => sweep(root, Date.now() - olderThanMs)),
  };
  return store;
}

async function put(root: string, key: string, body: Readable, signal?: AbortSignal): Promise<void> {
  const draft = join(root, temporary, randomUUID());
  try {
    const segments = segmentsOf(key);
    await assertPrepared(root);
    await writeDraft(draft, body, signal);
    await publish(root, segments, draft);
  } catch (error) {
    body.destroy();
    throw faultOf(error);
  } finally {
    await rm(draft, { force: true }).catch(() => undefined);
  }
}

async function writeDraft(path: string, body: Readable, signal?: AbortSignal): Promise<void> {
  // Node iterates a stream that has ended as if it were empty: the object would be stored without its bytes.
  if (Readable.isDisturbed(body)) throw cutShort(body.errored);
  const file = await open(path, 'wx', 0o600);
  try {
    await pipeline(body, (chunks: AsyncIterable<Uint8Array>) => append(file, chunks), { signal }).catch((error: unknown) => {
      throw error === body.errored || !(error instanceof StorageError) ? cutShort(error) : error;
    });
    await file.sync();
  } finally {
    await file.close();
  }
}

async function append(file: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) {
    await file.appendFile(chunk).catch((error: unknown) => {
      throw faultOf(error);
    });
  }
}

/** Gives the finished draft its name, in one step that fails if the name is taken, and makes the name durable. */
async function publish(root: string, segments: string[], draft: string): Promise<void> {
  const folders = await enter(root, segments.slice(0, -1), true);
  const target = join(root, ...segments);
  await link(draft, target).catch((error: unknown) => {
    throw linkFault(error);
  });
  try {
    // All of them, each time: another upload may have made a folder and not have synced it yet.
    await syncFolders(folders.reverse());
  } catch (error) {
    await rm(target, { force: true }).catch(() => undefined);
    throw error;
  }
}

async function read(path: string, range?: ByteRange, signal?: AbortSignal): Promise<Readable> {
  signal?.throwIfAborted();
  // Without O_NONBLOCK a planted FIFO would hold a thread for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = infoOf('', await file.stat());
    if (range) checkRange(range, size);
    const stream = file.createReadStream(range);
    return signal ? addAbortSignal(signal, stream) : stream;
  } catch (error) {
    await file.close();
    throw error;
  }
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
    if (!stats?.isFile() || stats.mtimeMs > before) continue;
    await rm(path, { force: true });
    removed += 1;
  }
  return removed;
}

async function probe(store: LocalFsStore): Promise<ProbeCheck[]> {
  const key = `docgate-probe-${randomUUID()}`;
  const checks: ProbeCheck[] = [];
  for (const [name, step] of Object.entries(probeSteps)) {
    // After a failure only the cleaning up is still worth a try.
    if (name === 'delete' || checks.every((check) => check.ok)) checks.push(await timed(name, () => step(store, key)));
  }
  return checks;
}

const probeBytes = Buffer.from('docgate probe');
const probeSteps: Record<string, (store: LocalFsStore, key: string) => Promise<unknown>> = {
  write: (store, key) => store.put(key, Readable.from([probeBytes])),
  'refuse to overwrite': async (store, key) => {
    const reason = await store
      .put(key, Readable.from([probeBytes]))
      .catch((error: unknown) => error instanceof StorageError && error.reason);
    if (reason !== 'ALREADY_EXISTS') throw new StorageError('UNSUPPORTED', 'An object could be overwritten. Use another file system.');
  },
  'read a range': async (store, key) => {
    const bytes = await buffer(await store.get(key, { range: { start: 8, end: 12 } }));
    if (bytes.toString() !== 'probe') throw new StorageError('UNKNOWN', 'Other bytes came back than were written. Check the disk.');
  },
  list: async (store, key) => {
    for await (const info of store.list(key)) if (info.key === key && info.size === probeBytes.length) return;
    throw new StorageError('UNKNOWN', 'An object that was just written is not listed. Check the disk.');
  },
  delete: (store, key) => store.delete(key),
};

async function timed(name: string, step: () => Promise<unknown>): Promise<ProbeCheck> {
  const start = performance.now();
  const error: unknown = await step().then(
    () => null,
    (reason: unknown) => faultOf(reason),
  );
  const detail = error instanceof StorageError ? error.message : '';
  return { name, ok: error === null, latencyMs: performance.now() - start, detail };
}

function segmentsOf(key: string): string[] {
  const segments = key.split('/');
  if (key.length > maxKeyLength || !segments.every((name) => segmentPattern.test(name))) throw badKey();
  return segments;
}

/** The path of an object whose folders exist and are folders, not links out of the root. */
async function pathOf(root: string, key: string): Promise<string> {
  const segments = segmentsOf(key);
  await enter(root, segments.slice(0, -1), false);
  return join(root, ...segments);
}

/** Goes down from the root level by level, so that a planted symbolic link is met before anything happens behind it. */
async function enter(root: string, folders: string[], make: boolean): Promise<string[]> {
  const levels = [root];
  for (const name of folders) {
    const level = join(levels[levels.length - 1] ?? root, name);
    if (make) await mkdir(level, { mode: 0o700 }).catch(unlessExists);
    if ((await lstat(level)).isSymbolicLink()) throw linkInTheWay();
    levels.push(level);
  }
  return levels;
}

function unlessExists(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error;
}

function infoOf(key: string, stats: Stats): ObjectInfo {
  if (stats.isSymbolicLink()) throw linkInTheWay();
  if (!stats.isFile()) throw noObject();
  return { key, size: stats.size, modifiedAt: stats.mtime };
}

async function statsIfThere(path: string): Promise<Stats | null> {
  return lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
}

/** A folder, its parent and so on up to another one, both included. */
function upwards(from: string, to: string): string[] {
  return from === to ? [to] : [from, ...upwards(dirname(from), to)];
}

async function syncFolders(paths: string[]): Promise<void> {
  for (const path of paths) {
    const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    await folder.sync().finally(() => folder.close());
  }
}

/** Runs a step in which a missing file means a missing object, provided that the storage itself is there. */
async function guarded<T>(root: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!missingCodes.has(codeOf(error))) throw faultOf(error);
    await assertPrepared(root);
    throw noObject(error);
  }
}

async function assertPrepared(root: string): Promise<void> {
  const mark = await lstat(join(root, temporary)).catch((error: unknown) => {
    throw missingCodes.has(codeOf(error)) ? unprepared(error) : faultOf(error);
  });
  if (!mark.isDirectory()) throw unprepared();
}

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '');
const isNotFound = (error: unknown) => error instanceof StorageError && error.reason === 'NOT_FOUND';
const badKey = () => new StorageError('UNSUPPORTED', 'This is not a name that an object can have in this storage.');
const noObject = (cause?: unknown) => new StorageError('NOT_FOUND', 'The storage holds no such object.', { cause });
const linkInTheWay = (cause?: unknown) =>
  new StorageError('FORBIDDEN', 'A symbolic link stands in the storage folder. Remove it.', { cause });
const cutShort = (cause: unknown) =>
  new StorageError('UNKNOWN', 'The upload was cut short. Nothing of it was stored; send it again.', { cause });
const unprepared = (cause?: unknown) =>
  new StorageError('UNREACHABLE', 'The storage folder is missing or was never set up. Check that its disk is mounted.', { cause });

function linkFault(cause: unknown): StorageError {
  const code = codeOf(cause);
  if (code === 'EEXIST') return new StorageError('ALREADY_EXISTS', 'The storage already holds an object of this name.', { cause });
  if (!noHardLinkCodes.has(code)) return faultOf(cause);
  return new StorageError('UNSUPPORTED', 'The file system of the storage has no hard links. Use one that has, such as ext4 or XFS.', {
    cause,
  });
}

function faultOf(cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  if (codeOf(cause) === 'ELOOP') return linkInTheWay(cause);
  const [reason, message] = faults[codeOf(cause)] ?? ['UNKNOWN', 'The disk of the storage did not do as asked. See the log.'];
  return new StorageError(reason, message, { cause });
}
