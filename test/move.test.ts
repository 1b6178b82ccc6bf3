import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { BlobStore } from '../src/blob/store.js';
import { createContext, type RequestContext } from '../src/context.js';
import { createDocument, getDocument } from '../src/document/document.service.js';
import { getFile, openFile } from '../src/file/file.service.js';
import { sweepObjects } from '../src/file/removal.sweeper.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { expireMoveLeases, runMoves } from '../src/move/move.runner.js';
import { cancelMove, getMove, listFailures, moveStorage, progressOf, retryMove, statusOf } from '../src/move/move.service.js';
import { renderPreview } from '../src/rendition/rendition.service.js';
import { shareDocument } from '../src/share/share.service.js';
import { createStorage, type StorageRow, storeOf } from '../src/storage/storage.service.js';
import { providers } from './blob.drivers.js';
import { useBundled } from './bundled.js';
import { serverUrl } from './db.scratch.js';
import { incoming } from './objects.js';
import { pdfOf } from './pdfs.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
const HOUR = 60 * 60_000;

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

describe('moveStorage', () => {
  test('brings all files of the documents over; ids, names, hashes, status and shares stay; the old objects go later', async () => {
    const admin = world().actor('admin');
    const [from, to] = [await newStorage(admin), await newStorage(admin)];
    const document = await filed(admin, from.id, 'one', 'two', 'ünï');
    const { token } = await openShare(admin, document.id);
    const move = await moveStorage(world().context(admin), { toStorageId: to.id, filter: { storageId: from.id } });
    expect(await standing(admin, move.id)).toMatchObject({ status: 'RUNNING', documents: 1, pending: 1, finishedAt: null });
    const old = await keysOf(admin, from);
    expect(await runMoves(system())).toBe(1);
    expect(await standing(admin, move.id)).toMatchObject({ status: 'DONE', done: 1, files: 3, bytes: 11n, finishedAt: expect.any(Date) });
    const { status, storageId } = await getDocument(world().context(admin), document.id);
    expect({ status, storageId }).toEqual({ status: 'PENDING', storageId: to.id });
    expect(await Promise.all(document.files.map(({ id }) => bytesOf(admin, id)))).toEqual(['one', 'two', 'ünï']);
    const shared = await world().inject(null, { url: `/s/${token}/files/${document.files[0]?.id}` });
    expect({ status: shared.statusCode, body: shared.body }).toEqual({ status: 200, body: 'one' });
    // Whoever read the row before the move may open the old object for a while.
    expect(await keysOf(admin, from)).toEqual(old);
    await sweepObjects(system(HOUR));
    expect(await keysOf(admin, from)).toEqual([]);
    expect(await keysOf(admin, to)).toHaveLength(3);
    const history = await world().graphql(admin, `{ document(id: "${document.id}") { history(first: 1) { nodes { action actorId } } } }`);
    expect(history.data.document.history.nodes).toEqual([{ action: 'document.moved', actorId: admin.userId }]);
  });

  describe('a preview of a file that moves', () => {
    async function filedPdf() {
      const admin = world().actor('admin');
      const [from, to] = [await newStorage(admin), await newStorage(admin)];
      const { id } = await createDocument(world().context(admin), { name: 'Document', storageId: from.id });
      const { files } = await uploadFiles(world().context(admin), id, incoming({ name: 'a.pdf', bytes: pdfOf() }));
      const fileId = files[0]?.id ?? '';
      const draw = async () => (await renderPreview(world().context(admin), await getFile(world().context(admin), fileId))).bytes;
      const move = async () => {
        await moveStorage(world().context(admin), { toStorageId: to.id, documentIds: [id] });
        await runMoves(system());
      };
      const pictures = async () => {
        const lists = await Promise.all([keysOf(admin, from), keysOf(admin, to)]);
        return lists.map((keys) => keys.filter((key) => key.startsWith('renditions/')).length);
      };
      return { admin, from, draw, move, pictures };
    }

    test('goes from the old storage once nobody can be reading it, and is made anew in the new one', async () => {
      const { admin, from, draw, move, pictures } = await filedPdf();
      const before = await draw();
      await move();
      expect(await pictures()).toEqual([1, 0]);
      expect(await draw()).toEqual(before);
      expect(await pictures()).toEqual([1, 1]);
      await sweepObjects(system(HOUR));
      expect(await pictures()).toEqual([0, 1]);
      expect(await keysOf(admin, from)).toEqual([]);
      expect(await world().context(admin).db.objectRemoval.count({})).toBe(0);
    });

    test.each(['before it is stored', 'after it is stored'])('leaves nothing in the old storage when its file moves %s', async (when) => {
      const { draw, move, pictures } = await filedPdf();
      const { blobs } = world().gateway.services;
      const { open } = blobs;
      onTestFinished(() => {
        blobs.open = open;
      });
      blobs.open = async (address) => {
        const store = await open(address);
        return {
          ...store,
          put: async (...put) => {
            blobs.open = open;
            if (when.startsWith('before')) await move();
            await store.put(...put);
            if (when.startsWith('after')) await move();
          },
        };
      };
      await draw();
      await sweepObjects(system(HOUR));
      expect(await pictures()).toEqual([0, 0]);
    });
  });

  test('new files of a document in a move go to the new storage; one that is on its way to the old one is waited for', async () => {
    const admin = world().actor('admin');
    const [from, to] = [await newStorage(admin), await newStorage(admin)];
    const { id } = await filed(admin, from.id);
    const slow = new Readable({ read() {} });
    const arriving = uploadFiles(
      world().context(admin),
      id,
      (async function* () {
        yield { name: 'slow', declaredType: 'text/plain', open: () => slow };
      })(),
    );
    slow.push('slow ');
    await expect
      .poll(() =>
        world()
          .context(admin)
          .db.file.count({ where: { documentId: id } }),
      )
      .toBe(1);
    const move = await moveStorage(world().context(admin), { toStorageId: to.id, documentIds: [id] });
    await runMoves(system());
    expect(await standing(admin, move.id)).toMatchObject({ status: 'RUNNING', pending: 1, failures: [] });
    const later = await uploadFiles(world().context(admin), id, incoming({ name: 'b', bytes: 'b' }));
    expect(later.files[0]?.storageId).toBe(to.id);
    slow.push('bytes');
    slow.push(null);
    const { files } = await arriving;
    await runMoves(system(10_000));
    expect(await standing(admin, move.id)).toMatchObject({ status: 'DONE', files: 1 });
    expect(await bytesOf(admin, files[0]?.id ?? '')).toBe('slow bytes');
    expect((await getFile(world().context(admin), files[0]?.id ?? '')).storageId).toBe(to.id);
  });

  test('a damaged object stays where it is, its document is FAILED and says so; nothing of the copy is left; retry brings it over once mended', async () => {
    const admin = world().actor('admin');
    const [from, to] = [await newStorage(admin), await newStorage(admin)];
    const document = await filed(admin, from.id, 'right', 'good');
    const [damaged] = document.files;
    if (!damaged) throw new Error('no file');
    const store = await storeOf(world().context(admin), from);
    await replace(store, damaged.objectKey, 'wrong');
    const move = await moveStorage(world().context(admin), { toStorageId: to.id, documentIds: [document.id] });
    for (let attempt = 0; attempt < 8; attempt += 1) await runMoves(system(attempt * HOUR));
    expect(await standing(admin, move.id)).toMatchObject({
      status: 'FAILED',
      failed: 1,
      files: 1,
      failures: [{ documentId: document.id, message: expect.stringContaining('damaged') }],
    });
    await sweepObjects(system(24 * HOUR));
    expect(await keysOf(admin, from)).toEqual([damaged.objectKey]);
    expect(await keysOf(admin, to)).toHaveLength(1);
    await replace(store, damaged.objectKey, 'right');
    await retryMove(world().context(admin), move.id, {});
    await runMoves(system());
    expect(await standing(admin, move.id)).toMatchObject({ status: 'DONE', files: 2, failures: [] });
    expect(await bytesOf(admin, damaged.id)).toBe('right');
  });

  test('a document takes part in one move at a time: ConflictError until that is over or cancelled', async () => {
    const admin = world().actor('admin');
    const [from, to, other] = [await newStorage(admin), await newStorage(admin), await newStorage(admin)];
    const document = await filed(admin, from.id, 'x');
    const order = (toStorageId: string) => moveStorage(world().context(admin), { toStorageId, documentIds: [document.id] });
    const move = await order(to.id);
    await expect(order(other.id)).rejects.toMatchObject({ code: 'CONFLICT' });
    await cancelMove(world().context(admin), move.id, {});
    expect(await standing(admin, move.id)).toMatchObject({ status: 'CANCELLED', cancelled: 1, pending: 0 });
    await expect(cancelMove(world().context(admin), move.id, {})).rejects.toMatchObject({ code: 'CONFLICT' });
    const second = await order(other.id);
    await runMoves(system());
    expect(await standing(admin, second.id)).toMatchObject({ status: 'DONE' });
    expect(await bytesOf(admin, document.files[0]?.id ?? '')).toBe('x');
  });

  test.each([
    ['nobody to move', () => ({ filter: { search: 'no such name' } }), 'VALIDATION_FAILED'],
    ['neither ids nor filter', () => ({}), 'VALIDATION_FAILED'],
    ['both', (id: string) => ({ documentIds: [id], filter: {} }), 'VALIDATION_FAILED'],
    ['an id that does not exist', () => ({ documentIds: ['01ARZ3NDEKTSV4RRFFQ69G5FAV'] }), 'VALIDATION_FAILED'],
    ['no ids', () => ({ documentIds: [] }), 'VALIDATION_FAILED'],
  ] as const)('refuses %s and notes nothing', async (_, choose, code) => {
    const admin = world().actor('admin');
    const document = await filed(admin, undefined, 'x');
    const to = await newStorage(admin);
    const input = { toStorageId: to.id, ...choose(document.id) };
    await expect(moveStorage(world().context(admin), input as Parameters<typeof moveStorage>[1])).rejects.toMatchObject({ code });
    expect(await world().context(admin).db.storageMove.count({})).toBe(0);
  });

  test('needs storages:write', async () => {
    const admin = world().actor('admin');
    const to = await newStorage(admin);
    const editor = world().actor('editor', admin.tenantId);
    await expect(moveStorage(world().context(editor), { toStorageId: to.id, filter: {} })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe.each(providers.filter(({ isRemote }) => isRemote))('a move between the local disk and $name', ({ open }) => {
  test('brings every byte there and back, leaves nothing behind, and does not take what is damaged', async () => {
    const admin = world().actor('admin');
    const [local, remote, place] = [await newStorage(admin), await newStorage(admin), await open()];
    const { blobs } = world().gateway.services;
    const usual = blobs.open;
    blobs.open = async (address) => (address.bucket === remote.bucket ? place.store : usual(address));
    onTestFinished(async () => {
      blobs.open = usual;
      await place.close();
    });
    const contents = ['ünï', '', 'x'.repeat(2 * 1024 ** 2)];
    const document = await filed(admin, local.id, ...contents);
    const move = async (to: StorageRow) => {
      const { id } = await moveStorage(world().context(admin), { toStorageId: to.id, documentIds: [document.id] });
      await runMoves(system());
      await sweepObjects(system(HOUR));
      return { id, ...(await standing(admin, id)), left: [(await keysOf(admin, local)).length, (await keysOf(admin, remote)).length] };
    };
    const served = () => Promise.all(document.files.map(({ id }) => bytesOf(admin, id)));
    expect(await move(remote)).toMatchObject({ status: 'DONE', files: 3, left: [0, 3] });
    expect(await served()).toEqual(contents);
    expect(await move(local)).toMatchObject({ status: 'DONE', files: 3, left: [3, 0] });
    expect(await served()).toEqual(contents);
    await move(remote);
    const [key = ''] = await keysOf(admin, remote);
    await replace(place.store, key, 'wrong');
    const stuck = await move(local);
    expect(stuck).toMatchObject({ status: 'RUNNING', pending: 1, done: 0 });
    expect(await keysOf(admin, remote)).toContain(key);
    await cancelMove(world().context(admin), stuck.id, {});
  });
});

/** Across processes, hence on a server: the one that moves is killed, this one reads. */
describe.runIf(serverUrl)('a move of 500 files under read load, its process killed twice', () => {
  const program = 'test/move.child.ts';
  const bundled = useBundled(program);

  test('no read fails or gives other bytes; all files arrive; no object is left over', async () => {
    const admin = world().actor('admin');
    const [from, to] = [await newStorage(admin), await newStorage(admin)];
    const documents = [];
    for (let index = 0; index < 100; index += 1) {
      documents.push(await filed(admin, from.id, ...Array.from({ length: 5 }, () => randomBytes(500).toString('hex'))));
    }
    const files = documents.flatMap((document) => document.files);
    const reads = { good: 0, bad: [] as string[], over: false };
    const readers = [0, 1].map(async () => {
      while (!reads.over) {
        const file = files[Math.floor(Math.random() * files.length)];
        const answer = await world().inject(admin, { url: `/files/${file?.id}` });
        const right = answer.statusCode === 200 && createHash('sha256').update(answer.rawPayload).digest('hex') === file?.sha256;
        if (right) reads.good += 1;
        else reads.bad.push(`${answer.statusCode} ${answer.body.slice(0, 200)}`);
        await sleep(2);
      }
    });
    onTestFinished(async () => {
      reads.over = true;
      await Promise.all(readers);
    });
    const move = await moveStorage(world().context(admin), { toStorageId: to.id, filter: { storageId: from.id } });
    const moved = async () => (await standing(admin, move.id)).files;
    for (const [minutes, until] of [
      [0, 150],
      [20, 320],
      [40, 500],
    ] as const) {
      const child = await startMoving(bundled(program), minutes);
      await expect.poll(moved, { timeout: 120_000, interval: 50 }).toBeGreaterThanOrEqual(until);
      if (until === 500) await expect.poll(async () => (await standing(admin, move.id)).status, { timeout: 120_000 }).toBe('DONE');
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    reads.over = true;
    await Promise.all(readers);
    expect(reads.bad).toEqual([]);
    expect(reads.good).toBeGreaterThan(100);
    await sweepObjects(system(24 * HOUR));
    const rows = await world().context(admin).db.file.findMany({});
    expect(new Set(rows.map(({ storageId }) => storageId))).toEqual(new Set([to.id]));
    expect(await keysOf(admin, from)).toEqual([]);
    expect(await keysOf(admin, to)).toEqual(rows.map(({ objectKey }) => objectKey).sort());
  }, 480_000);
});

test('at the start of the only process, what a dead one had begun is due at once', async () => {
  const admin = world().actor('admin');
  const [from, to] = [await newStorage(admin), await newStorage(admin)];
  const { id } = await filed(admin, from.id, 'x');
  const move = await moveStorage(world().context(admin), { toStorageId: to.id, documentIds: [id] });
  await world()
    .context(admin)
    .db.moveDocument.updateMany({ where: { moveId: move.id }, data: { dueAt: new Date(Date.now() + HOUR) } });
  expect(await runMoves(system())).toBe(0);
  await expireMoveLeases(system());
  expect(await runMoves(system())).toBe(1);
  expect(await standing(admin, move.id)).toMatchObject({ status: 'DONE' });
});

async function replace(store: BlobStore, key: string, bytes: string): Promise<void> {
  await store.delete(key);
  await store.put(key, Readable.from([Buffer.from(bytes)]));
}

async function openShare(admin: Actor, documentId: string) {
  const { id } = await shareDocument(world().context(admin), documentId, { expiresAt: new Date(Date.now() + HOUR) });
  const { data } = await world().graphql(admin, `{ share(id: "${id}") { token } }`);
  return data.share as { token: string };
}

async function startMoving(program: string, minutesAhead: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, String(minutesAhead)], {
    env: { ...process.env, ...world().environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await once(child.stdout ?? child, 'data');
  return child;
}
