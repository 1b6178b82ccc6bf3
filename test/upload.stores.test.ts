import { createHash, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { sweepFiles } from '../src/file/file.sweeper.js';
import { sweepUploads } from '../src/upload/upload.sweeper.js';
import { drivers, type OpenStore } from './blob.drivers.js';
import { type Actor, useWorld } from './world.js';

// The parts of uploads go to real stores, sent by a client that knows nothing but the requests it was given.

const MiB = 1024 * 1024;
const HOUR = 60 * 60 * 1000;
/** The smallest part that every provider takes. */
const partSize = 5 * MiB;
const small = Buffer.from(`%PDF-1.4\n${'the bytes of a passport '.repeat(10)}%%EOF`);
/** Two whole parts and a rest. */
const large = Buffer.concat([small, randomBytes(2 * partSize)]);
/** A whole part and a rest. */
const medium = large.subarray(0, partSize + small.length);
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

const world = useWorld({ MAX_FILE_SIZE: String(64 * MiB) });
let address: string;
beforeAll(async () => {
  address = await world().app.listen({ port: 0, host: '127.0.0.1' });
});

interface Request {
  number: number;
  offset: number;
  size: number;
  method: string;
  url: string;
  headers: { name: string; value: string }[];
}

interface Announced {
  size?: number;
  sha256?: string;
  partSize?: number;
}

const requests = 'requests { number offset size method url headers { name value } }';

describe.each(drivers)('an upload to $name', ({ open }) => {
  let place: OpenStore;
  let editor: Actor;
  let documentId: string;

  beforeAll(async () => {
    place = await open();
    world().gateway.services.blobs.open = async () => place.store;
  });
  afterAll(() => place.close());
  beforeEach(async () => {
    editor = world().actor('admin');
    const made = await call('mutation { createDocument(input: { name: "D" }) { ... on Document { id } } }');
    documentId = made.createDocument.id;
  });
  afterEach(async () => {
    await sweepAfter(0);
    await sweepAfter(50 * HOUR);
    const { files, ...staged } = await left();
    world().gateway.services.now = () => new Date();
    expect(staged).toEqual({ uploads: [], staged: [], unfinished: 0 });
    // An object for each file, a file for each object.
    const owned = new Set(files.map(({ object_key }) => object_key));
    for await (const { key } of place.store.list(documentId)) expect(owned.delete(key)).toBe(true);
    expect([...owned]).toEqual([]);
  });

  /** As a client does, over the network: what is signed for this service names its address. */
  async function call(query: string, variables?: object) {
    const answer = await fetch(`${address}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${editor.token}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await answer.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  async function create(body: Buffer, input: Announced = {}): Promise<{ id: string; requests: Request[] }> {
    const mutation = `mutation ($input: CreateUploadInput!) { createUpload(input: $input) {
      ... on Error { code message } ... on StagedUpload { id partCount ${requests} } } }`;
    const { createUpload } = await call(mutation, { input: { documentId, name: 'a.pdf', size: body.length, ...input } });
    expect(createUpload.message).toBeUndefined();
    return createUpload;
  }

  const complete = async (uploadId: string) => {
    const mutation = `mutation { completeUpload(input: { uploadId: "${uploadId}" }) { __typename
      ... on Error { code message } ... on File { id size sha256 contentType } } }`;
    return (await call(mutation)).completeUpload;
  };

  const find = async (id: string) => (await call(`{ upload(id: "${id}") { state parts { number size } ${requests} } }`)).upload;

  /** Sends a part straight to where its request says, with nothing but what the request says. @returns the status */
  async function send({ method, url, headers, offset, size }: Request, from: Buffer, body = from.subarray(offset, offset + size)) {
    const answer = await fetch(url, {
      method,
      headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
      body: new Uint8Array(body),
    });
    await answer.arrayBuffer();
    return answer.status;
  }
  const taken = expect.toSatisfy((status: number) => status === 200 || status === 201);

  async function served(id: string): Promise<Buffer> {
    const answer = await fetch(`${address}/files/${id}`, { headers: { authorization: `Bearer ${editor.token}` } });
    expect(answer.status).toBe(200);
    return Buffer.from(await answer.arrayBuffer());
  }

  async function left() {
    const { pool } = world().gateway.database;
    const files = await pool.query('SELECT state, object_key FROM files WHERE tenant_id = $1', [editor.tenantId]);
    const uploads = await pool.query('SELECT state FROM staged_uploads WHERE tenant_id = $1', [editor.tenantId]);
    const staged: string[] = [];
    for await (const { key } of place.store.list('uploads/')) staged.push(key);
    const unfinished = (await place.unfinished?.()) ?? 0;
    return { files: files.rows, uploads: uploads.rows.map(({ state }) => state), staged, unfinished };
  }

  async function sweepAfter(ms: number) {
    const now = world().gateway.services.now().getTime() + ms;
    world().gateway.services.now = () => new Date(now);
    await sweepUploads(world().context(null));
    await sweepFiles(world().context(null));
  }

  test('as one object is verified and served', async () => {
    const upload = await create(small, { sha256: sha256(small) });
    for (const request of upload.requests) expect(await send(request, small)).toEqual(taken);
    const file = await complete(upload.id);
    expect(file).toMatchObject({ __typename: 'File', size: small.length, sha256: sha256(small), contentType: 'application/pdf' });
    expect((await served(file.id)).equals(small)).toBe(true);
  });

  test('of no bytes at all works', async () => {
    const nothing = Buffer.alloc(0);
    const upload = await create(nothing);
    for (const request of upload.requests) expect(await send(request, nothing)).toEqual(taken);
    expect(await complete(upload.id)).toMatchObject({ __typename: 'File', size: 0, sha256: sha256(nothing) });
  });

  test('in parts, the last first and one twice, is resumed, verified and served', async () => {
    const { id, requests: all } = await create(large, { partSize, sha256: sha256(large) });
    expect(all.map(({ size }) => size)).toEqual([partSize, partSize, small.length]);
    const [first, second, third] = all as [Request, Request, Request];
    for (const request of [third, first, first]) expect(await send(request, large)).toEqual(taken);
    expect(await complete(id)).toMatchObject({ __typename: 'ConflictError', message: expect.stringContaining(': 2.') });
    const found = await find(id);
    expect(found).toMatchObject({
      state: 'OPEN',
      parts: [
        { number: 1, size: partSize },
        { number: 3, size: small.length },
      ],
      requests: [{ number: 2, offset: second.offset }],
    });
    const signing = `mutation { signUploadParts(input: { uploadId: "${id}", numbers: [2] }) { ... on SignedParts { ${requests} } } }`;
    const [again] = (await call(signing)).signUploadParts.requests;
    expect(await send(again, large)).toEqual(taken);
    const file = await complete(id);
    expect(file).toMatchObject({ __typename: 'File', size: large.length, sha256: sha256(large), contentType: 'application/pdf' });
    expect((await served(file.id)).equals(large)).toBe(true);
    expect(await complete(id)).toEqual(file);
  });

  test('is listed once for whoever asks where it stands, over REST and GraphQL, and signs nothing once all has come', async () => {
    const signedUntil = async (id: string) => {
      const { rows } = await world().gateway.database.pool.query('SELECT signed_until FROM staged_uploads WHERE id = $1', [id]);
      return rows[0].signed_until as Date | null;
    };
    const { id, requests } = await create(medium, { partSize });
    for (const request of requests) expect(await send(request, medium)).toEqual(taken);
    const before = await signedUntil(id);
    const later = Date.now() + 60_000;
    world().gateway.services.now = () => new Date(later);
    const lists = vi.spyOn(place.store.multipart, 'listParts');
    const overRest = (await world().inject(editor, { url: `/uploads/${id}/` })).json();
    expect(overRest).toMatchObject({ state: 'open', parts: [{ number: 1 }, { number: 2 }], requests: [] });
    expect(lists).toHaveBeenCalledTimes(1);
    expect(await find(id)).toMatchObject({ state: 'OPEN', parts: [{ number: 1 }, { number: 2 }], requests: [] });
    expect(lists).toHaveBeenCalledTimes(2);
    expect(await signedUntil(id)).toEqual(before);
    lists.mockRestore();
    expect(await complete(id)).toMatchObject({ __typename: 'File', size: medium.length });
  });

  test('completed by two at once becomes one file', async () => {
    const { id, requests: all } = await create(medium, { partSize });
    for (const request of all) await send(request, medium);
    const both = await Promise.all([complete(id), complete(id)]);
    const file = await complete(id);
    for (const answer of both) expect(answer.__typename === 'ConflictError' || answer.id === file.id).toBe(true);
    expect((await left()).files).toMatchObject([{ state: 'READY' }]);
  });

  const other = Buffer.from(large).fill('x', 0, 10);
  test.each<[string, Announced, (all: Request[]) => Promise<unknown>, string]>([
    ['another hash', { partSize, sha256: sha256(large) }, (all) => Promise.all(all.map((part) => send(part, other))), 'sha256'],
    [
      'its parts in another order',
      { partSize, sha256: sha256(large) },
      ([first, second, third]) =>
        Promise.all([
          first && second && send({ ...first, offset: second.offset }, large),
          first && second && send({ ...second, offset: first.offset }, large),
          third && send(third, large),
        ]),
      'sha256',
    ],
  ])('with %s is refused and leaves nothing', async (_, input, act, field) => {
    const { id, requests: all } = await create(large, input);
    await act(all);
    expect(await complete(id)).toMatchObject({ __typename: 'ValidationError', message: expect.stringContaining(field) });
    expect(await left()).toMatchObject({ files: [], staged: [], unfinished: 0 });
  });

  test.each<[string, Buffer, Announced]>([
    ['as one object', small, {}],
    ['in parts', medium, { partSize }],
  ])('%s: one byte less than announced is refused and leaves nothing', async (_, body, input) => {
    const { id, requests: all } = await create(body, input);
    const last = all.at(-1) as Request;
    for (const request of all.slice(0, -1)) await send(request, body);
    const status = await send(last, body, body.subarray(last.offset, -1));
    if (place.store.presigns) {
      expect(status).toEqual(taken);
      expect(await complete(id)).toMatchObject({ __typename: 'ValidationError', message: expect.stringContaining('size') });
      expect(await left()).toMatchObject({ staged: [], unfinished: 0 });
    } else {
      expect(status).toBe(400);
      expect(await complete(id)).toMatchObject({ __typename: 'ConflictError' });
    }
    expect((await left()).files).toEqual([]);
  });

  test.each<[string, Buffer, Announced]>([
    ['as one object', small, {}],
    ['in parts', medium, { partSize }],
  ])('%s: what is sent after its completion changes nothing that is served', async (_, body, input) => {
    const { id, requests: all } = await create(body, input);
    for (const request of all) expect(await send(request, body)).toEqual(taken);
    const file = await complete(id);
    expect(file).toMatchObject({ __typename: 'File', sha256: sha256(body) });
    const evil = Buffer.alloc(body.length, 'x');
    for (const request of all) await send(request, evil);
    expect((await served(file.id)).equals(body)).toBe(true);
    expect(await complete(id)).toEqual(file);
  });

  test.each<[string, Buffer, Announced]>([
    ['as one object', small, {}],
    ['in parts', medium, { partSize }],
  ])('%s: one that is aborted becomes no file, whatever is sent to it later', async (_, body, input) => {
    const { id, requests: all } = await create(body, input);
    for (const request of all) expect(await send(request, body)).toEqual(taken);
    const abort = `mutation { abortUpload(input: { uploadId: "${id}" }) { ... on StagedUpload { state } ... on Error { message } } }`;
    expect((await call(abort)).abortUpload).toEqual({ state: 'CLOSED' });
    expect(await left()).toMatchObject({ files: [], staged: [], unfinished: 0 });
    for (const request of all) await send(request, body);
    expect(await complete(id)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await find(id)).toBeNull();
  });

  test('that nobody completes is given up after a day, with all that came', async () => {
    const { id, requests: all } = await create(medium, { partSize });
    for (const request of all) await send(request, medium);
    await sweepAfter(26 * HOUR);
    expect(await left()).toEqual({ files: [], uploads: [], staged: [], unfinished: 0 });
    expect(await complete(id)).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('gives requests that work no longer than it is open', async () => {
    const upload = await create(small);
    const { services } = world().gateway;
    const almost = Date.now() + 24 * HOUR - 4000;
    services.now = () => new Date(almost);
    const [request] = (await find(upload.id)).requests;
    await vi.waitFor(async () => expect(await send(request, small)).toBeGreaterThanOrEqual(400), { timeout: 20_000, interval: 500 });
  });
});
