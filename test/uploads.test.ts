import { describe, expect, test } from 'vitest';
import { StorageError } from '../src/errors.js';
import { type Announced, bytes, HOUR, nothing, type Request, requestFields, sha256, useUploads } from './uploads.world.js';

const { world, create, complete, send, stage, left, sweepAfter, editor, documentId } = useUploads();

describe('an upload in parts', () => {
  test('becomes a file with the type and hash of its bytes, and puts its document back to PENDING', async () => {
    await world().graphql(editor(), `mutation { approve(input: { id: "${documentId()}" }) { __typename } }`);
    const upload = await create({ partSize: 100, sha256: sha256.toUpperCase(), contentType: 'text/html' });
    expect(upload).toMatchObject({ state: 'OPEN', partSize: 100, partCount: 3, parts: [] });
    expect(upload.requests).toMatchObject([
      { number: 1, offset: 0, size: 100, method: 'PUT' },
      { number: 2, offset: 100, size: 100 },
      { number: 3, offset: 200, size: bytes.length - 200 },
    ]);
    // In any order, one of them twice.
    for (const index of [2, 0, 1, 0]) expect((await send(upload.requests[index])).statusCode).toBe(200);
    const file = await complete(upload.id);
    expect(file).toMatchObject({ name: 'a.pdf', size: bytes.length, sha256, contentType: 'application/pdf', state: 'READY' });
    expect(file.document.status).toBe('PENDING');
    expect((await world().inject(editor(), { method: 'GET', url: `/files/${file.id}` })).rawPayload.equals(bytes)).toBe(true);
    expect(await left()).toEqual({ files: ['READY'], uploads: ['DONE'], blobs: 1 });
    await sweepAfter(25 * HOUR);
    expect(await left()).toEqual({ files: ['READY'], uploads: [], blobs: 1 });
  });

  test('is resumed: what arrived is listed, the rest is signed again', async () => {
    const { id, requests } = await create({ partSize: 100 });
    await send(requests[1]);
    expect(await complete(id)).toMatchObject({ __typename: 'ConflictError', message: expect.stringContaining('1, 3') });
    const { data } = await world().graphql(
      editor(),
      `{ upload(id: "${id}") { state parts { number size } requests { ${requestFields} } } }`,
    );
    expect(data.upload).toMatchObject({ state: 'OPEN', parts: [{ number: 2, size: 100 }], requests: [{ number: 1 }, { number: 3 }] });
    const signing = `mutation { signUploadParts(input: { uploadId: "${id}", numbers: [3, 1] }) { ... on SignedParts { requests { ${requestFields} } } } }`;
    const signed = await world().graphql(editor(), signing);
    for (const request of signed.data.signUploadParts.requests) await send(request);
    expect(await complete(id)).toMatchObject({ __typename: 'File', sha256 });
  });

  test('completed again answers the same file, also by two at once', async () => {
    const { id, requests } = await create();
    await send(requests[0]);
    const both = await Promise.all([complete(id), complete(id)]);
    const [file] = both.filter(({ __typename }) => __typename === 'File');
    for (const other of both) expect([file.id, undefined]).toContain(other.id);
    expect(await complete(id)).toEqual(file);
    expect((await left()).files).toEqual(['READY']);
  });

  test('of no bytes at all works', async () => {
    expect(await stage({}, Buffer.alloc(0))).toMatchObject({ __typename: 'File', size: 0 });
  });

  test('cannot be read before it is complete', async () => {
    const { requests } = await create();
    await send(requests[0]);
    const { data } = await world().graphql(editor(), `{ document(id: "${documentId()}") { files { id } } }`);
    expect(data.document.files).toEqual([]);
    expect((await left()).files).toEqual([]);
  });

  test('that is aborted leaves nothing, and takes and becomes nothing any more', async () => {
    const { id, requests } = await create({ partSize: 100 });
    await send(requests[0]);
    const abort = `mutation { abortUpload(input: { uploadId: "${id}" }) { __typename ... on StagedUpload { state } ... on Error { code } } }`;
    expect((await world().graphql(editor(), abort)).data.abortUpload).toEqual({ __typename: 'StagedUpload', state: 'CLOSED' });
    expect((await left()).blobs).toBe(0);
    expect((await send(requests[1])).statusCode).toBe(404);
    expect(await complete(id)).toMatchObject({ code: 'NOT_FOUND' });
    await sweepAfter(0);
    expect(await left()).toEqual(nothing);
  });

  test('that nobody completes is swept after a day', async () => {
    const { id, requests } = await create({ partSize: 100 });
    await send(requests[0]);
    await sweepAfter(23 * HOUR);
    expect(await left()).toEqual({ files: [], uploads: ['OPEN'], blobs: 1 });
    await sweepAfter(2 * HOUR);
    expect(await left()).toEqual(nothing);
    expect(await complete(id)).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('that its store does not let begin is none, and counts for none', async () => {
    const { services } = world().gateway;
    const { open } = services.blobs;
    services.limits.maxOpenUploads = 1;
    services.blobs.open = async (address) => {
      const store = await open(address);
      const create = () => Promise.reject(new StorageError('UNREACHABLE', 'The storage does not answer. Try again later.'));
      return { ...store, multipart: { ...store.multipart, create } };
    };
    expect(await create()).toMatchObject({ __typename: 'StorageError', code: 'UNAVAILABLE' });
    services.blobs.open = open;
    expect((await create()).__typename).toBe('StagedUpload');
  });

  test('speaks REST as well', async () => {
    const post = (url: string, payload: object = {}) => world().inject(editor(), { method: 'POST', url, payload });
    const created = await post(`/documents/${documentId()}/uploads/`, { name: 'a.pdf', size: bytes.length, part_size: 100, sha256 });
    expect([created.statusCode, created.json()]).toMatchObject([
      201,
      { state: 'open', part_count: 3, checksum: `sha256:${sha256}`, parts: [] },
    ]);
    const { id, requests } = created.json();
    await send(requests[0]);
    const early = await post(`/uploads/${id}/complete/`);
    expect([early.statusCode, early.json().code]).toEqual([409, 'conflict']);
    const signed = await post(`/uploads/${id}/sign/`, { numbers: [2, 3] });
    for (const request of signed.json().requests) await send(request);
    const found = await world().inject(editor(), { method: 'GET', url: `/uploads/${id}/` });
    expect(found.json()).toMatchObject({ parts: [{ number: 1, size: 100 }, { number: 2 }, { number: 3 }], requests: [] });
    const done = await post(`/uploads/${id}/complete/`);
    expect([done.statusCode, done.json()]).toMatchObject([200, { name: 'a.pdf', checksum: `sha256:${sha256}` }]);
    const other = (await post(`/documents/${documentId()}/uploads/`, { name: 'b.pdf', size: 5 })).json();
    expect((await world().inject(editor(), { method: 'DELETE', url: `/uploads/${other.id}/` })).statusCode).toBe(204);
    expect((await world().inject(editor(), { method: 'GET', url: `/uploads/${other.id}/` })).statusCode).toBe(404);
  });
});

describe('a request for a part', () => {
  test.each<[string, (request: Request, other: Request) => Promise<{ statusCode: number }>, number]>([
    [
      'whose signature is of another part',
      (request, other) => send({ ...request, url: request.url.replace(/\?.*/, new URL(other.url).search) }),
      404,
    ],
    ['whose signature is damaged', (request) => send({ ...request, url: `${request.url.slice(0, -3)}AAA` }), 404],
    ['without a signature', (request) => send({ ...request, url: request.url.replace(/\?.*/, '') }), 404],
    ['with fewer bytes than the part has', (request) => send(request, Buffer.alloc(99)), 400],
    ['with more bytes than the part has', (request) => send(request, Buffer.alloc(101)), 400],
  ])('%s is refused', async (_, act, status) => {
    const { requests } = await create({ partSize: 100 });
    expect((await act(requests[0], requests[1])).statusCode).toBe(status);
    expect((await left()).blobs).toBe(0);
  });

  test('that has expired is refused', async () => {
    const { id, requests } = await create();
    // The signature counts by the real clock, the upload by ours.
    await world().gateway.database.pool.query('UPDATE staged_uploads SET expires_at = now() WHERE id = $1', [id]);
    expect((await send(requests[0])).statusCode).toBe(404);
  });
});

describe('a lie', () => {
  test.each<[string, Announced, Buffer]>([
    ['about the hash', { sha256: '0'.repeat(64) }, bytes],
    ['about the hash of a part that was replaced', { sha256 }, Buffer.from(bytes).fill('x', 0, 10)],
  ])('%s is a typed error and leaves nothing', async (_, input, body) => {
    expect(await stage(input, body)).toMatchObject({
      __typename: 'ValidationError',
      code: 'VALIDATION_FAILED',
      message: expect.stringContaining('sha256'),
    });
    await sweepAfter(0);
    expect(await left()).toEqual({ ...nothing, uploads: ['CLOSED'] });
    await sweepAfter(25 * HOUR);
    expect(await left()).toEqual(nothing);
  });

  test('about the type does not become the type', async () => {
    expect(await stage({ contentType: 'application/pdf' }, Buffer.from('<!doctype html><script>'))).toMatchObject({
      contentType: 'text/html',
    });
  });

  test('about the size of an object that the store holds is a typed error and leaves nothing', async () => {
    const { id, requests } = await create();
    await send(requests[0]);
    await world().gateway.database.pool.query('UPDATE staged_uploads SET size = size + 1, part_size = part_size + 1 WHERE id = $1', [id]);
    expect(await complete(id)).toMatchObject({ code: 'VALIDATION_FAILED', message: expect.stringContaining('size') });
    await sweepAfter(0);
    expect(await left()).toEqual({ ...nothing, uploads: ['CLOSED'] });
    await sweepAfter(25 * HOUR);
    expect(await left()).toEqual(nothing);
  });
});
