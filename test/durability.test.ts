import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { print } from 'graphql';
import { describe, expect, test } from 'vitest';
import { createContext } from '../src/context.js';
import { getFile, openFile } from '../src/file/file.service.js';
import { sweepFiles } from '../src/file/file.sweeper.js';
import { sweepObjects } from '../src/file/removal.sweeper.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { defaultStorage, storeOf } from '../src/storage/storage.service.js';
import { serverUrl } from './db.scratch.js';
import { newDocument, sha256 } from './durability.checks.js';
import { useDyingDatabase } from './durability.database.js';
import { breaking, type Moment } from './durability.faults.js';
import { type Child, useGateways } from './durability.gateway.js';
import { UploadFilesDocument } from './generated/graphql.js';
import { graphqlUpload, multipart } from './multipart.js';
import { incoming } from './objects.js';
import { type Actor, createActor, useWorld } from './world.js';

/** How often each fault strikes; 50 before a release. */
const rounds = Number(process.env.DURABILITY_ROUNDS ?? 4);
const DAY = 24 * 60 * 60_000;
const world = useWorld();

/** What was acknowledged can be read; after a sweep there is an object for each file and a file for each object. */
async function expectNothingLost(admin: Actor, acknowledged: Map<string, string>): Promise<void> {
  const services = { ...world().gateway.services, now: () => new Date(Date.now() + DAY) };
  const sweeper = createContext(services, { requestId: 'sweep', viewer: null, baseUrl: '' });
  await sweepFiles(sweeper);
  await sweepObjects(sweeper);
  for (const [id, digest] of acknowledged) {
    const ctx = world().context(admin);
    const bytes = await buffer(await openFile(ctx, await getFile(ctx, id)));
    expect(sha256(bytes)).toBe(digest);
  }
  const ctx = world().context(admin);
  const rows = await ctx.db.file.findMany({});
  expect(rows.map(({ state }) => state)).toEqual(rows.map(() => 'READY'));
  const objects: string[] = [];
  for await (const { key } of (await storeOf(ctx, await defaultStorage(ctx))).list('')) objects.push(key);
  expect(objects.sort()).toEqual(rows.map(({ objectKey }) => objectKey).sort());
}

/** Across processes, hence on a server: one is killed, this one looks at what it left. */
describe.runIf(serverUrl)('kill -9', () => {
  const startGateway = useGateways(world);

  test.each(['before the object', 'in the bytes', 'after the object', 'before the commit', 'after the commit', 'after a removal'])(
    '%s: every acknowledged file is whole, and nothing is left over',
    async (point) => {
      const admin = world().actor('admin');
      const documentId = await newDocument(world(), admin);
      const acknowledged = new Map<string, string>();
      for (let round = 0; round < rounds; round += 1) {
        if (point === 'after a removal') await leaveUpload(admin, documentId);
        const child = await startGateway(point, point === 'after a removal' ? 1 : 7 + ((round * 3) % 10));
        const send: Send = (request) => sendTo(child, admin, request);
        await Promise.all([
          ...[1, 2].map(() => untilDeath(child, acknowledged, (files) => uploadTo(documentId, files, send))),
          untilDeath(child, acknowledged, (files) => createWith(files, send)),
        ]);
      }
      await expectWholeDocuments(admin, documentId);
      if (point !== 'after a removal') expect(acknowledged.size).toBeGreaterThan(0);
      await expectNothingLost(admin, acknowledged);
    },
    120_000 + rounds * 10_000,
  );

  /** Each document that was created with its files has both, answered or not. */
  async function expectWholeDocuments(admin: Actor, other: string): Promise<void> {
    const { rows } = await world().gateway.database.pool.query(
      `SELECT d.id FROM documents d WHERE tenant_id = $1 AND id <> $2
          AND 2 <> (SELECT count(*) FROM files f WHERE f.tenant_id = d.tenant_id AND f.document_id = d.id AND f.state = 'READY')`,
      [admin.tenantId, other],
    );
    expect(rows).toEqual([]);
  }

  /** An upload that its process left: there is something to remove. */
  async function leaveUpload(admin: Actor, documentId: string): Promise<void> {
    const ctx = world().context(admin);
    const { files } = await uploadFiles(ctx, documentId, incoming({ name: 'left', bytes: 'left' }));
    await ctx.db.file.updateMany({ where: { id: files[0]?.id }, data: { state: 'UPLOADING', sweepAfter: new Date() } });
  }

  interface Sent {
    name: string;
    body: Buffer;
  }
  interface Request {
    method: 'POST';
    url: string;
    headers: Record<string, string>;
    payload: Buffer;
  }
  interface Stored {
    files?: { id: string }[];
    data?: { uploadFiles?: { files?: { id: string }[] } };
  }
  /** Null when no answer came. */
  type Send = (request: Request) => Promise<Stored | null>;

  async function untilDeath(
    { process: child }: Child,
    acknowledged: Map<string, string>,
    act: (files: Sent[]) => Promise<{ id: string }[]>,
  ) {
    while (child.exitCode === null && child.signalCode === null) {
      const files = [1, 2].map((index) => ({ name: `${index}.bin`, body: randomBytes(100_000) }));
      for (const [index, { id }] of (await act(files)).entries()) acknowledged.set(id, sha256(files[index]?.body ?? Buffer.alloc(0)));
    }
  }

  const uploadTo = async (documentId: string, files: Sent[], send: Send) =>
    (await send(graphqlUpload(print(UploadFilesDocument), { id: documentId }, files)))?.data?.uploadFiles?.files ?? [];

  /** A new document together with the files, over REST. */
  const createWith = async (files: Sent[], send: Send) => {
    const form = multipart([{ field: 'name', body: 'D' }, ...files.map((file) => ({ field: 'files', ...file }))]);
    return (await send({ method: 'POST', url: '/documents/', ...form }))?.files ?? [];
  };

  const sendTo = ({ address }: Child, admin: Actor, { method, url, headers, payload }: Request): Promise<Stored | null> =>
    fetch(address + url, {
      method,
      headers: { ...headers, authorization: `Bearer ${admin.token}` },
      body: new Uint8Array(payload),
    })
      .then((response) => response.json())
      .catch(() => null);
});

describe('the store', () => {
  test('breaks off in the bytes, before them or after them: a typed error, and nothing is left over', async () => {
    const admin = world().actor('admin');
    const documentId = await newDocument(world(), admin);
    const acknowledged = new Map<string, string>();
    const { services } = world().gateway;
    const moments: Moment[] = ['before', 'within', 'after'];
    for (const moment of Array.from({ length: rounds }, () => moments).flat()) {
      const broken = { ...world().context(admin), services: { ...services, blobs: breaking(services.blobs, 'put', moment) } };
      const bytes = randomBytes(200_000);
      await expect(uploadFiles(broken, documentId, incoming({ name: 'x', bytes }))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      const { files } = await uploadFiles(world().context(admin), documentId, incoming({ name: 'y', bytes }));
      acknowledged.set(files[0]?.id ?? '', sha256(bytes));
    }
    await expectNothingLost(admin, acknowledged);
  });
});

describe.runIf(serverUrl)('the database', () => {
  const dying = useDyingDatabase(world);

  test.each([
    ['before the server hears of the commit', false],
    ['before the client hears of it', true],
  ])('dies at commit, %s: no acknowledged file is lost, nothing is left over', async (_, passed) => {
    const admin = createActor('admin');
    const documentId = await newDocument(world(), admin);
    const acknowledged = new Map<string, string>();
    for (let round = 0; round < rounds * 3; round += 1) {
      const bytes = randomBytes(50_000);
      dying().proxy.cutAtCommit(passed);
      await expect(uploadFiles(dying().context(admin), documentId, incoming({ name: 'x', bytes }))).rejects.toThrow();
      dying().proxy.passOn();
      const { files } = await uploadFiles(dying().context(admin), documentId, incoming({ name: 'y', bytes }));
      acknowledged.set(files[0]?.id ?? '', sha256(bytes));
    }
    await expectNothingLost(admin, acknowledged);
    // A commit that the client did not hear of has happened all the same: its file is whole as well.
    const files = await world().context(admin).db.file.count({});
    expect(files).toBe(passed ? acknowledged.size * 2 : acknowledged.size);
  });
});
