import { beforeEach, describe, expect, test } from 'vitest';
import { multipart } from './multipart.js';
import { type Call, restCaller } from './rest.caller.js';
import { type Actor, useWorld } from './world.js';

/** What the contract says of documents, their files and their shares, operation by operation: each title quotes it. */
const world = useWorld();
const six = ['id', 'tenant_id', 'created_by', 'updated_by', 'created_at', 'updated_at'];
const missing = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const soon = () => new Date(Date.now() + 86_400_000).toISOString();

let admin: Actor;
let call: Call;
beforeEach(() => {
  admin = world().actor('admin');
  call = restCaller(world(), admin);
});

const newDocument = async (fields: object = {}) => (await call('POST', '/documents/', { name: 'Passport', ...fields })).body;

async function upload(id: string, ...names: string[]) {
  const { headers, payload } = multipart(names.map((name) => ({ field: 'files', name, body: `the bytes of ${name}`, type: 'text/plain' })));
  return call('POST', `/documents/${id}/files/`, payload, headers);
}

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
    const readOnly = { status: 'approved', files: [{ id: missing }], reviewed_by: admin.userId, created_by: missing };
    const body = await newDocument(readOnly);
    expect(body).toMatchObject({ status: 'pending', files: [], reviewed_by: '', created_by: admin.userId });
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
    const { token } = (await call('POST', `/documents/${id}/shares/`, { expires_at: soon() })).body;
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
      body: { status: 'rejected', rejection_reason: 'r'.repeat(1000), reviewed_by: admin.userId, reviewed_at: expect.any(String) },
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
    const share = (await call('POST', `/documents/${id}/shares/`, { expires_at: soon() })).body;
    await call('PUT', `/documents/${id}/inactive/`);
    const answers = [
      await call('PATCH', `/documents/${id}/`, { name: 'x' }),
      await upload(id, 'b.txt'),
      await call('DELETE', `/documents/${id}/files/${file.id}/`),
      await call('POST', `/documents/${id}/shares/`, { expires_at: soon() }),
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

describe('shares', () => {
  async function shared(fields: object = {}) {
    const { id } = await newDocument({ description: 'Of the applicant' });
    const list = `/documents/${id}/shares/`;
    const { body } = await call('POST', list, { expires_at: soon(), ...fields });
    return { id, list, share: body, url: `${list}${body.id}/`, preview: `/documents/preview/${body.token}/` };
  }

  test('Share Document "also accepted: password, max_downloads, allow_download, label"; extras "appear only with ?expand=policy"', async () => {
    const extras = { max_downloads: 3, allow_download: false, label: 'For the auditor' };
    const { share, url } = await shared({ ...extras, password: 'correct horse' });
    expect(Object.keys(share)).toHaveLength(9);
    expect(await call('GET', `${url}?expand=policy`)).toMatchObject({ status: 200, body: { ...extras, has_password: true } });
  });

  test('expires_at "must lie in the future, at most 365 days"', async () => {
    const { list } = await shared();
    for (const days of [-1, 366]) {
      const expires_at = new Date(Date.now() + days * 86_400_000).toISOString();
      expect(await call('POST', list, { expires_at })).toMatchObject({ status: 400, body: { expires_at: [expect.any(String)] } });
    }
  });

  test('"Sharing needs a pending or approved document (else 409); shares of a rejected one answer 410 until it is approved again"', async () => {
    const { id, list, preview } = await shared();
    await call('PUT', `/documents/${id}/reject/`, { reason: 'no' });
    expect([(await call('POST', list, { expires_at: soon() })).status, (await call('GET', preview)).status]).toEqual([409, 410]);
    await call('PUT', `/documents/${id}/approve/`);
    expect([(await call('POST', list, { expires_at: soon() })).status, (await call('GET', preview)).status]).toEqual([201, 200]);
  });

  test('Get Shared Document "→ 200"; List Shared Documents: "expired ones too"', async () => {
    const { url, list, share } = await shared();
    expect(await call('GET', url)).toMatchObject({ status: 200, body: share });
    await world().gateway.database.pool.query(`UPDATE shares SET expires_at = now() - interval '1 day' WHERE id = $1`, [share.id]);
    expect((await call('GET', list)).body).toMatchObject({ count: 1, results: [{ id: share.id }] });
    expect((await call('GET', `${list}${missing}/`)).status).toBe(404);
  });

  test('List Shared Documents: "expires_at, expires_at_gte, expires_at_lte" hold together, a day is all of it; "search" is in labels', async () => {
    const { list, share } = await shared({ label: 'For the auditor' });
    const count = async (query: string) => (await call('GET', `${list}?${query}`)).body.count;
    const moment = share.expires_at;
    const day = moment.slice(0, 10);
    const queries = [
      `expires_at=${moment}`,
      `expires_at=${day}`,
      `expires_at_gte=${day}&expires_at_lte=${day}`,
      'search=AUDIT',
      'search=nobody',
    ];
    expect(await Promise.all(queries.map(count))).toEqual([1, 1, 1, 1, 0]);
    expect(await count(`expires_at=${moment}&expires_at_gte=2999-01-01`)).toBe(0);
    expect(await count('expires_at=2999-01-01&expires_at_gte=2020-01-01')).toBe(0);
    expect((await call('GET', `${list}?search=%00`)).body).toEqual({ search: [expect.any(String)] });
  });

  test('Update Shared Document: "expires_at (and the extras) → 200; the token stays"', async () => {
    const { url, share } = await shared();
    const expires_at = '2100-01-01T05:38:35+00:00';
    expect(await call('PATCH', url, { expires_at })).toMatchObject({ status: 400, body: { expires_at: [expect.any(String)] } });
    const later = new Date(Date.now() + 2 * 86_400_000).toISOString();
    expect(await call('PATCH', `${url}?expand=policy`, { expires_at: later, label: 'l', max_downloads: 2 })).toMatchObject({
      status: 200,
      body: { token: share.token, expires_at: later.replace('Z', '000Z'), label: 'l', max_downloads: 2 },
    });
  });

  test('Delete Document Share: "→ 204; the token is dead at once"', async () => {
    const { url, preview } = await shared();
    expect(await call('DELETE', url)).toMatchObject({ status: 204, body: '' });
    expect(await call('GET', preview)).toMatchObject({ status: 410, body: { detail: expect.any(String), code: 'gone' } });
  });

  test('Preview: "no bearer. JSON: {document: {…}, files: […], expires_at, allow_download}", "also GET /documents/preview/?token="', async () => {
    const { id, share, preview } = await shared();
    await upload(id, 'a.txt');
    const outsider = restCaller(world(), null);
    const { status, body } = await outsider('GET', preview);
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['document', 'files', 'expires_at', 'allow_download']);
    expect(Object.keys(body.document)).toEqual(['name', 'description', 'status', 'created_at']);
    expect(Object.keys(body.files[0])).toEqual(['id', 'name', 'content_type', 'size', 'preview_url', 'download_url']);
    expect(body.document).toMatchObject({ name: 'Passport', description: 'Of the applicant', status: 'pending' });
    expect(body).toMatchObject({ expires_at: share.expires_at, allow_download: true });
    expect((await outsider('GET', `/documents/preview/?token=${share.token}`)).body.document).toEqual(body.document);
    expect((await outsider('GET', preview, undefined, { accept: 'text/html' })).headers['content-type']).toMatch(/^text\/html/);
  });

  test('Preview: "Unknown token 404", "password needed 401 with code: "password_required""', async () => {
    const outsider = restCaller(world(), null);
    expect(await outsider('GET', '/documents/preview/1b4e28ba-2fa1-4d2b-883f-0016d3cca427/')).toMatchObject({
      status: 404,
      body: { detail: 'Not found.' },
    });
    const { preview } = await shared({ password: 'correct horse' });
    expect(await outsider('GET', preview)).toMatchObject({ status: 401, body: { code: 'password_required' } });
    expect((await outsider('GET', preview, undefined, { 'x-share-password': 'correct horse' })).status).toBe(200);
  });
});
