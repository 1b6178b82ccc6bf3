import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { runMoves } from '../src/move/move.runner.js';
import { getMove, moveStorage, progressOf, statusOf } from '../src/move/move.service.js';
import { createStorage } from '../src/storage/storage.service.js';
import { appendBytes, getOrderedUpload } from '../src/upload/append.service.js';
import { completeUpload } from '../src/upload/complete.service.js';
import { createUpload, nextRequests } from '../src/upload/upload.service.js';
import { serverUrl } from './db.scratch.js';
import { expectOnly, later, MINUTE, newDocument, rounds, sha256 } from './durability.checks.js';
import { useDyingDatabase } from './durability.database.js';
import { breaking, type Moment, type Step } from './durability.faults.js';
import { useGateways } from './durability.gateway.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
const PART = 40_000;

afterEach(() => {
  world().gateway.services.now = () => new Date();
});

/** What the tenant shall have in the end: the SHA-256 of each file by its id. */
interface Scene {
  admin: Actor;
  documentId: string;
  files: Map<string, string>;
}

async function newScene(): Promise<Scene> {
  const admin = world().actor('admin');
  return { admin, documentId: await newDocument(world(), admin), files: new Map() };
}

async function announced({ admin, documentId }: Scene, bytes: Buffer, inOrder = false) {
  const input = { documentId, name: 'a.bin', size: bytes.length, partSize: PART, sha256: sha256(bytes) };
  return createUpload(world().context(admin), input, { inOrder });
}

/** Sends all parts that have not arrived. @returns the statuses of the answers */
async function sendParts({ admin }: Scene, id: string, bytes: Buffer): Promise<number[]> {
  const ctx = world().context(admin);
  const upload = await ctx.db.stagedUpload.findFirst({ where: { id } });
  if (!upload) throw new Error('no upload');
  const answers: number[] = [];
  for (const { url, offset, size } of await nextRequests(ctx, upload)) {
    const { pathname, search } = new URL(url, 'http://localhost');
    const sent = { method: 'PUT' as const, url: pathname + search, payload: bytes.subarray(offset, offset + size) };
    answers.push((await world().inject(null, sent)).statusCode);
  }
  return answers;
}

async function completed({ admin, files }: Scene, id: string, bytes: Buffer): Promise<void> {
  const file = await completeUpload(world().context(admin), id);
  expect(file.sha256).toBe(sha256(bytes));
  files.set(file.id, sha256(bytes));
}

/** Sends what is left from where the upload stands, and completes it. */
async function resumed(scene: Scene, id: string, bytes: Buffer): Promise<void> {
  const ctx = world().context(scene.admin);
  const at = Number((await getOrderedUpload(ctx, id)).received);
  if (at < bytes.length) await appendBytes(ctx, id, at, bodyOf(bytes.subarray(at)));
  await completed(scene, id, bytes);
}

const bodyOf = (bytes: Buffer) => Readable.from([bytes], { objectMode: false });

/** Orders that a document with a file moves to another storage, which is due by any clock. */
async function ordered({ admin, documentId, files }: Scene): Promise<string> {
  world().gateway.services.now = () => new Date();
  const bytes = randomBytes(200_000);
  const uploaded = await world().upload(admin, documentId, [{ name: 'a.bin', body: bytes }]);
  if (uploaded.__typename !== 'UploadedFiles') throw new Error('not uploaded');
  files.set(uploaded.files[0]?.id ?? '', sha256(bytes));
  const bucket = `b${randomBytes(8).toString('hex')}`;
  const to = await createStorage(world().context(admin), { name: bucket, provider: 'LOCAL_FS', bucket, credentials: {} });
  return (await moveStorage(world().context(admin), { toStorageId: to.id, documentIds: [documentId] })).id;
}

async function standing({ admin }: Scene, id: string) {
  const ctx = world().context(admin);
  const progress = await progressOf(ctx, await getMove(ctx, id));
  return { status: statusOf(progress), files: progress.files, bytes: progress.bytes };
}

/** What another try brings about, once leases and pauses are over. */
async function movedLater(scene: Scene, id: string): Promise<void> {
  later(world(), 60 * MINUTE);
  await runMoves(world().context(null));
  expect(await standing(scene, id)).toEqual({ status: 'DONE', files: 1, bytes: 200_000n });
}

describe('the store', () => {
  /** From now to the end of the test, or of `mended`. */
  function breaks(step: Step, moment: Moment): () => void {
    const { services } = world().gateway;
    const { blobs } = services;
    services.blobs = breaking(blobs, step, moment);
    const mended = () => {
      services.blobs = blobs;
    };
    onTestFinished(mended);
    return mended;
  }

  test.each<[Step, Moment]>([
    ['complete', 'before'],
    ['complete', 'after'],
    ['copy', 'before'],
    ['copy', 'after'],
    ['get', 'before'],
    ['get', 'within'],
  ])(
    'breaks off at "%s", %s, of a completion: UNAVAILABLE; who tries again gets the file, who does not leaves nothing over',
    async (step, moment) => {
      const scene = await newScene();
      for (let round = 0; round < rounds * 2; round += 1) {
        const bytes = randomBytes(100_000);
        const upload = await announced(scene, bytes);
        expect(await sendParts(scene, upload.id, bytes)).toEqual([200, 200, 200]);
        const mend = breaks(step, moment);
        await expect(completeUpload(world().context(scene.admin), upload.id)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
        mend();
        if (round % 2 === 0) await completed(scene, upload.id, bytes);
      }
      await expectOnly(world(), scene.admin, scene.files);
    },
  );

  test.each<Moment>(['before', 'within', 'after'])('breaks off %s a part: 503, and it is sent again', async (moment) => {
    const scene = await newScene();
    for (let round = 0; round < rounds; round += 1) {
      const bytes = randomBytes(100_000);
      const { id } = await announced(scene, bytes);
      const mend = breaks('part', moment);
      expect(await sendParts(scene, id, bytes)).toEqual([503, 503, 503]);
      mend();
      await sendParts(scene, id, bytes);
      await completed(scene, id, bytes);
    }
    await expectOnly(world(), scene.admin, scene.files);
  });

  test.each<[Step, Moment]>([
    ['part', 'before'],
    ['part', 'within'],
    ['part', 'after'],
    ['put', 'before'],
    ['put', 'within'],
    ['put', 'after'],
    ['get', 'within'],
  ])('breaks off at "%s", %s, of a PATCH over tus: UNAVAILABLE; it is resumed from where the upload stands', async (step, moment) => {
    const scene = await newScene();
    for (let round = 0; round < rounds; round += 1) {
      const bytes = randomBytes(100_000);
      const { id } = await announced(scene, bytes, true);
      const ctx = world().context(scene.admin);
      // What ends in the middle of a part is an object of its own, and read again when the part is whole.
      if (step === 'get') await appendBytes(ctx, id, 0, bodyOf(bytes.subarray(0, 10_000)));
      const at = Number((await getOrderedUpload(ctx, id)).received);
      const mend = breaks(step, moment);
      const sent = step === 'put' ? bytes.subarray(0, 30_000) : bytes.subarray(at);
      await expect(appendBytes(world().context(scene.admin), id, at, bodyOf(sent))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      mend();
      expect(Number((await getOrderedUpload(ctx, id)).received)).toBe(at);
      await resumed(scene, id, bytes);
    }
    await expectOnly(world(), scene.admin, scene.files);
  });

  test.each<[Step, Moment]>([
    ['put', 'before'],
    ['put', 'within'],
    ['put', 'after'],
    ['get', 'before'],
    ['get', 'within'],
  ])('breaks off at "%s", %s, of a move: the file stays where it is, and is brought over later', async (step, moment) => {
    const scene = await newScene();
    for (let round = 0; round < rounds; round += 1) {
      const move = await ordered(scene);
      const mend = breaks(step, moment);
      await runMoves(world().context(null));
      mend();
      expect(await standing(scene, move)).toMatchObject({ status: 'RUNNING' });
      await movedLater(scene, move);
    }
    await expectOnly(world(), scene.admin, scene.files);
  });
});

describe.runIf(serverUrl)('the database', () => {
  const dying = useDyingDatabase(world);
  afterEach(() => {
    dying().proxy.passOn();
    dying().gateway.services.now = () => new Date();
  });

  const moments: [string, boolean][] = [
    ['before the server hears of it', false],
    ['before the client hears of it', true],
  ];

  test.each(moments)('dies at the commit of a completion, %s: who tries again gets the file', async (_, passed) => {
    const scene = await newScene();
    for (let round = 0; round < rounds * 2; round += 1) {
      const bytes = randomBytes(100_000);
      const { id } = await announced(scene, bytes);
      await sendParts(scene, id, bytes);
      dying().proxy.cutAtCommit(passed);
      await expect(completeUpload(dying().context(scene.admin), id)).rejects.toThrow();
      dying().proxy.passOn();
      if (!passed && round % 2 === 1) continue;
      later(world(), 2 * MINUTE);
      await completed(scene, id, bytes);
    }
    await expectOnly(world(), scene.admin, scene.files);
  });

  test.each(moments)('dies as a PATCH over tus is counted, %s: it is resumed from where the upload stands', async (_, passed) => {
    const scene = await newScene();
    const { services } = dying().gateway;
    const { blobs } = services;
    onTestFinished(() => {
      services.blobs = blobs;
    });
    services.blobs = { ...blobs, open: async (address) => cuttingAfterPart(await blobs.open(address)) };
    const cuttingAfterPart = (store: Awaited<ReturnType<typeof blobs.open>>) => ({
      ...store,
      multipart: {
        ...store.multipart,
        putPart: async (...part: Parameters<typeof store.multipart.putPart>) => {
          const put = await store.multipart.putPart(...part);
          dying().proxy.cutNext(passed);
          return put;
        },
      },
    });
    for (let round = 0; round < rounds; round += 1) {
      const bytes = randomBytes(100_000);
      const { id } = await announced(scene, bytes, true);
      await expect(appendBytes(dying().context(scene.admin), id, 0, bodyOf(bytes))).rejects.toThrow();
      later(world(), 2 * MINUTE);
      expect(Number((await getOrderedUpload(world().context(scene.admin), id)).received)).toBe(passed ? PART : 0);
      await resumed(scene, id, bytes);
    }
    await expectOnly(world(), scene.admin, scene.files);
  });

  test.each(moments.flatMap(([moment, passed]) => [[1, moment, passed] as const, [2, moment, passed] as const]))(
    'dies at commit %i of a move, %s: its files are here or there, and all arrive',
    async (nth, _, passed) => {
      const scene = await newScene();
      for (let round = 0; round < rounds; round += 1) {
        const move = await ordered(scene);
        dying().proxy.cutAtCommit(passed, nth - 1);
        await runMoves(dying().context(null)).catch(() => undefined);
        dying().proxy.passOn();
        expect(await standing(scene, move)).toMatchObject({ status: 'RUNNING' });
        await movedLater(scene, move);
      }
      await expectOnly(world(), scene.admin, scene.files);
    },
  );
});

/** Across processes, hence on a server: one is killed, this one looks at what it left. */
describe.runIf(serverUrl)('kill -9', () => {
  const startGateway = useGateways(world);

  test.each([
    ['before the object', 1],
    ['in the bytes', 1],
    ['after the object', 1],
    ['before the commit', 1],
    ['after the commit', 1],
    ['before the commit', 2],
    ['after the commit', 2],
  ])(
    'of a move %s, time %i: its files are here or there, and all arrive',
    async (point, times) => {
      const scene = await newScene();
      for (let round = 0; round < rounds; round += 1) {
        const move = await ordered(scene);
        const child = await startGateway(point, times, 'moving');
        expect(child.process.signalCode).toBe('SIGKILL');
        await movedLater(scene, move);
      }
      await expectOnly(world(), scene.admin, scene.files);
    },
    60_000 + rounds * 10_000,
  );
});
