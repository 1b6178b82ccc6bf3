import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StorageError, type StorageFailure } from '../errors.js';
import type { ObjectInfo } from './store.js';

// Holds unfinished uploads, and marks a prepared folder: a disk that is not mounted must not look like lost objects.
export const temporary = '.tmp';
/** In bytes. */
const WRITTEN_AT_ONCE = 256 * 1024;
export const maxKeyLength = 900;
// No leading dot: that keeps out "." and "..", and objects out of the temporary folder.
export const segmentPattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;

export const missingCodes = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);
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

/** Runs a step with a place for a draft, which is gone afterwards whatever happens. */
export async function withDraft(root: string, work: (draft: string) => Promise<void>): Promise<void> {
  const draft = join(root, temporary, randomUUID());
  try {
    await work(draft);
  } finally {
    await rm(draft, { force: true }).catch(() => undefined);
  }
}

/** Writes a new file and syncs it. A source that fails, or has been read before, is an upload that was cut short. */
export async function writeDraft(path: string, body: Readable, signal?: AbortSignal): Promise<void> {
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

/** A few large writes: each costs a hand-over to another thread and back, which many small ones spend more on than on the disk. */
async function append(file: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const write = (held: Uint8Array[]) =>
    file.appendFile(Buffer.concat(held)).catch((error: unknown) => {
      throw faultOf(error);
    });
  let held: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    held.push(chunk);
    size += chunk.length;
    if (size < WRITTEN_AT_ONCE) continue;
    await write(held);
    held = [];
    size = 0;
  }
  if (size > 0) await write(held);
}

/** Gives the finished draft its name, in one step that fails if the name is taken, and makes the name durable. */
export async function publish(root: string, segments: string[], draft: string): Promise<void> {
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

export function segmentsOf(key: string): string[] {
  const segments = key.split('/');
  if (key.length > maxKeyLength || !segments.every((name) => segmentPattern.test(name))) throw badKey();
  return segments;
}

/** The path of an object whose folders exist and are folders, not links out of the root. */
export async function pathOf(root: string, key: string): Promise<string> {
  const segments = segmentsOf(key);
  await enter(root, segments.slice(0, -1), false);
  return join(root, ...segments);
}

/** Goes down from the root level by level, so that a planted symbolic link is met before anything happens behind it. */
export async function enter(root: string, folders: string[], make: boolean): Promise<string[]> {
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

export function infoOf(key: string, stats: Stats): ObjectInfo {
  if (stats.isSymbolicLink()) throw linkInTheWay();
  if (!stats.isFile()) throw noObject();
  return { key, size: stats.size, modifiedAt: stats.mtime, version: `${stats.ino}-${stats.size}-${stats.mtimeMs}` };
}

export async function statsIfThere(path: string): Promise<Stats | null> {
  return lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
}

/** A folder, its parent and so on up to another one, both included. */
export function upwards(from: string, to: string): string[] {
  return from === to ? [to] : [from, ...upwards(dirname(from), to)];
}

export async function syncFolders(paths: string[]): Promise<void> {
  for (const path of paths) {
    const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    await folder.sync().finally(() => folder.close());
  }
}

/** Runs a step in which a missing file means a missing object, provided that the storage itself is there. */
export async function guarded<T>(root: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!missingCodes.has(codeOf(error))) throw faultOf(error);
    await assertPrepared(root);
    throw noObject(error);
  }
}

export async function assertPrepared(root: string): Promise<void> {
  const mark = await lstat(join(root, temporary)).catch((error: unknown) => {
    throw missingCodes.has(codeOf(error)) ? unprepared(error) : faultOf(error);
  });
  if (!mark.isDirectory()) throw unprepared();
}

export const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '');
export const isNotFound = (error: unknown) => error instanceof StorageError && error.reason === 'NOT_FOUND';
export const badKey = () => new StorageError('UNSUPPORTED', 'This is not a name that an object can have in this storage.');
export const noObject = (cause?: unknown) => new StorageError('NOT_FOUND', 'The storage holds no such object.', { cause });
const linkInTheWay = (cause?: unknown) =>
  new StorageError('FORBIDDEN', 'A symbolic link stands in the storage folder. Remove it.', { cause });
export const cutShort = (cause: unknown) =>
  new StorageError('UNKNOWN', 'The upload was cut short. Nothing of it was stored; send it again.', { cause });
const unprepared = (cause?: unknown) =>
  new StorageError('UNREACHABLE', 'The storage folder is missing or was never set up. Check that its disk is mounted.', { cause });

export function linkFault(cause: unknown): StorageError {
  const code = codeOf(cause);
  if (code === 'EEXIST') return new StorageError('ALREADY_EXISTS', 'The storage already holds an object of this name.', { cause });
  if (!noHardLinkCodes.has(code)) return faultOf(cause);
  return new StorageError('UNSUPPORTED', 'The file system of the storage has no hard links. Use one that has, such as ext4 or XFS.', {
    cause,
  });
}

export function faultOf(cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  if (codeOf(cause) === 'ELOOP') return linkInTheWay(cause);
  const [reason, message] = faults[codeOf(cause)] ?? ['UNKNOWN', 'The disk of the storage did not do as asked. See the log.'];
  return new StorageError(reason, message, { cause });
}
