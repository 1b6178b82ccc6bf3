import { describe, expect, test } from 'vitest';
import { missing, useDocuments } from './contract.documents.world.js';
import { multipart } from './multipart.js';
import { inDays, six } from './rest.caller.js';

const { world, newDocument, upload, admin, call } = useDocuments();

/** What the contract says of documents and their files, operation by operation: each title quotes it. */
describe('documents', () => {
  test('"{…six, name, description, category, storage, tags, metadata, status, rejection_reason, reviewed_by, reviewed_at, files}"', async () => {
    const body = await newDocument({ description: 'd', tags: ['kyc'], metadata: { country: 'IN' } });
    const own = [
      'name',
      'description',
      'category',
      'storage',
      'tags',
      'metadata',
      'status',
      'rejection_reason',
      'reviewed_by',
      'reviewed_at',
    ];
    expect(Object.keys(body)).toEqual([...six, ...own, 'files']);
    expect(body).toMatchObject({ name: 'Passport', description: 'd', tags: ['kyc'], metadata: { country: 'IN' }, files: [] });
    expect(body).toMatchObject({ status: 'pending', rejection_reason: '', reviewed_by: '', reviewed_at: null });
  });

  test('"status: read-only", "files: read-only array of File": what is sent for them is left aside', async () => {
    const readOnly = { status: 'approved', files: [{ id: missing }], reviewed_by: admin().userId, created_by: missing };
    const body = await newDocument(readOnly);
    expect(body).toMatchObject({ status: 'pending', files: [], reviewed_by: '', created_by: admin().userId });
    expect(await call('PATCH', `/documents/${body.id}/`, readOnly)).toMatchObject({ status: 200, body: { status: 'pending', files: [] } });
  });

  test('Update Document: "any of name, description, category, tags, metadata → 200"', async () => {
    const { id } = await newDocument();
    const category = (await call('POST', '/categories/', { name: 'KYC' })).body.id;
    const change = { name: 'PAN', description: 'd', category, tags: ['a', 'b'], metadata: { a: 1 } };
    for (const [field, value] of Object.entries(change)) {
      expect(await call('PATCH', `/documents/${id}/`, { [field]: value })).toMatchObject({ status: 200, body: { [field]: value } });
    }
    expect((await call('GET', `/documents/${id}/`)).body).toMatchObject(change);
  });

  test('Get Document: "expand → 200"', async () => {
    const category = (await call('POST', '/categories/', { name: 'KYC' })).body;
    const { id, storage } = await newDocument({ category: category.id });
    expect(await call('GET', `/documents/${id}/`)).toMatchObject({ status: 200, body: { category: category.id, storage } });
    const { body } = await call('GET', `/documents/${id}/?expand=category,storage`);
    expect(body.category).toEqual(category);
    expect(body.storage).toEqual((await call('GET', `/storages/${storage}/`)).body);
  });

  test('Delete Document: "→ 204; its shares die at once; files are kept for the retention time"', async () => {
    const { id } = await newDocument();
    await upload(id, 'a.txt');
    const { token } = (await call('POST', `/documents/${id}/shares/`, { expires_at: inDays(1) })).body;
    expect(await call('DELETE', `/documents/${id}/`)).toMatchObject({ status: 204, body: '' });
    expect((await call('GET', `/documents/${id}/`)).status).toBe(404);
    expect((await call('GET', `/documents/preview/${token}/`)).status).toBe(410);
    const { rows } = await world().gateway.database.pool.query('SELECT state FROM files WHERE document_id = $1', [id]);
    expect(rows).toEqual([{ state: 'READY' }]);
  });

  test('Get all tags: "search → 200 ["kyc", …] sorted; ?counts=true → [{"tag","count"}]. Routed before {id}"', async () => {
    await newDocument({ tags: ['kyc', 'income'] });
    await newDocument({ tags: ['kyc'] });
    expect(await call('GET', '/documents/tags/')).toMatchObject({ status: 200, body: ['income', 'kyc'] });
    expect((await call('GET', '/documents/tags/?search=YC')).body).toEqual(['kyc']);
    expect((await call('GET', '/documents/tags/?counts=true')).body).toEqual([
      { tag: 'income', count: 1 },
      { tag: 'kyc', count: 2 },
    ]);
  });

  test('"pending → approved | rejected; rejected → approved; approved → rejected; any but inactive → inactive"; else "409"', async () => {
    const acts = { approve: undefined, reject: { reason: 'The photo is blurred.' }, inactive: undefined };
    const { id } = await newDocument();
    const act = (name: keyof typeof acts) => call('PUT', `/documents/${id}/${name}/`, acts[name]);
    const walk = ['approve', 'approve', 'reject', 'reject', 'approve', 'inactive', 'inactive', 'approve', 'reject'] as const;
    const seen = [];
    for (const name of walk) {
      const { status, body } = await act(name);
      seen.push(body.status ?? `${status} ${body.code}`);
    }
    const no = '409 conflict';
    expect(seen).toEqual(['approved', no, 'rejected', no, 'approved', 'inactive', no, no, no]);
  });

  test('"reject takes {"reason": "…"} (required, ≤ 1000) → 200 Document"', async () => {
    const { id } = await newDocument();
    const reject = (payload: object) => call('PUT', `/documents/${id}/reject/`, payload);
    for (const payload of [{}, { reason: '' }, { reason: 'r'.repeat(1001) }]) {
      expect(await reject(payload)).toMatchObject({ status: 400, body: { reason: [expect.any(String)] } });
    }
    expect(await reject({ reason: 'r'.repeat(1000) })).toMatchObject({
      status: 200,
      body: { status: 'rejected', rejection_reason: 'r'.repeat(1000), reviewed_by: admin().userId, reviewed_at: expect.any(String) },
    });
  });

  test('"new or removed file on an approved or rejected document → pending"', async () => {
    const { id } = await newDocument();
    const [file] = (await upload(id, 'a.txt')).body;
    const status = async () => (await call('GET', `/documents/${id}/`)).body.status;
    for (const [act, reason] of [['approve'], ['reject', { reason: 'no' }]] as const) {
      await call('PUT', `/documents/${id}/${act}/`, reason);
      await upload(id, `${act}.txt`);
      expect(await status()).toBe('pending');
    }
    await call('PUT', `/documents/${id}/approve/`);
    await call('DELETE', `/documents/${id}/files/${file.id}/`);
    expect(await status()).toBe('pending');
  });

  test('"An inactive document is read-only: every change but its deletion answers 409; its shares answer 410"', async () => {
    const { id } = await newDocument();
    const [file] = (await upload(id, 'a.txt')).body;
    const share = (await call('POST', `/documents/${id}/shares/`, { expires_at: inDays(1) })).body;
    await call('PUT', `/documents/${id}/inactive/`);
    const answers = [
      await call('PATCH', `/documents/${id}/`, { name: 'x' }),
      await upload(id, 'b.txt'),
      await call('DELETE', `/documents/${id}/files/${file.id}/`),
      await call('POST', `/documents/${id}/shares/`, { expires_at: inDays(1) }),
      await call('GET', `/documents/preview/${share.token}/`),
      await call('GET', `/documents/${id}/`),
      await call('DELETE', `/documents/${id}/`),
    ];
    expect(answers.map(({ status }) => status)).toEqual([409, 409, 409, 409, 410, 200, 204]);
  });
});

describe('files', () => {
  test('Upload Files: "multipart, parts `files` (also `file`), 1–20 → 201 array of File", "checksum is sha256:<hex>"', async () => {
    const { id } = await newDocument();
    const { headers, payload } = multipart([
      { field: 'files', name: 'a.txt', body: 'a' },
      { field: 'file', name: 'b.txt', body: 'b' },
    ]);
    const { status, body } = await call('POST', `/documents/${id}/files/`, payload, headers);
    expect(status).toBe(201);
    expect(body.map((file: object) => Object.keys(file))).toEqual(
      body.map(() => ['id', 'name', 'content_type', 'size', 'checksum', 'created_at', 'created_by']),
    );
    // The SHA-256 of "a".
    expect(body[0]).toMatchObject({
      name: 'a.txt',
      size: 1,
      checksum: 'sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',
    });
    expect((await call('GET', `/documents/${id}/`)).body.files).toEqual(body);
    expect((await upload(id, ...Array.from({ length: 20 }, (_, index) => `${index}.txt`))).status).toBe(201);
    expect((await upload(id, ...Array.from({ length: 21 }, (_, index) => `${index}.txt`))).status).toBe(413);
  });

  test('Download Files: "one file: its bytes; several: a streamed zip; ?file={file_id}: that file; Accept: application/json: the list"', async () => {
    const { id } = await newDocument();
    const url = `/documents/${id}/files/`;
    const [a] = (await upload(id, 'a.txt')).body;
    expect((await call('GET', url)).body).toBe('the bytes of a.txt');
    const [b] = (await upload(id, 'b.txt')).body;
    expect((await call('GET', url)).headers['content-type']).toBe('application/zip');
    expect((await call('GET', `${url}?file=${b.id}`)).body).toBe('the bytes of b.txt');
    expect((await call('GET', url, undefined, { accept: 'application/json' })).body).toEqual([a, b]);
  });

  test('GET /documents/{id}/files/{file_id}/: "the bytes of one file", "Range, ETag, HEAD on single files"; Delete File: "→ 204"', async () => {
    const { id } = await newDocument();
    const [file] = (await upload(id, 'a.txt', 'b.txt')).body;
    const url = `/documents/${id}/files/${file.id}/`;
    const { body, headers } = await call('GET', url);
    expect({ body, etag: headers.etag }).toEqual({ body: 'the bytes of a.txt', etag: `"${file.checksum.slice('sha256:'.length)}"` });
    expect(await call('GET', url, undefined, { range: 'bytes=4-8' })).toMatchObject({ status: 206, body: 'bytes' });
    expect(await call('GET', url, undefined, { 'if-none-match': headers.etag })).toMatchObject({ status: 304, body: '' });
    expect(await call('HEAD', url)).toMatchObject({ status: 200, body: '', headers: { 'content-length': '18' } });
    expect(await call('GET', url, undefined, { range: 'bytes=99-' })).toMatchObject({
      status: 416,
      headers: { 'content-range': 'bytes */18' },
      body: { detail: expect.any(String) },
    });
    expect(await call('DELETE', url)).toMatchObject({ status: 204, body: '' });
    expect((await call('GET', url)).status).toBe(404);
  });
});
