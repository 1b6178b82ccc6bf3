import { generateKeyPairSync } from 'node:crypto';
import type { InjectOptions } from 'fastify';
import { beforeEach, describe, expect, test } from 'vitest';
import { multipart } from './multipart.js';
import { restCaller } from './rest.caller.js';
import { type Actor, useWorld } from './world.js';

/** What the documentation of the legacy API says, line by line: each title quotes it, each request is the documented one. */
const world = useWorld();
const six = ['id', 'tenant_id', 'created_by', 'updated_by', 'created_at', 'updated_at'];
const ulid = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let admin: Actor;
beforeEach(() => {
  admin = world().actor('admin');
});

const call = (method: NonNullable<InjectOptions['method']>, url: string, payload?: object, who: Actor | null = admin) =>
  restCaller(world(), who)(method, url, payload);

const soon = () => new Date(Date.now() + 86_400_000).toISOString();
const s3 = {
  name: 'KYC files',
  provider: 'aws_s3',
  bucket: 'kyc-files',
  credentials: { region: 'ap-south-1', aws_access_key_id: 'AKIAIOSFODNN7EXAMPLE', aws_secret_access_key: 'wJalrXUtnFEMI/K7MDENG' },
};
const rsaKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
/** The documented keys, each with a value. */
const config = {
  Tags: [{ Key: 'team', Value: 'lending' }],
  CORSConfiguration: { CORSRules: [{ AllowedMethods: ['GET'], AllowedOrigins: ['*'] }] },
  LoggingConfiguration: { LogFilePrefix: 'log/', DestinationBucketName: 'kyc-logs' },
  LifecycleConfiguration: { Rules: [{ ID: 'old', Prefix: 'tmp/', Status: 'Enabled', Expiration: { Days: 30 } }] },
  ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled' },
  VersioningConfiguration: { Status: 'Enabled' },
  PublicAccessBlockConfiguration: {
    BlockPublicAcls: true,
    IgnorePublicAcls: true,
    BlockPublicPolicy: true,
    RestrictPublicBuckets: true,
  },
  ServerSideEncryptionConfiguration: { Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }] },
};
const kyc = { name: 'KYC', description: 'All KYC Documents', parent: '' };

/** One object of each kind, as POST answered it, and where it is. */
async function created(): Promise<{ url: string; body: Record<string, unknown> }[]> {
  const document = (await call('POST', '/documents/', { name: 'Passport' })).body;
  const shares = `/documents/${document.id}/shares/`;
  const made = [
    ['/storages/', (await call('POST', '/storages/', s3)).body],
    ['/categories/', (await call('POST', '/categories/', kyc)).body],
    ['/documents/', document],
    [shares, (await call('POST', shares, { expires_at: soon() })).body],
  ] as const;
  return made.map(([list, body]) => ({ url: `${list}${body.id}/`, body }));
}

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
    const uploaded = await world().inject(admin, { method: 'POST', url: `${document?.url}files/`, headers, payload });
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
      expect(body).toMatchObject({ tenant_id: admin.tenantId, created_by: admin.userId, updated_by: '' });
      expect([body.tenant_id, body.created_by]).toEqual([expect.stringMatching(uuid), expect.stringMatching(uuid)]);
      const editor = world().actor('admin', admin.tenantId);
      const change = url.includes('shares') ? { expires_at: soon() } : { name: 'Renamed' };
      expect((await call('PATCH', url, change, editor)).body).toMatchObject({ created_by: admin.userId, updated_by: editor.userId });
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
    const share = (await call('POST', `/documents/${filed.id}/shares/`, { expires_at: soon() })).body;
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

describe('storage', () => {
  test('"{…six, name, provider, bucket, config, credentials, managed}", with every documented key of config', async () => {
    const { status, body } = await call('POST', '/storages/', { ...s3, config });
    expect(status).toBe(201);
    expect(Object.keys(body)).toEqual([...six, 'name', 'provider', 'bucket', 'config', 'credentials', 'managed']);
    expect(body).toMatchObject({ name: s3.name, provider: 'aws_s3', bucket: 'kyc-files', config, managed: false });
    expect(body.credentials).toEqual({ ...s3.credentials, aws_access_key_id: expect.any(String), aws_secret_access_key: '********' });
  });

  test.each<[string, object, string]>([
    ['name: "required, ≤ 100"', { name: undefined }, 'name'],
    ['name: "≤ 100"', { name: 'n'.repeat(101) }, 'name'],
    ['provider: "required"', { provider: undefined }, 'provider'],
    ['provider: "aws_s3, gcp_storage, azure_blob"', { provider: 'AWS_S3' }, 'provider'],
    ['bucket: "required"', { bucket: undefined }, 'bucket'],
    ['bucket: "^[a-z0-9][a-z0-9\\-]{1,61}[a-z0-9]$"', { bucket: 'KYC_files' }, 'bucket'],
    ['config: "object"', { config: 'Tags' }, 'config'],
    ['credentials: "object, required"', { credentials: undefined }, 'credentials'],
    ['credentials: "S3: region, aws_access_key_id, aws_secret_access_key"', { credentials: { region: 'ap-south-1' } }, 'credentials'],
    ['managed: "boolean"', { managed: 'yes' }, 'managed'],
  ])('refused on its field: %s', async (_, change, field) => {
    const { status, body } = await call('POST', '/storages/', { ...s3, ...change });
    expect({ status, fields: Object.keys(body) }).toEqual({ status: 400, fields: [field] });
  });

  test.each([
    ['azure_blob', { account_name: 'kyc', account_key: Buffer.alloc(64).toString('base64') }],
    ['gcp_storage', { project_id: 'kyc', client_email: 'docgate@kyc.iam.gserviceaccount.com', private_key: rsaKey() }],
  ])('provider: "%s"', async (provider, credentials) => {
    const { status, body } = await call('POST', '/storages/', { ...s3, provider, credentials });
    expect({ status, provider: body.provider }).toEqual({ status: 201, provider });
  });

  test('"PATCH /storages/{storage_id}/: [name], [config], [credentials] → 200", "GET /storages/", "GET /storages/{storage_id}/"', async () => {
    const { id } = (await call('POST', '/storages/', s3)).body;
    const url = `/storages/${id}/`;
    expect(await call('PATCH', url, { name: 'Renamed' })).toMatchObject({ status: 200, body: { name: 'Renamed', bucket: s3.bucket } });
    expect((await call('PATCH', url, { config })).body).toMatchObject({ name: 'Renamed', config });
    const moved = { ...s3.credentials, region: 'eu-central-1' };
    expect((await call('PATCH', url, { credentials: moved })).body.credentials.region).toBe('eu-central-1');
    const read = (await call('GET', url)).body;
    expect((await call('GET', '/storages/?provider=aws_s3')).body.results).toEqual([read]);
  });
});

describe('a change of a storage', () => {
  const made = async () => {
    const { body } = await call('POST', '/storages/', { ...s3, config });
    return { body, url: `/storages/${body.id}/` };
  };

  test('PATCH: "partial, whatever the page marks required (its own example sends {} values)"', async () => {
    const { body, url } = await made();
    expect(await call('PATCH', url, {})).toMatchObject({ status: 200, body: { name: body.name, config } });
    const { status, body: after } = await call('PATCH', url, { name: 'KYC', config: {}, credentials: {} });
    expect({ status, body: after }).toMatchObject({ status: 200, body: { name: 'KYC', config: {}, credentials: body.credentials } });
  });

  test('what is wrong in credentials is told part by part, under their name', async () => {
    const { url } = await made();
    const { status, body } = await call('PATCH', url, {
      credentials: { region: 'Nowhere!', aws_access_key_id: '********', password: 'x' },
    });
    expect({ status, body }).toEqual({
      status: 400,
      body: {
        credentials: expect.arrayContaining([
          'aws_secret_access_key: is required',
          expect.stringMatching(/^region: must be a region/),
          expect.stringMatching(/^password: is not known/),
        ]),
      },
    });
  });

  test('"each secret value is replaced by "********"", "A PATCH that sends the mask back keeps the stored secret"', async () => {
    const { body, url } = await made();
    const masked = { region: 'ap-south-1', aws_access_key_id: '********', aws_secret_access_key: '********' };
    expect(body.credentials).toEqual(masked);
    const credentials = { ...masked, region: 'eu-central-1' };
    expect((await call('PATCH', url, { credentials })).body.credentials).toEqual(credentials);
    const row = await world()
      .context(admin)
      .db.storage.findFirst({ where: { id: body.id } });
    const sealed = row?.credentials ?? new Uint8Array();
    const stored = world().gateway.services.secrets.open(sealed, { table: 'storages', tenantId: admin.tenantId, id: body.id });
    expect(JSON.parse(stored)).toEqual({ ...s3.credentials, region: 'eu-central-1' });
  });

  test.each([
    ['provider', 'local_fs'],
    ['bucket', 'other-bucket'],
    ['managed', true],
  ])('"provider, bucket, managed are fixed at creation (400 if changed)": %s', async (field, value) => {
    const { body, url } = await made();
    expect(await call('PATCH', url, { [field]: value })).toMatchObject({ status: 400, body: { [field]: [expect.any(String)] } });
    expect(await call('PATCH', url, { [field]: body[field] })).toMatchObject({ status: 200, body: { [field]: body[field] } });
  });

  test('"No DELETE (405)" of storages and categories', async () => {
    const { url } = await made();
    const { id } = (await call('POST', '/categories/', kyc)).body;
    for (const path of [url, `/categories/${id}/`]) {
      expect(await call('DELETE', path)).toMatchObject({ status: 405, body: { detail: 'Method "DELETE" not allowed.' } });
      expect((await call('GET', path)).status).toBe(200);
    }
  });

  test.each(['test-credential', 'test_credential'])(
    'GET /storages/{storage_id}/%s/: "→ 200 {"success": true, "checks": [{"name", "ok", "latency_ms"}, …]}"',
    async (spelling) => {
      const [storage] = (await call('GET', '/storages/?provider=local_fs')).body.results;
      const { status, body } = await call('GET', `/storages/${storage.id}/${spelling}/`);
      expect({ status, success: body.success }).toEqual({ status: 200, success: true });
      expect(body.checks[0]).toEqual({ name: expect.any(String), ok: true, latency_ms: expect.any(Number), detail: expect.any(String) });
    },
  );
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
  async function shared(expires_at = soon()) {
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
