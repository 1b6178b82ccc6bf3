import { describe, expect, test } from 'vitest';
import { kyc, ulid, useContract, uuid } from './contract.world.js';
import { multipart } from './multipart.js';
import { inDays, six } from './rest.caller.js';

const { world, call, created, admin } = useContract();

describe('conventions', () => {
  test('"at the root, no version prefix; plural; trailing slash; ids in the path are ULIDs"', async () => {
    for (const { url, body } of await created()) {
      expect(body.id).toMatch(ulid);
      expect(await call('GET', url)).toMatchObject({ status: 200, body });
    }
    expect((await call('GET', '/v1/documents/')).status).toBe(404);
    expect((await call('GET', '/document/')).status).toBe(404);
  });

  test('"Authorization: Bearer <token> on every endpoint but the preview of a share"', async () => {
    const { paths } = (await call('GET', '/openapi.json')).body as { paths: Record<string, object> };
    const open: string[] = [];
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        const url = path.replaceAll(/\{\w+\}/g, '01ARZ3NDEKTSV4RRFFQ69G5FAV');
        const { status } = await call(method.toUpperCase() as 'GET', url, undefined, null);
        if (status !== 401) open.push(`${method} ${path}`);
      }
    }
    expect(open).toEqual(['get /documents/preview/{token}/', 'get /documents/preview/']);
  });

  test('"application/json, snake_case names; uploads multipart/form-data"', async () => {
    const all = await created();
    const names = all.flatMap(({ body }) => Object.keys(body));
    expect(names.filter((name) => !/^[a-z]+(_[a-z]+)*$/.test(name))).toEqual([]);
    const document = all.find(({ url }) => /^\/documents\/\w+\/$/.test(url));
    const { headers, payload } = multipart([{ field: 'files', name: 'a.txt', body: 'a' }]);
    const uploaded = await world().inject(admin(), { method: 'POST', url: `${document?.url}files/`, headers, payload });
    expect({ status: uploaded.statusCode, type: uploaded.headers['content-type'] }).toEqual({
      status: 201,
      type: expect.stringMatching(/^application\/json/),
    });
  });

  test('ids: "26-char ULID; must match ^[a-zA-Z0-9._-]{8,40}$"', async () => {
    for (const { body } of await created()) expect(body.id).toMatch(/^[a-zA-Z0-9._-]{8,40}$/);
  });

  test('"tenant_id, created_by: UUID strings", "updated_by: "" until the first update, then a UUID"', async () => {
    for (const { url, body } of await created()) {
      expect(body).toMatchObject({ tenant_id: admin().tenantId, created_by: admin().userId, updated_by: '' });
      expect([body.tenant_id, body.created_by]).toEqual([expect.stringMatching(uuid), expect.stringMatching(uuid)]);
      const editor = world().actor('admin', admin().tenantId);
      const change = url.includes('shares') ? { expires_at: inDays(1) } : { name: 'Renamed' };
      expect((await call('PATCH', url, change, editor)).body).toMatchObject({ created_by: admin().userId, updated_by: editor.userId });
    }
  });

  test('timestamps out: "UTC, exactly six fractional digits: 2025-03-26T14:20:38.277978Z"', async () => {
    const six = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
    expect('2025-03-26T14:20:38.277978Z').toMatch(six);
    for (const { body } of await created()) {
      for (const [name, value] of Object.entries(body).filter(([name, value]) => name.endsWith('_at') && value !== null)) {
        expect(value, name).toMatch(six);
      }
    }
  });

  test.each(['2025-08-01T05:38:35+00:00', '2025-08-01T05:38:35Z', '2025-08-01T11:08:35+05:30'])(
    'timestamps in: "ISO 8601 with offset or Z; 2025-08-01T05:38:35+00:00 is the documented example": %s',
    async (expires_at) => {
      const { id } = (await call('POST', '/documents/', { name: 'Passport' })).body;
      const url = `/documents/${id}/shares/`;
      // The documented moment has passed: it is understood, and refused for that alone.
      expect((await call('POST', url, { expires_at })).body).toEqual({ expires_at: [expect.stringMatching(/future/)] });
      expect((await call('GET', `${url}?expires_at=${encodeURIComponent(expires_at)}`)).body.count).toBe(0);
      const next = expires_at.replace('2025', String(new Date().getUTCFullYear() + 1)).replace('-08-', '-01-');
      const share = await call('POST', url, { expires_at: next });
      expect(share).toMatchObject({ status: 201, body: { expires_at: expect.stringMatching(/-01-01T05:38:35\.000000Z$/) } });
    },
  );

  test('"six audit fields lead every object, in this order"', async () => {
    for (const { body } of await created()) expect(Object.keys(body).slice(0, 6)).toEqual(six);
  });

  test('"the bare name holds the id: document, parent, category, storage"; `""` "in a request means none and comes back as null"', async () => {
    const category = (await call('POST', '/categories/', kyc)).body;
    expect(category.parent).toBeNull();
    expect((await call('POST', '/categories/', { name: 'Child', parent: category.id })).body.parent).toBe(category.id);
    const filed = (await call('POST', '/documents/', { name: 'Passport', category: category.id })).body;
    expect(filed).toMatchObject({ category: category.id, storage: expect.stringMatching(ulid) });
    expect((await call('PATCH', `/documents/${filed.id}/`, { category: '' })).body.category).toBeNull();
    const share = (await call('POST', `/documents/${filed.id}/shares/`, { expires_at: inDays(1) })).body;
    expect(share.document).toBe(filed.id);
  });

  test('"POST that creates 201, GET/PATCH/PUT 200, DELETE 204 with an empty body"', async () => {
    const { body, status } = await call('POST', '/documents/', { name: 'Passport' });
    const url = `/documents/${body.id}/`;
    const answers = [await call('GET', url), await call('PATCH', url, {}), await call('PUT', `${url}approve/`)];
    const deleted = await call('DELETE', url);
    expect([status, ...answers.map(({ status }) => status), deleted.status, deleted.body]).toEqual([201, 200, 200, 200, 204, '']);
  });
});

describe('every list', () => {
  const lists = async () => {
    const all = await created();
    return all.map(({ url }) => url.replace(/[^/]+\/$/, ''));
  };

  test('"{count, total_pages, current_page, has_previous, has_next, previous_page, next_page, results}"', async () => {
    for (const list of await lists()) {
      const { body } = await call('GET', list);
      expect(Object.keys(body), list).toEqual([
        'count',
        'total_pages',
        'current_page',
        'has_previous',
        'has_next',
        'previous_page',
        'next_page',
        'results',
      ]);
      expect(body, list).toMatchObject({ total_pages: 1, current_page: 1, has_previous: false, has_next: false });
      expect(body.results).toHaveLength(body.count);
    }
  });

  test('"page_size"', async () => {
    for (const list of await lists()) expect((await call('GET', `${list}?page_size=1`)).body.results, list).toHaveLength(1);
  });

  test('"search, created_at_after, created_at_before, ordering, expand"', async () => {
    for (const list of await lists()) {
      const count = async (query: string) => (await call('GET', `${list}?${query}`)).body.count;
      const all = await count('');
      expect(await count('created_at_after=2025-03-16&created_at_before=2999-01-01&ordering=-created_at&expand=category'), list).toBe(all);
      expect(await count('created_at_after=2999-01-01'), list).toBe(0);
      expect(await count('created_at_before=2025-03-16T00:00:00Z'), list).toBe(0);
      if (!list.endsWith('shares/')) expect(await count('search=no+such+name'), list).toBe(0);
    }
  });
});

describe('category', () => {
  test('the documented pair: request {"name":"KYC","description":"All KYC Documents","parent":""} → updated_by: "", parent: null', async () => {
    const { status, body } = await call('POST', '/categories/', { name: 'KYC', description: 'All KYC Documents', parent: '' });
    expect(status).toBe(201);
    expect(Object.keys(body)).toEqual([...six, 'name', 'description', 'parent']);
    expect(body).toMatchObject({ name: 'KYC', description: 'All KYC Documents', updated_by: '', parent: null });
  });

  test('"name required ≤ 100; description optional ≤ 255; parent id or null"', async () => {
    expect((await call('POST', '/categories/', { description: '' })).body).toEqual({ name: [expect.any(String)] });
    const wrong = { name: 'n'.repeat(101), description: 'd'.repeat(256), parent: 'no' };
    expect(Object.keys((await call('POST', '/categories/', wrong)).body).sort()).toEqual(['description', 'name', 'parent']);
    expect((await call('POST', '/categories/', { name: 'KYC', parent: null })).body).toMatchObject({ description: '', parent: null });
  });

  test('"PATCH /categories/{category_id}/ → 200", "GET /categories/" by parent, "GET /categories/{category_id}/ → 200"', async () => {
    const root = (await call('POST', '/categories/', kyc)).body;
    const child = (await call('POST', '/categories/', { ...kyc, parent: root.id })).body;
    const changed = await call('PATCH', `/categories/${child.id}/`, { name: 'PAN' });
    expect(changed).toMatchObject({ status: 200, body: { name: 'PAN', description: kyc.description, parent: root.id } });
    expect(await call('GET', `/categories/${child.id}/`)).toMatchObject({ status: 200, body: changed.body });
    expect((await call('GET', `/categories/?parent=${root.id}`)).body.results).toEqual([changed.body]);
    expect((await call('GET', '/categories/?parent=')).body.results).toEqual([root]);
  });
});

describe('the documented operations', () => {
  test('methods, titles and paths', async () => {
    const { paths } = (await call('GET', '/openapi.json')).body as { paths: Record<string, Record<string, { summary: string }>> };
    const titles = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { summary }]) => `${summary}: ${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`),
    );
    expect(titles).toEqual(
      expect.arrayContaining([
        'Create Storage: POST /storages/',
        'Update Storage: PATCH /storages/{}/',
        'List Storage: GET /storages/',
        'Get Storage: GET /storages/{}/',
        'Test Credential: GET /storages/{}/test-credential/',
        'Create Category: POST /categories/',
        'Update Category: PATCH /categories/{}/',
        'List Category: GET /categories/',
        'Get Category: GET /categories/{}/',
        'Create Document: POST /documents/',
        'Update Document: PATCH /documents/{}/',
        'List Document: GET /documents/',
        'Delete Document: DELETE /documents/{}/',
        'Get Document: GET /documents/{}/',
        'Upload Files: POST /documents/{}/files/',
        'Download Files: GET /documents/{}/files/',
        'Delete File: DELETE /documents/{}/files/{}/',
        'Get all tags: GET /documents/tags/',
        'Inactive Document: PUT /documents/{}/inactive/',
        'Reject Document: PUT /documents/{}/reject/',
        'Approve Document: PUT /documents/{}/approve/',
        'Share Document: POST /documents/{}/shares/',
        'List Shared Documents: GET /documents/{}/shares/',
        'Get Shared Document: GET /documents/{}/shares/{}/',
        'Update Shared Document: PATCH /documents/{}/shares/{}/',
        'Delete Document Share: DELETE /documents/{}/shares/{}/',
        'Preview Shared Document: GET /documents/preview/{}/',
      ]),
    );
  });
});

describe('share', () => {
  async function shared(expires_at = inDays(1)) {
    const { id } = (await call('POST', '/documents/', { name: 'Passport' })).body;
    const url = `/documents/${id}/shares/`;
    return { url, ...(await call('POST', url, { expires_at })) };
  }

  test('"{…six, expires_at, token, document}, exactly these nine, all strings", token: "a UUID v4"', async () => {
    const { status, body } = await shared();
    expect(status).toBe(201);
    expect(Object.keys(body)).toEqual([...six, 'expires_at', 'token', 'document']);
    expect(Object.values(body).filter((value) => typeof value !== 'string')).toEqual([]);
    expect(body.token).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('"expires_at required, ISO"', async () => {
    const { url } = await shared();
    for (const payload of [{}, { expires_at: null }, { expires_at: 'tomorrow' }, { expires_at: '2999-01-01' }]) {
      expect(await call('POST', url, payload)).toMatchObject({ status: 400, body: { expires_at: [expect.any(String)] } });
    }
  });

  test('List Shared Documents: "expires_at, expires_at_gte, expires_at_lte → 200 page"', async () => {
    const { url, body } = await shared();
    const count = async (query: string) => (await call('GET', `${url}?${query}`)).body.count;
    const [end, past, future] = [body.expires_at, '2025-08-01T05:38:35%2B00:00', '2999-08-01T05:38:35%2B00:00'];
    expect([await count(`expires_at=${end}`), await count(`expires_at=${past}`)]).toEqual([1, 0]);
    expect([await count(`expires_at_gte=${end}`), await count(`expires_at_gte=${future}`)]).toEqual([1, 0]);
    expect([await count(`expires_at_lte=${end}`), await count(`expires_at_lte=${past}`)]).toEqual([1, 0]);
  });
});
