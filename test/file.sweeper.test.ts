import { PassThrough } from 'node:stream';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { deleteDocument } from '../src/document/document.service.js';
import { expireUploads, sweepFiles } from '../src/file/file.sweeper.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { removeRenditions } from '../src/rendition/rendition.store.js';
import { purgeDocuments } from '../src/share/share.sweeper.js';
import { nothing, useFiles } from './files.world.js';
import { createObjects } from './objects.js';

const { world, admin, newDocument, newFile, left } = useFiles();
const DAY = 24 * 60 * 60 * 1000;

describe('the sweeper', () => {
  let ahead = 0;
  /** Lets the clock of the gateway run ahead of the real one until the test ends; in milliseconds. */
  const wait = (milliseconds: number) => {
    ahead = milliseconds;
  };

  beforeAll(() => {
    world().gateway.services.now = () => new Date(Date.now() + ahead);
  });
  beforeEach(() => wait(0));
  const sweep = () => sweepFiles(world().context(null), removeRenditions);

  /** An upload that a crash cut off: its row, with or without its bytes. */
  async function leftover(sweepAfter: Date, bytes: boolean): Promise<string> {
    const { prisma, blobs } = world().gateway.services;
    const { id, document } = await newFile('a.txt', 'bytes');
    const storage = await prisma.storage.findFirstOrThrow({ where: { tenantId: admin().tenantId } });
    const row = await prisma.file.findFirstOrThrow({ where: { id } });
    const store = await blobs.open({ ...storage, credentials: {} });
    if (!bytes) await store.delete(row.objectKey);
    await prisma.file.updateMany({ where: { id, documentId: document }, data: { state: 'UPLOADING', sha256: '', size: 0, sweepAfter } });
    return id;
  }

  test('removes what a crash left, with its bytes or without', async () => {
    await leftover(new Date(Date.now() - 1000), true);
    await leftover(new Date(Date.now() - 1000), false);
    expect((await left()).blobs.length).toBe(1);
    expect(await sweep()).toBeGreaterThanOrEqual(2);
    expect(await left()).toEqual(nothing);
  });

  test('leaves an upload alone whose lease runs, but for the start of the only process', async () => {
    const id = await leftover(new Date(Date.now() + 60_000), true);
    await sweep();
    expect((await left()).rows).toEqual([{ id, state: 'UPLOADING' }]);
    await expireUploads(world().context(null));
    await sweep();
    expect(await left()).toEqual(nothing);
  });

  test('never takes what is READY', async () => {
    const { id } = await newFile('a.txt', 'bytes');
    wait(1000 * DAY);
    await expireUploads(world().context(null));
    await sweep();
    expect((await left()).rows).toEqual([{ id, state: 'READY' }]);
  });

  test('keeps the row while the store errs, and comes back', async () => {
    const id = await leftover(new Date(Date.now() - 1000), true);
    const { services } = world().gateway;
    const { open } = services.blobs;
    services.blobs.open = async (address) => ({ ...(await open(address)), delete: () => Promise.reject(new Error('403')) });
    expect(await sweep()).toBe(0);
    services.blobs.open = open;
    expect(await left()).toMatchObject({ rows: [{ id, state: 'DELETED' }], blobs: [expect.any(String)] });
    await sweep();
    expect((await left()).rows.length).toBe(1);
    wait(11 * 60_000);
    await sweep();
    expect(await left()).toEqual(nothing);
  });

  test('removes a deleted file after the retention time and not before', async () => {
    const { id, document } = await newFile('a.txt', 'bytes');
    await world().graphql(admin(), `mutation { deleteFile(input: { id: "${id}" }) { __typename } }`);
    wait(29.9 * DAY);
    await sweep();
    expect(await left()).toMatchObject({ rows: [{ id, state: 'DELETED' }], blobs: [expect.any(String)] });
    wait(30.1 * DAY);
    await sweep();
    expect(await left()).toEqual(nothing);
    expect(
      (await world().graphql(admin(), `{ document(id: "${document}") { files { id } history { totalCount } } }`)).data.document,
    ).toEqual({
      files: [],
      history: { totalCount: 3 },
    });
  });

  test('removes a document from the trash after the retention time, with its files and shares; its history stays', async () => {
    const { document, elsewhere } = await createObjects(() => world().context(admin()));
    await deleteDocument(world().context(admin()), document.id, {});
    const { prisma } = world().gateway.services;
    const count = async () => {
      const where = { tenantId: admin().tenantId };
      return [
        await prisma.document.count({ where: { ...where, id: { not: elsewhere.id } } }),
        await prisma.file.count({ where }),
        await prisma.share.count({ where }),
      ];
    };
    const purge = async () => {
      await sweep();
      await purgeDocuments(world().context(null));
    };
    wait(29.9 * DAY);
    await purge();
    expect(await count()).toEqual([2, 1, 1]);
    wait(30.1 * DAY);
    // With its files still there a document stays: nothing may own bytes that no row names.
    await purgeDocuments(world().context(null));
    expect(await count()).toEqual([1, 1, 1]);
    await purge();
    expect(await count()).toEqual([0, 0, 0]);
    expect((await left()).blobs).toEqual([]);
    expect(await prisma.auditEvent.count({ where: { tenantId: admin().tenantId, subjectId: document.id } })).toBe(4);
  });

  test('does not take an upload that is slow but alive', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const start = new Date();
    const { upload, bytes } = await slowUpload();
    for (let step = 1; step <= 6; step++) {
      wait(step * 20_000);
      vi.advanceTimersByTime(20_000);
      const renewed = async () => ((await rowsOf())[0]?.sweepAfter ?? start) > new Date(start.getTime() + step * 20_000 + 50_000);
      await expect.poll(renewed).toBe(true);
      await sweep();
      bytes.write('more');
    }
    bytes.end();
    expect((await upload).files).toMatchObject([{ state: 'READY', size: 28n }]);
    expect((await left()).blobs.length).toBe(1);
  });

  test('takes one that was silent too long: it fails and leaves nothing', async () => {
    const { upload, bytes } = await slowUpload();
    wait(61_000);
    await sweep();
    bytes.end();
    await expect(upload).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect.poll(() => left()).toEqual(nothing);
  });

  const rowsOf = () => world().gateway.services.prisma.file.findMany({ where: { tenantId: admin().tenantId } });

  async function slowUpload() {
    const id = await newDocument();
    const bytes = new PassThrough();
    bytes.write('slow');
    async function* files() {
      yield { name: 'a.txt', declaredType: 'text/plain', open: () => bytes };
    }
    const upload = uploadFiles(world().context(admin()), id, files());
    upload.catch(() => {}); // Awaited later.
    await expect.poll(async () => (await rowsOf()).length).toBe(1);
    return { upload, bytes };
  }
});
