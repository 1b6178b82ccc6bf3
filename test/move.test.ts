import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDocument, getDocument } from '../src/document/document.service.js';
import { getFile } from '../src/file/file.service.js';
import { sweepObjects } from '../src/file/removal.sweeper.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { expireMoveLeases, runMoves } from '../src/move/move.runner.js';
import { cancelMove, moveStorage, retryMove } from '../src/move/move.service.js';
import { renderPreview } from '../src/rendition/rendition.service.js';
import { storeOf } from '../src/storage/storage.service.js';
import { HOUR, useMoves } from './move.world.js';
import { incoming } from './objects.js';
import { pdfOf } from './pdfs.js';

const { world, system, newStorage, filed, standing, keysOf, bytesOf, replace, openShare } = useMoves();

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
