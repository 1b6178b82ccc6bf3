import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { BlobStore } from '../src/blob/store.js';
import { createContext, type RequestContext } from '../src/context.js';
import { createDocument } from '../src/document/document.service.js';
import { getFile, openFile } from '../src/file/file.service.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { getMove, listFailures, progressOf, statusOf } from '../src/move/move.service.js';
import { shareDocument } from '../src/share/share.service.js';
import { createStorage, type StorageRow, storeOf } from '../src/storage/storage.service.js';
import { incoming } from './objects.js';
import { type Actor, useWorld } from './world.js';

export const HOUR = 60 * 60_000;

/** Storages, and what is brought from one to the other. */
export function useMoves() {
  const world = useWorld();

  /** What runs by the clock, as if it were so many milliseconds later. */
  function system(later = 0): RequestContext {
    const services = { ...world().gateway.services, now: () => new Date(Date.now() + later) };
    return createContext(services, { requestId: 'test', viewer: null, baseUrl: '' });
  }

  function newStorage(admin: Actor): Promise<StorageRow> {
    const bucket = `b${randomBytes(8).toString('hex')}`;
    return createStorage(world().context(admin), { name: bucket, provider: 'LOCAL_FS', bucket, credentials: {} });
  }

  /** A document with files of these bytes. */
  async function filed(admin: Actor, storageId: string | undefined, ...contents: string[]) {
    const { id } = await createDocument(world().context(admin), { name: 'Document', storageId });
    const uploads = contents.map((bytes, index) => ({ name: `${index}.txt`, bytes }));
    return uploads.length === 0 ? { id, files: [] } : { id, ...(await uploadFiles(world().context(admin), id, incoming(...uploads))) };
  }

  async function standing(admin: Actor, id: string) {
    const ctx = world().context(admin);
    const move = await getMove(ctx, id);
    const progress = await progressOf(ctx, move);
    return { status: statusOf(progress), ...progress, failures: await listFailures(ctx, move) };
  }

  async function keysOf(admin: Actor, storage: StorageRow): Promise<string[]> {
    const found: string[] = [];
    for await (const { key } of (await storeOf(world().context(admin), storage)).list('')) found.push(key);
    return found.sort();
  }

  const bytesOf = async (admin: Actor, fileId: string) => {
    const ctx = world().context(admin);
    return (await buffer(await openFile(ctx, await getFile(ctx, fileId)))).toString();
  };
  async function replace(store: BlobStore, key: string, bytes: string): Promise<void> {
    await store.delete(key);
    await store.put(key, Readable.from([Buffer.from(bytes)]));
  }

  async function openShare(admin: Actor, documentId: string) {
    const { id } = await shareDocument(world().context(admin), documentId, { expiresAt: new Date(Date.now() + HOUR) });
    const { data } = await world().graphql(admin, `{ share(id: "${id}") { token } }`);
    return data.share as { token: string };
  }

  return { world, system, newStorage, filed, standing, keysOf, bytesOf, replace, openShare };
}
