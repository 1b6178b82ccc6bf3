import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Actor, useWorld } from './world.js';

const world = useWorld();

const send = async (
  actor: Actor | null,
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE' | 'HEAD' | 'OPTIONS',
  url: string,
  payload?: unknown,
  headers = {},
) => {
  const answer = await world().inject(actor, { method, url, headers, ...(payload !== undefined && { payload: payload as object }) });
  const type = String(answer.headers['content-type'] ?? '');
  return { status: answer.statusCode, headers: answer.headers, body: type.includes('json') && answer.body ? answer.json() : answer.body };
};

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

async function made(actor: Actor, name = 'Passport') {
  return (await send(actor, 'POST', '/documents/', { name })).body;
}

const six = ['id', 'tenant_id', 'created_by', 'updated_by', 'created_at', 'updated_at'];

describe('D: "six audit fields lead every object, in this order"', () => {
  test('of a category, with `updated_by: ""`, `parent: null`, as the documented pair', async () => {
    const actor = world().actor('admin');
    const { status, body } = await send(actor, 'POST', '/categories/', { name: 'KYC', description: 'All KYC Documents', parent: '' });
    expect(status).toBe(201);
    expect(Object.keys(body)).toEqual([...six, 'name', 'description', 'parent']);
    expect(body).toMatchObject({ tenant_id: actor.tenantId, created_by: actor.userId, updated_by: '', parent: null });
    expect(body.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    const changed = await send(actor, 'PATCH', `/categories/${body.id}/`, {});
    expect(changed).toMatchObject({ status: 200, body: { updated_by: actor.userId, name: 'KYC' } });
  });

  test('of a storage', async () => {
    const { body } = await send(world().actor('admin'), 'GET', '/storages/');
    expect(Object.keys(body.results[0])).toEqual([...six, 'name', 'provider', 'bucket', 'config', 'credentials', 'managed']);
    expect(body.results[0].provider).toBe('local_fs');
  });

  test('of a document', async () => {
    const body = await made(world().actor('admin'));
    expect(Object.keys(body)).toEqual(
      [...six, 'name', 'description', 'category', 'storage', 'tags', 'metadata', 'status'].concat([
        'rejection_reason',
        'reviewed_by',
        'reviewed_at',
        'files',
      ]),
    );
  });
});

describe('D: "exactly these nine, all strings"', () => {
  test('a share', async () => {
    const actor = world().actor('admin');
    const document = await made(actor);
    const { status, body } = await send(actor, 'POST', `/documents/${document.id}/shares/`, { expires_at: inDays(2) });
    expect(status).toBe(201);
    expect(Object.keys(body)).toEqual([...six, 'expires_at', 'token', 'document']);
    expect(Object.values(body).every((value) => typeof value === 'string')).toBe(true);
    const policy = await send(actor, 'GET', `/documents/${document.id}/shares/${body.id}/?expand=policy`);
    expect(policy.body).toMatchObject({ allow_download: true, max_downloads: null, has_password: false });
  });
});

describe('R: "answered like the path with it (no redirect)"', () => {
  test.each(['/categories', '/categories/'])('%s', async (path) => {
    expect((await send(world().actor('admin'), 'POST', path, { name: 'A' })).status).toBe(201);
  });
});

describe('D: pagination', () => {
  test('the envelope has its eight fields, pages are numbers, a page past the end is 404 "Invalid page."', async () => {
    const actor = world().actor('admin');
    for (const name of ['a', 'b', 'c']) await made(actor, name);
    const { body } = await send(actor, 'GET', '/documents/?page=2&page_size=1&ordering=name&unknown=ignored');
    expect(body).toMatchObject({
      count: 3,
      total_pages: 3,
      current_page: 2,
      has_previous: true,
      has_next: true,
      previous_page: 1,
      next_page: 3,
    });
    expect(body.results.map((row: { name: string }) => row.name)).toEqual(['b']);
    expect(await send(actor, 'GET', '/documents/?page=9')).toMatchObject({ status: 404, body: { detail: 'Invalid page.' } });
    expect((await send(world().actor('admin'), 'GET', '/documents/')).body).toMatchObject({ count: 0, total_pages: 1, results: [] });
  });

  test.each([
    ['page=x', 'page'],
    ['page_size=101', 'page_size'],
    ['ordering=nothing', 'ordering'],
    ['created_at_after=yesterday', 'created_at_after'],
    ['status=unknown', 'status'],
    ['category=%20', 'category'],
    ['search=%00', 'search'],
    ['created_by=me', 'created_by'],
  ])('a bad value is 400 on that field: %s', async (query, field) => {
    const { status, body } = await send(world().actor('admin'), 'GET', `/documents/?${query}`);
    expect({ status, fields: Object.keys(body) }).toEqual({ status: 400, fields: [field] });
  });

  test('filters: tags (all of them), status, dates, category with descendants, expand', async () => {
    const actor = world().actor('admin');
    const parent = (await send(actor, 'POST', '/categories/', { name: 'P' })).body;
    const child = (await send(actor, 'POST', '/categories/', { name: 'C', parent: parent.id })).body;
    await send(actor, 'POST', '/documents/', { name: 'x', category: child.id, tags: ['kyc', 'eu'] });
    await send(actor, 'POST', '/documents/', { name: 'y', tags: ['kyc'] });
    const names = async (query: string) =>
      (await send(actor, 'GET', `/documents/?ordering=name&${query}`)).body.results.map((row: { name: string }) => row.name);
    expect(await names('tags=kyc,eu')).toEqual(['x']);
    expect(await names('status=pending')).toEqual(['x', 'y']);
    expect(await names(`category=${parent.id}`)).toEqual([]);
    expect(await names(`category=${parent.id}&include_descendants=true`)).toEqual(['x']);
    expect(await names(`created_at_before=${new Date().toISOString().slice(0, 10)}`)).toEqual(['x', 'y']);
    expect(await names('created_at_after=2999-01-01')).toEqual([]);
    const [found] = (await send(actor, 'GET', '/documents/?search=x&expand=category,storage')).body.results;
    expect(found).toMatchObject({ category: { name: 'C' }, storage: { provider: 'local_fs' } });
    expect((await send(actor, 'GET', '/categories/?parent=')).body.results).toMatchObject([{ name: 'P' }]);
    expect((await send(actor, 'GET', '/documents/tags/')).body).toEqual(['eu', 'kyc']);
    expect((await send(actor, 'GET', '/documents/tags/?counts=true')).body).toEqual([
      { tag: 'eu', count: 1 },
      { tag: 'kyc', count: 2 },
    ]);
  });
});

describe('R: errors', () => {
  test('400 by field, 400 non_field_errors, 400 malformed JSON', async () => {
    const actor = world().actor('admin');
    expect(await send(actor, 'POST', '/categories/', { parent: 'no' })).toMatchObject({
      status: 400,
      body: { name: [expect.any(String)], parent: ['is not an id'] },
    });
    const json = { 'content-type': 'application/json' };
    expect((await send(actor, 'POST', '/categories/', '[]', json)).body).toEqual({ non_field_errors: ['must be an object'] });
    for (const payload of ['{"name":', '{"name":"a","name":"b"}', Buffer.from([0x22, 0xff, 0x22])]) {
      const { status, body } = await send(actor, 'POST', '/categories/', payload, json);
      expect({ status, detail: body.detail }).toEqual({ status: 400, detail: expect.stringMatching(/^JSON parse error - /) });
    }
  });

  test.each<[string, object, object]>([
    ['what is left out', {}, { name: ['is required'] }],
    ['null for text', { name: null }, { name: ['must be a string'] }],
    ['a number for text', { name: 5 }, { name: ['must be a string'] }],
    ['text for a list', { name: 'D', tags: 'kyc' }, { tags: ['must be a list'] }],
    ['a number in a list', { name: 'D', tags: ['kyc', 5] }, { tags: ['must be a string'] }],
  ])('%s is told in plain words', async (_, body, errors) => {
    expect(await send(world().actor('admin'), 'POST', '/documents/', body)).toMatchObject({
      status: 400,
      body: errors,
    });
  });

  test('401 without and with a bad token, with WWW-Authenticate', async () => {
    const none = await send(null, 'GET', '/categories/');
    expect(none).toMatchObject({ status: 401, body: { detail: 'Authentication credentials were not provided.' } });
    expect(none.headers['www-authenticate']).toBe('Bearer');
    expect(await send(null, 'POST', '/categories/', '{', { authorization: 'Bearer x' })).toMatchObject({
      status: 401,
      body: { detail: 'Given token not valid for any token type', code: 'token_not_valid' },
    });
  });

  test('403 and 404 with their fixed bodies', async () => {
    const actor = world().actor(['documents:read']);
    expect(await send(actor, 'POST', '/documents/', { name: 'a' })).toMatchObject({
      status: 403,
      body: { detail: 'You do not have permission to perform this action.' },
    });
    for (const id of ['01ARZ3NDEKTSV4RRFFQ69G5FAV', 'nonsense', '..%2f..%2fetc', '%00']) {
      expect(await send(actor, 'GET', `/documents/${id}/`)).toMatchObject({ status: 404, body: { detail: 'Not found.' } });
    }
    expect(await send(null, 'GET', '/nowhere/')).toMatchObject({ status: 404, body: { detail: 'Not found.' } });
  });

  test("404 for another tenant's object, the same body as for an id that does not exist", async () => {
    const document = await made(world().actor('admin'));
    const other = world().actor('admin');
    for (const [method, path] of [
      ['GET', ''],
      ['PATCH', ''],
      ['DELETE', ''],
      ['PUT', 'approve/'],
      ['GET', 'shares/'],
    ] as const) {
      const theirs = await send(other, method, `/documents/${document.id}/${path}`, method === 'GET' ? undefined : {});
      const missing = await send(other, method, `/documents/01ARZ3NDEKTSV4RRFFQ69G5FAV/${path}`, method === 'GET' ? undefined : {});
      expect(theirs.status).toBe(404);
      expect(theirs.body).toEqual(missing.body);
    }
  });

  test('405 with Allow, OPTIONS, HEAD; 415; 413', async () => {
    const actor = world().actor('admin');
    const refused = await send(actor, 'DELETE', '/categories/01ARZ3NDEKTSV4RRFFQ69G5FAV/');
    expect(refused).toMatchObject({ status: 405, body: { detail: 'Method "DELETE" not allowed.' } });
    expect(refused.headers.allow).toBe('GET, HEAD, PATCH, OPTIONS');
    expect(await send(actor, 'OPTIONS', '/categories/')).toMatchObject({ status: 204, headers: { allow: 'POST, GET, HEAD, OPTIONS' } });
    expect(await send(actor, 'HEAD', '/categories/')).toMatchObject({ status: 200, body: '' });
    expect(await send(actor, 'POST', '/categories/', 'a=b', { 'content-type': 'text/plain' })).toMatchObject({
      status: 415,
      body: { detail: 'Unsupported media type "text/plain" in request.' },
    });
    expect((await send(actor, 'POST', '/categories/', { name: 'x'.repeat(1_100_000) })).status).toBe(413);
  });

  test('409 and 410 with their codes', async () => {
    const actor = world().actor('admin');
    const document = await made(actor);
    expect((await send(actor, 'PUT', `/documents/${document.id}/approve/`)).body).toMatchObject({
      status: 'approved',
      reviewed_by: actor.userId,
    });
    expect(await send(actor, 'PUT', `/documents/${document.id}/approve/`)).toMatchObject({ status: 409, body: { code: 'conflict' } });
    const share = (await send(actor, 'POST', `/documents/${document.id}/shares/`, { expires_at: inDays(1) })).body;
    expect(await send(null, 'GET', `/documents/preview/${share.token}/`)).toMatchObject({
      status: 200,
      body: { document: { name: 'Passport', status: 'approved' }, files: [], allow_download: true },
    });
    expect((await send(null, 'GET', `/documents/preview/?token=${share.token}`)).status).toBe(200);
    expect((await send(actor, 'DELETE', `/documents/${document.id}/shares/${share.id}/`)).status).toBe(204);
    expect((await send(actor, 'GET', `/documents/${document.id}/shares/${share.id}/`)).status).toBe(404);
    expect(await send(null, 'GET', `/documents/preview/${share.token}/`)).toMatchObject({ status: 410, body: { code: 'gone' } });
    expect((await send(null, 'GET', `/documents/preview/${randomUUID()}/`)).status).toBe(404);
  });

  test('401 with code password_required', async () => {
    const actor = world().actor('admin');
    const document = await made(actor);
    const share = (await send(actor, 'POST', `/documents/${document.id}/shares/`, { expires_at: inDays(1), password: 'päss wörd' })).body;
    const url = `/documents/preview/${share.token}/`;
    expect(await send(null, 'GET', url)).toMatchObject({ status: 401, body: { code: 'password_required' } });
  });

  test('problem+json on request, by RFC 9457', async () => {
    const answer = await world().inject(world().actor('admin'), {
      method: 'POST',
      url: '/categories/',
      payload: {},
      headers: { accept: 'application/problem+json' },
    });
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json()).toMatchObject({ status: 400, code: 'VALIDATION_FAILED', errors: { name: [expect.any(String)] } });
  });
});

describe('R: "single objects carry ETag, and PATCH/PUT/DELETE honour If-Match (412)"', () => {
  test('a new object has the ETag that reading it has, and it is good for the first change', async () => {
    const actor = world().actor('admin');
    const document = await send(actor, 'POST', '/documents/', { name: 'Passport' });
    const shares = `/documents/${document.body.id}/shares/`;
    const storage = { name: 'S', provider: 'local_fs', bucket: 'etag-files', credentials: {} };
    const made = [
      ['/documents/', document],
      ['/categories/', await send(actor, 'POST', '/categories/', { name: 'KYC' })],
      ['/storages/', await send(actor, 'POST', '/storages/', storage)],
      [shares, await send(actor, 'POST', shares, { expires_at: inDays(1) })],
    ] as const;
    for (const [list, { status, body, headers }] of made) {
      expect({ list, status }).toEqual({ list, status: 201 });
      const url = `${list}${body.id}/`;
      expect((await send(actor, 'GET', url)).headers.etag, list).toBe(headers.etag);
      const ifMatch = { 'if-match': headers.etag };
      const change = list === shares ? { label: 'b' } : { name: 'b' };
      expect([
        (await send(actor, 'PATCH', url, change, ifMatch)).status,
        (await send(actor, 'PATCH', url, change, ifMatch)).status,
      ]).toEqual([200, 412]);
    }
  });

  test('a change of what has changed meanwhile is refused, and nothing happens', async () => {
    const actor = world().actor('admin');
    const { id } = await made(actor);
    const url = `/documents/${id}/`;
    const { etag } = (await send(actor, 'GET', url)).headers;
    expect((await send(actor, 'GET', url, undefined, { 'if-none-match': etag })).status).toBe(304);
    expect((await send(actor, 'PATCH', url, { name: 'b' }, { 'if-match': etag })).body.name).toBe('b');
    for (const [method, path, payload] of [
      ['PATCH', url, { name: 'c' }],
      ['PUT', `${url}approve/`, {}],
      ['DELETE', url, undefined],
    ] as const) {
      expect((await send(actor, method, path, payload, { 'if-match': etag })).status).toBe(412);
    }
    expect((await send(actor, 'PATCH', url, { name: 'c' }, { 'if-match': 'W/"x"' })).status).toBe(412);
    expect((await send(actor, 'GET', url)).body).toMatchObject({ name: 'b', status: 'pending' });
  });
});

describe('storages', () => {
  test('provider, bucket and managed are fixed at creation (400 if changed); test-credential under both spellings; no DELETE', async () => {
    const actor = world().actor('admin');
    const { body, status } = await send(actor, 'POST', '/storages/', {
      name: 'S',
      provider: 'local_fs',
      bucket: 'kyc-files',
      credentials: {},
    });
    expect(status).toBe(201);
    expect(await send(actor, 'PATCH', `/storages/${body.id}/`, { bucket: 'other' })).toMatchObject({
      status: 400,
      body: { bucket: [expect.any(String)] },
    });
    for (const spelling of ['test-credential', 'test_credential']) {
      const tested = await send(actor, 'GET', `/storages/${body.id}/${spelling}/`);
      expect(tested).toMatchObject({ status: 200, body: { success: true } });
      expect(tested.body.checks[0]).toMatchObject({ name: expect.any(String), ok: true, latency_ms: expect.any(Number) });
    }
    expect((await send(actor, 'DELETE', `/storages/${body.id}/`)).status).toBe(405);
  });
});

describe('OpenAPI', () => {
  test('names every operation once, with its answers', async () => {
    const { body } = await send(null, 'GET', '/openapi.json');
    const operations = Object.values(body.paths as Record<string, Record<string, { operationId: string }>>).flatMap((path) =>
      Object.values(path),
    );
    const ids = operations.map(({ operationId }) => operationId);
    expect(body.openapi).toBe('3.1.0');
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('shareDocument');
    expect((await send(null, 'GET', '/docs/')).status).toBe(200);
  });
});
