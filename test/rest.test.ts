import { describe, expect, test } from 'vitest';
import { inDays, six } from './rest.caller.js';
import { useRest } from './rest.world.js';

const { world, send, made } = useRest();

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
