import { buffer } from 'node:stream/consumers';
import { describe, expect, test, vi } from 'vitest';
import { multipart, type Part } from './multipart.js';
import { file, pdf, useRestFiles } from './rest.files.world.js';

const { world, call, send, newDocument, left, overSocket, admin } = useRestFiles();

describe('POST /documents/{id}/files/', () => {
  test('stores parts named `files` and `file`, and answers 201 with an array of File', async () => {
    const id = await newDocument();
    const answer = await send(`/documents/${id}/files/`, [file('a.pdf', pdf), file('größe.txt', 'text', 'file', 'text/plain')]);
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual([
      expect.objectContaining({ name: 'a.pdf', content_type: 'application/pdf', size: pdf.length, created_by: admin().userId }),
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
    expect((await send(url, parts, world().actor('viewer', admin().tenantId))).status).toBe(403);
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
