import { readdir } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { multipart, type Part } from './multipart.js';
import { unzip } from './unzip.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld({ MAX_FILE_SIZE: '8MiB' });
const pdf = Buffer.from(`%PDF-1.4\n${'the bytes of a passport\n'.repeat(50)}%%EOF`);

let admin: Actor;
let port: number;
/** Connections stay open after an answer, as those of browsers do. */
const agent = new Agent({ keepAlive: true });

beforeAll(async () => {
  await world().app.listen({ port: 0, host: '127.0.0.1' });
  port = (world().app.server.address() as AddressInfo).port; // It listens on a port.
});
beforeEach(() => {
  admin = world().actor('admin');
});
afterAll(() => agent.destroy());

const call = async (method: 'GET' | 'HEAD' | 'POST' | 'DELETE' | 'PUT', url: string, headers = {}, payload?: unknown, actor = admin) => {
  const answer = await world().inject(actor, { method, url, headers, ...(payload !== undefined && { payload: payload as object }) });
  const type = String(answer.headers['content-type'] ?? '');
  const body = type.includes('json') && answer.body ? answer.json() : answer.body;
  return { status: answer.statusCode, headers: answer.headers, body, bytes: answer.rawPayload };
};
const send = (url: string, parts: Part[], actor = admin) => {
  const { headers, payload } = multipart(parts);
  return call('POST', url, headers, payload, actor);
};
const file = (name: string, body: string | Buffer, field = 'files', type?: string): Part => ({ field, name, body, type });

async function newDocument(name = 'Passport'): Promise<string> {
  return (await call('POST', '/documents/', {}, { name })).body.id;
}

/** A document with these files. @returns the path of its files and their ids */
async function filed(...files: [name: string, body: string | Buffer][]): Promise<{ url: string; ids: string[] }> {
  const url = `/documents/${await newDocument()}/files/`;
  const { body } = await send(
    url,
    files.map(([name, bytes]) => file(name, bytes)),
  );
  return { url, ids: body.map(({ id }: { id: string }) => id) };
}

/** What there is of the tenant's: files, blobs, and documents, those in the trash too. */
async function left() {
  const { pool } = world().gateway.database;
  const rows = async (table: string) =>
    (await pool.query(`SELECT id FROM ${table} WHERE tenant_id = $1 ORDER BY id`, [admin.tenantId])).rows;
  const folder = join(world().gateway.settings.dataDir, 'blobs', admin.tenantId);
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return { files: await rows('files'), documents: await rows('documents'), blobs: found.filter((entry) => entry.isFile()).length };
}

/** A request over a real socket; `write` sends its body. */
const overSocket = (path: string, headers: object, write: (request: ReturnType<typeof httpRequest>) => void) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    const options = { port, method: 'POST', path, headers: { authorization: `Bearer ${admin.token}`, ...headers }, agent };
    const request = httpRequest(options, resolve);
    request.on('error', reject);
    write(request);
  });

describe('POST /documents/{id}/files/', () => {
  test('stores parts named `files` and `file`, and answers 201 with an array of File', async () => {
    const id = await newDocument();
    const answer = await send(`/documents/${id}/files/`, [file('a.pdf', pdf), file('größe.txt', 'text', 'file', 'text/plain')]);
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual([
      expect.objectContaining({ name: 'a.pdf', content_type: 'application/pdf', size: pdf.length, created_by: admin.userId }),
      expect.objectContaining({ name: 'größe.txt', content_type: 'text/plain', size: 4 }),
    ]);
    expect(Object.keys(answer.body[0])).toEqual(['id', 'name', 'content_type', 'size', 'checksum', 'created_at', 'created_by']);
    expect(answer.body[0].checksum).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect((await call('GET', `/documents/${id}/`)).body.files).toEqual(answer.body);
  });

  test('puts a reviewed document back to pending, as over GraphQL', async () => {
    const id = await newDocument();
    await call('PUT', `/documents/${id}/approve/`);
    await send(`/documents/${id}/files/`, [file('a', 'a')]);
    expect((await call('GET', `/documents/${id}/`)).body.status).toBe('pending');
  });

  test.each<[string, Part[], number, object]>([
    ['no file', [], 400, { files: ['send at least one file'] }],
    ['fields only', [{ field: 'note', body: 'x' }], 400, { files: ['send at least one file'] }],
    ['a file under another name', [file('a', 'a', 'attachment')], 400, { attachment: [expect.stringContaining('"files"')] }],
    ['a text where a file belongs', [{ field: 'files', body: 'a' }], 400, { files: [expect.stringContaining('filename')] }],
    ['a file without a name', [file('', 'a')], 400, { files: ['must not be empty'] }],
    ['a file over the limit', [file('a', 'fine'), file('b', Buffer.alloc(9 * 1024 * 1024))], 413, { detail: expect.any(String) }],
    ['21 files', Array.from({ length: 21 }, (_, i) => file(`${i}`, 'x')), 413, { detail: expect.stringContaining('At most 20') }],
    ['300 fields', Array.from({ length: 300 }, (_, i) => ({ field: `${i}`, body: 'x' })), 413, { detail: expect.any(String) }],
    ['a field of 2 MB', [{ field: 'note', body: 'x'.repeat(2_000_000) }, file('a', 'a')], 413, { detail: expect.any(String) }],
  ])('refuses %s, and leaves nothing', async (_, parts, status, body) => {
    const id = await newDocument();
    const answer = await send(`/documents/${id}/files/`, parts);
    expect({ status: answer.status, body: answer.body }).toEqual({ status, body });
    expect(await left()).toMatchObject({ files: [], blobs: 0 });
  });

  test.each<[string, (body: { headers: Record<string, string>; payload: Buffer }) => [object, Buffer]]>([
    ['without a boundary', ({ payload }) => [{ 'content-type': 'multipart/form-data' }, payload]],
    ['with another boundary', ({ payload }) => [{ 'content-type': 'multipart/form-data; boundary=x' }, payload]],
    ['that is cut off in a file', ({ headers, payload }) => [headers, payload.subarray(0, -200)]],
    ['that is cut off in a header', ({ headers, payload }) => [headers, payload.subarray(0, 60)]],
    ['that is empty', ({ headers }) => [headers, Buffer.alloc(0)]],
  ])('refuses a body %s, and leaves nothing', async (_, broken) => {
    const url = `/documents/${await newDocument()}/files/`;
    const [headers, payload] = broken(multipart([file('a', 'whole'), file('b', 'x'.repeat(100_000))]));
    expect(await call('POST', url, headers, payload)).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/^Multipart form parse error - /) },
    });
    expect(await left()).toMatchObject({ files: [], blobs: 0 });
  });

  test('refuses JSON with 415, strangers with 401, readers with 403, other documents with 404, inactive ones with 409', async () => {
    const id = await newDocument();
    const url = `/documents/${id}/files/`;
    const parts = [file('a', 'a')];
    expect((await call('POST', url, {}, { files: [] })).status).toBe(415);
    const { headers, payload } = multipart(parts);
    expect((await world().inject(null, { method: 'POST', url, headers, payload })).statusCode).toBe(401);
    expect((await send(url, parts, world().actor('viewer', admin.tenantId))).status).toBe(403);
    const foreign = await send(url, parts, world().actor('admin'));
    const missing = await send('/documents/01ARZ3NDEKTSV4RRFFQ69G5FAV/files/', parts);
    expect([foreign.status, foreign.body]).toEqual([404, missing.body]);
    await call('PUT', `/documents/${id}/inactive/`);
    expect((await call('POST', url, { ...headers, 'if-match': '"not ours"' }, payload)).status).toBe(409);
    expect(await left()).toMatchObject({ files: [], blobs: 0 });
  });

  test('whose client breaks off leaves nothing', async () => {
    const url = `/documents/${await newDocument()}/files/`;
    const { headers, payload } = multipart([file('a.txt', 'whole'), file('b.bin', Buffer.alloc(4 * 1024 * 1024))]);
    const broken = overSocket(url, { ...headers, 'content-length': payload.length }, (request) => {
      request.write(payload.subarray(0, 2 * 1024 * 1024));
      void expect
        .poll(async () => (await left()).files.length)
        .toBe(2)
        .then(() => request.destroy(new Error('gone')));
    });
    await expect(broken).rejects.toThrow('gone');
    await expect.poll(() => left(), { timeout: 10_000 }).toMatchObject({ files: [], blobs: 0 });
  });

  test.each([
    ['is for a document that is not there', '/documents/01ARZ3NDEKTSV4RRFFQ69G5FAV/files/', 404],
    ['is too large', '', 413],
  ])('of 50 MB that %s is answered, and its client is not left hanging', async (_, path, status) => {
    const url = path || `/documents/${await newDocument()}/files/`;
    const { headers, payload } = multipart([file('big.bin', Buffer.alloc(50 * 1024 * 1024))]);
    const sent = vi.fn();
    const response = await overSocket(url, { ...headers, 'content-length': payload.length }, (request) => {
      request.once('finish', sent);
      request.end(payload);
    });
    expect([response.statusCode, JSON.parse(String(await buffer(response)))]).toEqual([status, { detail: expect.any(String) }]);
    await expect.poll(() => sent.mock.calls.length, { timeout: 10_000 }).toBe(1);
    expect(await left()).toMatchObject({ files: [], blobs: 0 });
  });
});

describe('GET /documents/{id}/files/', () => {
  const json = { accept: 'application/json' };

  test('of one file: its bytes, with Range, ETag and HEAD', async () => {
    const { url } = await filed(['größe.pdf', pdf]);
    const whole = await call('GET', url);
    expect([whole.status, whole.bytes.equals(pdf)]).toEqual([200, true]);
    expect(whole.headers).toMatchObject({
      'content-type': 'application/pdf',
      'content-disposition': expect.stringMatching(/^attachment; .*filename\*=UTF-8''gr%C3%B6%C3%9Fe\.pdf/),
      'accept-ranges': 'bytes',
      vary: 'Accept',
    });
    const { etag } = whole.headers;
    const part = await call('GET', url, { range: 'bytes=0-4' });
    expect([part.status, part.body]).toEqual([206, '%PDF-']);
    expect((await call('GET', url, { 'if-none-match': etag })).status).toBe(304);
    expect((await call('GET', url, { 'if-match': '"other"' })).status).toBe(412);
    expect((await call('GET', url, { range: `bytes=${pdf.length}-` })).status).toBe(416);
    const head = await call('HEAD', url);
    expect([head.status, head.bytes.length, head.headers['content-length'], head.headers.etag]).toEqual([200, 0, String(pdf.length), etag]);
  });

  test('If-Unmodified-Since is kept', async () => {
    const { url } = await filed(['a.pdf', pdf]);
    const hour = (hours: number) => ({ 'if-unmodified-since': new Date(Date.now() + hours * 3_600_000).toUTCString() });
    expect((await call('GET', url, hour(-1))).status).toBe(412);
    expect((await call('GET', url, hour(1))).status).toBe(200);
  });

  test('of several: a zip named after the document', async () => {
    const { url, ids } = await filed(['a.pdf', pdf], ['a.pdf', 'other'], ['../x', '']);
    const { status, headers, bytes } = await call('GET', url);
    expect([status, headers['content-type'], headers['content-disposition']]).toEqual([
      200,
      'application/zip',
      'attachment; filename="Passport.zip"',
    ]);
    expect(unzip(bytes).map(({ name, body }) => [name, String(body)])).toEqual([
      ['a.pdf', String(pdf)],
      ['a (2).pdf', 'other'],
      ['x', ''],
    ]);
    const head = await call('HEAD', url);
    expect([head.status, head.headers['content-type'], head.bytes.length]).toEqual([200, 'application/zip', 0]);
    expect((await call('GET', `${url}?file=${ids[1]}`)).body).toBe('other');
    expect((await call('GET', `${url}?file=01ARZ3NDEKTSV4RRFFQ69G5FAV`)).status).toBe(404);
  });

  test.each([
    ['application/json', true],
    ['application/json, application/problem+json', true],
    ['application/json, text/plain, */*', false],
    ['*/*', false],
    ['application/problem+json', false],
  ])('Accept: %s → the list: %s', async (accept, listed) => {
    const { url, ids } = await filed(['a', 'a'], ['b', 'b']);
    const { headers, body } = await call('GET', url, { accept });
    expect(headers['content-type']).toMatch(listed ? /^application\/json/ : /^application\/zip/);
    if (listed) expect(body.map(({ id }: { id: string }) => id)).toEqual(ids);
  });

  test('of none: 404, or an empty list', async () => {
    const url = `/documents/${await newDocument()}/files/`;
    expect(await call('GET', url)).toMatchObject({ status: 404, body: { detail: 'Not found.' } });
    expect(await call('GET', url, json)).toMatchObject({ status: 200, body: [] });
  });

  test('breaks the connection, rather than ending well, when one of several files is lost', async () => {
    const { url, ids } = await filed(['a', Buffer.alloc(1024 * 1024, 'a')], ['b', 'b']);
    const { blobs, prisma } = world().gateway.services;
    const storage = await prisma.storage.findFirstOrThrow({ where: { tenantId: admin.tenantId } });
    const row = await prisma.file.findFirstOrThrow({ where: { id: ids[1] } });
    await (await blobs.open({ ...storage, credentials: {} })).delete(row.objectKey);
    const response = await fetch(`http://127.0.0.1:${port}${url}`, { headers: { authorization: `Bearer ${admin.token}` } });
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });

  test('is for those who may read the document', async () => {
    const { url } = await filed(['a', 'a']);
    for (const headers of [{}, json]) {
      expect((await call('GET', url, headers, undefined, world().actor('viewer', admin.tenantId))).status).toBe(200);
      expect((await call('GET', url, headers, undefined, world().actor(['shares:read'], admin.tenantId))).status).toBe(403);
      expect((await call('GET', url, headers, undefined, world().actor('admin'))).status).toBe(404);
    }
  });

  test('leaves out what is in quarantine', async () => {
    const { url, ids } = await filed(['a', 'a'], ['b', 'b']);
    await world().gateway.database.pool.query(`UPDATE files SET state = 'QUARANTINED' WHERE id = $1`, [ids[0]]);
    expect((await call('GET', url)).body).toBe('b');
    expect((await call('GET', `${url}${ids[0]}/`)).status).toBe(409);
  });
});

describe('/documents/{id}/files/{file_id}/', () => {
  test('GET: the bytes of one file of several; a file of another document is 404', async () => {
    const { url, ids } = await filed(['a', 'a'], ['b', 'bytes']);
    const other = await filed(['c', 'c']);
    const found = await call('GET', `${url}${ids[1]}/`, { range: 'bytes=1-2' });
    expect([found.status, found.body]).toEqual([206, 'yt']);
    expect((await call('HEAD', `${url}${ids[1]}`)).headers['content-length']).toBe('5');
    for (const method of ['GET', 'DELETE'] as const) {
      const foreign = await call(method, `${other.url}${ids[1]}/`);
      expect([foreign.status, foreign.body]).toEqual([404, { detail: 'Not found.' }]);
    }
    expect((await call('GET', url, { accept: 'application/json' })).body.length).toBe(2);
  });

  test('DELETE: 204 with an empty body; If-Match takes the ETag of the file', async () => {
    const { url, ids } = await filed(['a', 'a'], ['b', 'b']);
    const path = `${url}${ids[0]}/`;
    const { etag } = (await call('GET', path)).headers;
    expect((await call('DELETE', path, { 'if-match': '"1"' })).status).toBe(412);
    const deleted = await call('DELETE', path, { 'if-match': etag });
    expect([deleted.status, deleted.body]).toEqual([204, '']);
    expect((await call('GET', path)).status).toBe(404);
    expect((await call('GET', url)).body).toBe('b');
    expect((await call('DELETE', path)).status).toBe(404);
    expect((await call('DELETE', `${url}${ids[1]}/`, {}, undefined, world().actor('viewer', admin.tenantId))).status).toBe(403);
  });

  test('other methods are 405 with Allow', async () => {
    const { url, ids } = await filed(['a', 'a']);
    expect(await call('PUT', `${url}${ids[0]}/`)).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, DELETE, OPTIONS' } });
    expect((await call('DELETE', url)).headers.allow).toMatch(/^(?=.*POST)(?=.*GET)(?=.*HEAD)/);
  });
});
