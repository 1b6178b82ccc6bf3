import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../src/graphql/limits.js';
import { graphqlUpload, multipart, type Part } from './multipart.js';
import { createObjects, type Objects } from './objects.js';
import { type Place, places, requestAt } from './places.js';
import { type Actor, useWorld } from './world.js';

const MAX_FILE_SIZE = 64 * 1024;
const origin = 'https://app.example.com';
const world = useWorld({ MAX_FILE_SIZE: String(MAX_FILE_SIZE), CORS_ORIGINS: `${origin}, https://other.example.com`, LOG_LEVEL: 'info' });
let admin: Actor;
let objects: Objects;

beforeAll(async () => {
  admin = world().actor('admin');
  objects = await createObjects(() => world().context(admin));
});

const post = (payload: unknown, headers: Record<string, string> = {}, actor: Actor | null = admin) =>
  world().inject(actor, {
    method: 'POST',
    url: '/graphql',
    headers: { 'content-type': 'application/json', ...headers },
    payload: typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload),
  });

/** The code and message that an operation is refused with. */
async function refusal(payload: unknown, headers?: Record<string, string>) {
  const response = await post(payload, headers);
  const { data, errors } = response.json();
  expect(data ?? null).toBeNull();
  return { status: response.statusCode, code: errors[0].extensions.code, message: errors[0].message };
}

describe('an operation', () => {
  const repeat = (count: number, part: (index: number) => string) => Array.from({ length: count }, (_, index) => part(index)).join(' ');

  test('has a limited length, counted in tokens', async () => {
    const spread = (count: number) => `{ viewer { ${repeat(count, () => 'userId')} } }`;
    expect((await post({ query: spread(300) })).json().errors).toBeUndefined();
    expect((await refusal({ query: spread(limits.tokens) })).message).toContain('tokens');
  });

  test('has a limited number of aliases, wherever they are', async () => {
    const aliases = (count: number) => `{ ${repeat(count, (index) => `a${index}: viewer { userId }`)} }`;
    expect((await post({ query: aliases(limits.aliases) })).json().errors).toBeUndefined();
    const refused = { code: 'BAD_REQUEST', message: expect.stringContaining(`${limits.aliases} aliases`) };
    expect(await refusal({ query: aliases(limits.aliases + 1) })).toMatchObject(refused);
    const hidden = `query A { viewer { ...F } } fragment F on Viewer { ${repeat(limits.aliases + 1, (index) => `a${index}: userId`)} }`;
    expect(await refusal({ query: hidden })).toMatchObject(refused);
    const elsewhere = `query A { viewer { userId } } query B ${aliases(limits.aliases + 1)}`;
    expect(await refusal({ query: elsewhere, operationName: 'A' })).toMatchObject(refused);
  });

  test('has a limited number of directives', async () => {
    const query = `{ viewer { ${repeat(limits.directives + 1, () => 'userId @include(if: true)')} } }`;
    expect(await refusal({ query })).toMatchObject({ code: 'BAD_REQUEST', message: expect.stringContaining('directives') });
    expect((await refusal({ query: `{ viewer { userId ${repeat(60, () => '@skip(if: false)')} } }` })).message).toContain('directive');
  });

  test('has a limited depth, through fragments too', async () => {
    const parents = (depth: number): string => (depth === 0 ? 'id' : `parent { ${parents(depth - 1)} }`);
    const query = (depth: number) => `{ category(id: "${objects.category.id}") { ${parents(depth)} } }`;
    expect((await post({ query: query(10) })).json().errors).toBeUndefined();
    expect(await refusal({ query: query(limits.depth) })).toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('levels deep'),
    });
    const through = `{ category(id: "x") { ...A } } fragment A on Category { parent { parent { parent { parent { parent { ...B } } } } } }
      fragment B on Category { parent { parent { parent { parent { parent { parent { parent { parent { parent { parent { parent { id } } } } } } } } } } } }`;
    expect(await refusal({ query: through })).toMatchObject({ message: expect.stringContaining('levels deep') });
    const circle = '{ category(id: "x") { ...A } } fragment A on Category { parent { ...A } }';
    expect((await refusal({ query: circle })).message).toContain('Cannot spread fragment');
  });

  test('has a limited cost, with the sizes that its variables give', async () => {
    const nested =
      'query ($n: Int) { categories(first: $n) { nodes { documents(first: $n) { nodes { id name shares(first: $n) { nodes { id } } } } } } }';
    const refused = { code: 'BAD_REQUEST', message: expect.stringContaining('costs') };
    expect((await post({ query: nested, variables: { n: 5 } })).json().errors).toBeUndefined();
    expect(await refusal({ query: nested, variables: { n: 100 } })).toMatchObject(refused);
    expect(await refusal({ query: nested.replace('Int)', 'Int = 100)') })).toMatchObject(refused);
    expect(await refusal({ query: nested.replaceAll('$n', '100').replace('query (100: Int)', '') })).toMatchObject(refused);
    const last = nested.replaceAll('first:', 'last:');
    expect(await refusal({ query: last, variables: { n: 100 } })).toMatchObject(refused);
    const fragments = `{ categories(first: 100) { nodes { ...C } } } fragment C on Category { documents(first: 100) { nodes { ...D } } } fragment D on Document { id name status }`;
    expect(await refusal({ query: fragments })).toMatchObject(refused);
    const ids = Array.from({ length: 1000 }, () => objects.document.id);
    expect(
      (await post({ query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', variables: { ids } })).json().errors[0].extensions.code,
    ).toMatch(/BAD_REQUEST|VALIDATION_FAILED/);
  });

  test('is judged alone: of several in a document, the one that runs', async () => {
    const both = `query Cheap { viewer { userId } } query Dear { categories(first: 100) { nodes { documents(first: 100) { nodes { id name } } } } }`;
    expect((await post({ query: both, operationName: 'Cheap' })).json()).toEqual({ data: { viewer: { userId: admin.userId } } });
    expect(await refusal({ query: both, operationName: 'Dear' })).toMatchObject({ message: expect.stringContaining('costs') });
    for (const operationName of [undefined, 'None']) {
      const response = await post({ query: both, operationName });
      expect(response.statusCode).toBeLessThan(500);
      expect(response.json().errors.length).toBe(1);
    }
  });

  test('may introspect, but not without end', async () => {
    const { getIntrospectionQuery } = await import('graphql');
    expect((await post({ query: getIntrospectionQuery() })).json().errors).toBeUndefined();
    const ofType = (depth: number): string => (depth === 0 ? 'name' : `ofType { ${ofType(depth - 1)} }`);
    expect((await post({ query: `{ __schema { types { fields { type { ${ofType(9)} } } } } }` })).json().errors).toBeUndefined();
    const bomb = (depth: number): string => (depth === 0 ? 'name' : `fields { type { ${bomb(depth - 1)} } }`);
    expect((await refusal({ query: `{ __schema { types { ${bomb(6)} } } }` })).status).toBeLessThan(500);
  });
});

describe('a request', () => {
  test('of more than 1 MB is refused before it is read as GraphQL', async () => {
    const padded = (bytes: number) => JSON.stringify({ query: '{ viewer { userId } }', variables: { x: 'x'.repeat(bytes) } });
    expect((await post(padded(900 * 1024))).statusCode).toBe(200);
    expect(await refusal(padded(1024 * 1024))).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
    const operations = { field: 'operations', body: padded(1024 * 1024) };
    const { headers, payload } = multipart([operations, { field: 'map', body: '{}' }]);
    expect((await post(payload, { ...headers, 'apollo-require-preflight': '1' })).statusCode).toBe(413);
  });

  test('carries one operation: batches are refused', async () => {
    const response = await post([{ query: '{ viewer { userId } }' }, { query: '{ viewer { userId } }' }]);
    expect(response.statusCode).toBe(400);
    const { headers, payload } = multipart([
      { field: 'operations', body: JSON.stringify([{ query: '{ viewer { userId } }' }]) },
      { field: 'map', body: '{}' },
    ]);
    expect((await post(payload, { ...headers, 'apollo-require-preflight': '1' })).statusCode).toBe(400);
  });

  test('by GET only reads', async () => {
    const get = (query: string, more = '') =>
      world().inject(admin, { method: 'GET', url: `/graphql?query=${encodeURIComponent(query)}${more}` });
    expect((await get('{ viewer { userId } }')).json()).toEqual({ data: { viewer: { userId: admin.userId } } });
    const before = await categoryCount();
    expect((await get('mutation { createCategory(input: { name: "x" }) { __typename } }')).statusCode).toBe(405);
    expect(
      (await get('query A { viewer { userId } } mutation B { createCategory(input: { name: "x" }) { __typename } }', '&operationName=B'))
        .statusCode,
    ).not.toBe(200);
    expect(await categoryCount()).toBe(before);
    for (const method of ['PUT', 'DELETE', 'PATCH'] as const)
      expect((await world().inject(admin, { method, url: '/graphql' })).statusCode).toBeGreaterThanOrEqual(404);
  });

  const categoryCount = async () => (await world().graphql(admin, '{ categories { totalCount } }')).data.categories.totalCount;

  test('without a preflight is not executed: neither a form nor plain text', async () => {
    const before = await categoryCount();
    const query = 'mutation { createCategory(input: { name: "forged" }) { __typename } }';
    const form = multipart([
      { field: 'operations', body: JSON.stringify({ query }) },
      { field: 'map', body: '{}' },
    ]);
    const answer = await post(form.payload, form.headers);
    expect([answer.statusCode, answer.json().errors[0].extensions.code]).toEqual([403, 'CSRF_HEADER_MISSING']);
    const spelled = await post(form.payload, {
      'content-type': form.headers['content-type']?.replace('multipart/form-data', 'Multipart/Form-Data ') ?? '',
    });
    expect(spelled.statusCode).toBeGreaterThanOrEqual(400);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'text/plain; application/json']) {
      const body = type.startsWith('application') ? `query=${encodeURIComponent(query)}` : JSON.stringify({ query });
      expect((await post(body, { 'content-type': type })).statusCode).toBeGreaterThanOrEqual(400);
    }
    expect(await categoryCount()).toBe(before);
  });

  test('from another origin is for those on the list', async () => {
    const preflight = (from: string) =>
      world().inject(null, {
        method: 'OPTIONS',
        url: '/graphql',
        headers: { origin: from, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' },
      });
    expect((await preflight(origin)).headers).toMatchObject({
      'access-control-allow-origin': origin,
      vary: expect.stringMatching(/origin/i),
    });
    for (const stranger of ['https://evil.example', 'https://app.example.com.evil.example', 'http://app.example.com', 'null']) {
      expect((await preflight(stranger)).headers['access-control-allow-origin']).toBeUndefined();
      const answered = await post({ query: '{ viewer { userId } }' }, { origin: stranger });
      expect(answered.headers['access-control-allow-origin']).toBeUndefined();
    }
    expect((await preflight(origin)).headers['access-control-allow-credentials']).toBeUndefined();
  });

  test('is in UTF-8', async () => {
    const body = JSON.stringify({ query: '{ viewer { userId } }' });
    for (const charset of ['utf-8', 'UTF-8', '"utf-8"'])
      expect((await post(body, { 'content-type': `application/json; charset=${charset}` })).statusCode).toBe(200);
    for (const charset of ['utf-16', 'iso-8859-1', 'utf-7']) {
      expect(await refusal(body, { 'content-type': `application/json; charset=${charset}` })).toMatchObject({
        status: 415,
        code: 'UNSUPPORTED_MEDIA_TYPE',
      });
    }
    // Bytes that are no UTF-8 are not replaced silently: a name would be stored that nobody sent.
    const broken = Buffer.from(
      JSON.stringify({ query: 'mutation { createCategory(input: { name: "x#" }) { __typename } }' }).replace('#', '\xff'),
      'latin1',
    );
    expect((await post(broken)).statusCode).toBe(400);
  });

  test.each([
    ['not JSON', '{'],
    ['half of it', '{"query":"{ viewer { userId } }"'],
    ['empty', ''],
    ['null', 'null'],
    ['a number', '1'],
    ['a string', '"{ viewer { userId } }"'],
    ['without a query', '{}'],
    ['a query that is no text', '{"query":{"a":1}}'],
    ['variables that are no object', '{"query":"{ viewer { userId } }","variables":"x"}'],
    ['variables that are a list', '{"query":"{ viewer { userId } }","variables":[1]}'],
    ['an operation name that is no text', '{"query":"{ viewer { userId } }","operationName":{"a":1}}'],
    ['extensions that are no object', '{"query":"{ viewer { userId } }","extensions":"x"}'],
    ['nested without end', '['.repeat(100_000)],
    ['a prototype', '{"__proto__":{"query":"{ viewer { userId } }"}}'],
  ])('%s is told to be wrong', async (_, body) => {
    const response = await post(body);
    expect([200, 400]).toContain(response.statusCode);
    expect(response.json().data ?? null).toBeNull();
    expect(response.json().errors[0]).toMatchObject({ message: expect.any(String) });
    expect(response.body).not.toMatch(/INTERNAL|went wrong|node_modules|originalError| at \\S+:\\d/);
  });

  test('without a token, or with a bad one, is told so in the shape of GraphQL', async () => {
    const query = '{ documents { nodes { id } } }';
    const outsider = await post({ query }, {}, null);
    expect([outsider.statusCode, outsider.json()]).toMatchObject([
      200,
      { data: null, errors: [{ path: ['documents'], extensions: { code: 'UNAUTHENTICATED' } }] },
    ]);
    for (const authorization of ['Bearer x', 'Bearer ', 'Basic eDp5', `Bearer ${'x'.repeat(10_000)}`]) {
      const answer = await post({ query }, { authorization }, null);
      expect([answer.statusCode, answer.json().errors[0].extensions.code, answer.json().data]).toEqual([401, 'UNAUTHENTICATED', undefined]);
    }
    const mutation = await post({ query: 'mutation { createCategory(input: { name: "x" }) { __typename } }' }, {}, null);
    expect(mutation.json()).toMatchObject({ data: null, errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  });
});

describe('whatever value an argument is given', () => {
  const strings = [
    '\0',
    'a\0b',
    '\ud800',
    'x\udfffy',
    'x'.repeat(100_000),
    "'; DROP TABLE documents; --",
    '%_\\',
    '\u202eabc',
    '👩‍👩‍👧‍👦',
    '\u200b',
    '../../etc/passwd',
    '__proto__',
  ];
  const values: Record<string, unknown[]> = {
    String: strings,
    ID: [...strings, '', 'x', 'a'.repeat(41), 'constructor', '..%2f', 5],
    UUID: ['', 'x', '00000000-0000-0000-0000-000000000000', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'],
    Int: [2 ** 31, 2 ** 31 - 1, -(2 ** 31), 0, -1, 1.5, 1e300, '1'],
    Boolean: ['true', 1],
    DateTime: [
      '+020000-01-01T00:00:00.000Z',
      '-000044-03-15T12:00:00.000Z',
      '0000-01-01T00:00:00.000Z',
      '9999-12-31T23:59:59.999Z',
      '+275760-09-13T00:00:00.000Z',
      '-271821-04-20T00:00:00.000Z',
      '2026-02-30T00:00:00Z',
      '2026-06-30T23:59:60Z',
      '',
      'now',
      0,
    ],
    JSON: [
      { '\0': 1 },
      { a: '\ud800' },
      { a: 1e300 },
      JSON.parse('{"n":12345678901234567890123}'),
      JSON.parse('{"__proto__":{"a":1},"constructor":{"prototype":1}}'),
      nested(40),
      nested(2000),
      'text',
      5,
      [],
      null,
    ],
    Upload: ['x', {}, null],
  };

  function nested(depth: number): object {
    return JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
  }

  test.each(places.map((place) => [place.name, place] as const))('%s never fails on our side', async (_, place) => {
    for (const value of values[place.type] ?? ['NONE', 1, {}]) {
      const response = await world().inject(admin, requestAt(place, objects, value));
      const said = `${JSON.stringify(value)?.slice(0, 80)}: ${response.statusCode} ${response.body.slice(0, 300)}`;
      expect(response.statusCode, said).toBeLessThan(500);
      expect(response.body, said).not.toMatch(/"code":"(INTERNAL|UNAVAILABLE)"/);
      if (!unstorable(place, value)) continue;
      expect(response.body, said).toMatch(
        /"code":"(VALIDATION_FAILED|NOT_FOUND|BAD_USER_INPUT)"|"data":\{"(node|storage|category|document|share|storageMove|upload)":null\}|"nodes":\[null\]/,
      );
    }
  });

  const unstorable = (place: Place, value: unknown) =>
    ['String', 'ID'].includes(place.type) && typeof value === 'string' && (value.includes('\0') || !value.isWellFormed());
});

describe('a fault', () => {
  const secret = 'postgres://admin:hunter2@db.internal/docgate';

  test('shows its request id and nothing else, and is logged once', async () => {
    const { gateway, logs } = world();
    const { open } = gateway.services.blobs;
    gateway.services.blobs.open = () => {
      throw new Error(`cannot reach ${secret}`);
    };
    logs.length = 0;
    const query = `mutation { testCredential(input: { storageId: "${objects.storage.id}" }) { __typename } }`;
    const response = await post({ query }, { 'x-request-id': 'the-request-of-a-fault' });
    gateway.services.blobs.open = open;
    expect(response.json()).toMatchObject({
      data: null,
      errors: [{ path: ['testCredential'], extensions: { code: 'INTERNAL', requestId: 'the-request-of-a-fault' } }],
    });
    expect(response.headers['x-request-id']).toBe('the-request-of-a-fault');
    expect(response.body).not.toMatch(/hunter2|node_modules|Error:| at /);
    const faults = logs.map((line) => JSON.parse(line)).filter(({ level }) => level >= 50);
    expect(faults).toMatchObject([{ msg: 'fault', reqId: 'the-request-of-a-fault', err: { message: expect.stringContaining('hunter2') } }]);
  });

  test('that is expected is none: it is not logged as one', async () => {
    const { logs, graphql } = world();
    logs.length = 0;
    await graphql(admin, 'mutation { createCategory(input: { name: "" }) { __typename } }');
    await graphql(admin, '{ nonsense }');
    await graphql(null, '{ documents { totalCount } }');
    await graphql(admin, '{ documents(first: 1000) { totalCount } }');
    expect(logs.map((line) => JSON.parse(line)).filter(({ level }) => level >= 40)).toEqual([]);
  });

  test('never brings a secret into the logs', async () => {
    const { logs, graphql, inject } = world();
    logs.length = 0;
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const input = { documentId: objects.document.id, expiresAt, password: 'open sesame' };
    const { data } = await graphql(
      admin,
      'mutation ($input: ShareDocumentInput!) { shareDocument(input: $input) { ... on Share { token } } }',
      { input },
    );
    const { token } = data.shareDocument;
    await graphql(null, `{ sharePreview(token: "${token}", password: "open sesame") { __typename } }`);
    await graphql(null, `{ sharePreview(token: "${token}", password: "wrong") { __typename } }`);
    await inject(null, { method: 'GET', url: `/s/${token}/files/${objects.file.id}` });
    await inject(null, { method: 'GET', url: `/files/${objects.file.id}?token=signature-of-a-link` });
    await inject(null, { method: 'GET', url: `/s/${token}/nowhere` });
    const text = logs.join('');
    expect(text).toContain('"route"');
    for (const secret of [token, 'sesame', admin.token, 'signature-of-a-link', 'eyJ']) expect(text).not.toContain(secret);
  });
});

describe('an upload', () => {
  const mutation = `mutation ($id: ID!, $files: [Upload!]!) { uploadFiles(input: { documentId: $id, files: $files }) {
    __typename ... on Error { code message } ... on PayloadTooLargeError { limit } ... on UploadedFiles { files { name size } } } }`;
  const file = (name: string, size: number) => ({ name, body: Buffer.alloc(size, name) });

  const send = async (parts: Part[], actor = admin) => {
    const { headers, payload } = multipart(parts);
    return post(payload, { ...headers, 'apollo-require-preflight': '1' }, actor);
  };
  const operations = (files: unknown[] = [null], query = mutation, id = objects.document.id) => ({
    field: 'operations',
    body: JSON.stringify({ query, variables: { id, files } }),
  });
  const map = (entries: object) => ({ field: 'map', body: JSON.stringify(entries) });
  const part = (field: string, size = 5) => ({ field, name: `${field}.txt`, body: Buffer.alloc(size, 'x') });

  /** Every row and object of the tenant; what is on its way out counts. */
  async function left() {
    const { pool } = world().gateway.database;
    const { rows } = await pool.query('SELECT id, state FROM files WHERE tenant_id = $1 ORDER BY id', [admin.tenantId]);
    const folder = join(world().gateway.settings.dataDir, 'blobs', admin.tenantId);
    const blobs = await readdir(folder, { recursive: true, withFileTypes: true });
    return {
      rows,
      blobs: blobs
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
        .sort(),
    };
  }

  async function leavesNothing(work: () => Promise<unknown>): Promise<void> {
    const before = await left();
    await work();
    await expect.poll(left, { timeout: 5000 }).toEqual(before);
  }

  test('of a file that is too large leaves nothing, neither of it nor of the others', async () => {
    await leavesNothing(async () => {
      const answer = await world().inject(
        admin,
        graphqlUpload(mutation, { id: objects.document.id }, [file('a', 10), file('b', MAX_FILE_SIZE + 1), file('c', 10)]),
      );
      expect(answer.json().data.uploadFiles).toMatchObject({
        __typename: 'PayloadTooLargeError',
        code: 'PAYLOAD_TOO_LARGE',
        limit: MAX_FILE_SIZE,
      });
    });
    const exact = await world().inject(admin, graphqlUpload(mutation, { id: objects.document.id }, [file('exact', MAX_FILE_SIZE)]));
    expect(exact.json().data.uploadFiles.files).toEqual([{ name: 'exact', size: MAX_FILE_SIZE }]);
  });

  test('of more than 20 files stores none', async () => {
    await leavesNothing(async () => {
      const many = Array.from({ length: 21 }, (_, index) => file(`f${index}`, 3));
      const response = await world().inject(admin, graphqlUpload(mutation, { id: objects.document.id }, many));
      expect(response.statusCode).toBeLessThan(500);
      expect(response.body).toContain('PAYLOAD_TOO_LARGE');
    });
  });

  test('whose files come in another order than its variables stores each under its name', async () => {
    const response = await send([
      operations([null, null]),
      map({ 0: ['variables.files.1'], 1: ['variables.files.0'] }),
      part('0'),
      part('1', 7),
    ]);
    const { files } = response.json().data.uploadFiles;
    expect(files.toSorted((a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name))).toEqual([
      { name: '0.txt', size: 5 },
      { name: '1.txt', size: 7 },
    ]);
  });

  test.each<[string, () => Part[]]>([
    ['lacks a file', () => [operations([null, null]), map({ 0: ['variables.files.0'], 1: ['variables.files.1'] }), part('0')]],
    ['lacks the map', () => [operations(), part('0')]],
    ['lacks the operations', () => [map({ 0: ['variables.files.0'] }), part('0')]],
    ['is in the wrong order', () => [part('0'), map({ 0: ['variables.files.0'] }), operations()]],
    ['has a map that is no JSON', () => [operations(), { field: 'map', body: '{' }, part('0')]],
    ['has a map that is a list', () => [operations(), { field: 'map', body: '[]' }, part('0')]],
    ['has operations that are no JSON', () => [{ field: 'operations', body: '{' }, map({ 0: ['variables.files.0'] }), part('0')]],
    ['maps to what is not there', () => [operations(), map({ 0: ['variables.other.deep.path'] }), part('0')]],
    ['maps into a prototype', () => [operations(), map({ 0: ['__proto__.polluted'] }), part('0')]],
    ['maps into a constructor', () => [operations(), map({ 0: ['constructor.prototype.polluted'] }), part('0')]],
    ['maps into a prototype of its variables', () => [operations(), map({ 0: ['variables.__proto__.polluted'] }), part('0')]],
    ['has a null where the file should be', () => [operations(), map({}), part('0')]],
  ])('that %s is refused, stores nothing and pollutes nothing', async (_, parts) => {
    await leavesNothing(async () => {
      const response = await send(parts());
      expect(response.statusCode, response.body).toBeLessThan(500);
      expect(response.body).not.toContain('INTERNAL');
      expect(response.body).toMatch(/"errors"|"code"/);
    });
    expect('polluted' in {}).toBe(false);
  });

  test('that breaks off in a file leaves nothing', async () => {
    await leavesNothing(async () => {
      const { headers, payload } = multipart([operations(), map({ 0: ['variables.files.0'] }), part('0', 1000)]);
      const response = await post(payload.subarray(0, -500), { ...headers, 'apollo-require-preflight': '1' });
      expect(response.statusCode).toBeLessThan(500);
      expect(response.body).toContain('BAD_REQUEST');
    });
  });

  test.each(['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=other'])(
    'as %s is told to be wrong',
    async (type) => {
      const response = await post(multipart([operations()]).payload, { 'content-type': type, 'apollo-require-preflight': '1' });
      expect([response.statusCode, response.json().errors[0].extensions.code]).toEqual([400, 'BAD_REQUEST']);
    },
  );

  test('of one file for two variables stores it once, or not at all', async () => {
    const response = await send([operations([null, null]), map({ 0: ['variables.files.0', 'variables.files.1'] }), part('0')]);
    expect(response.statusCode).toBeLessThan(500);
    expect(response.body).not.toContain('INTERNAL');
    expect(response.json().data?.uploadFiles).not.toMatchObject({ __typename: 'UploadedFiles', files: [{ size: 5 }, { size: 0 }] });
  });

  test.each<[string, () => Part]>([
    ['is not valid', () => operations([null], 'mutation ($id: ID!, $files: [Upload!]!) { nonsense(id: $id, files: $files) }')],
    ['does not parse', () => operations([null], 'mutation {')],
    [
      'does not use its file',
      () => operations([null], 'query ($id: ID!, $files: [Upload!]) { document(id: $id) { id name } viewer { userId } }'),
    ],
    ['is for a document that is not there', () => operations([null], mutation, 'no-such-document')],
  ])('of 50 MB whose operation %s answers at once', async (_, first) => {
    await leavesNothing(async () => {
      const response = await send([
        first(),
        map({ 0: ['variables.files.0'] }),
        { field: '0', name: 'big.bin', body: Buffer.alloc(50 * 1024 * 1024) },
      ]);
      expect(response.statusCode).toBeLessThan(500);
      expect(response.body).not.toContain('INTERNAL');
    });
  });

  test('without the right to is refused', async () => {
    const viewer = world().actor('viewer', admin.tenantId);
    await leavesNothing(async () => {
      const response = await send([operations(), map({ 0: ['variables.files.0'] }), part('0')], viewer);
      expect(response.json().data.uploadFiles).toMatchObject({ __typename: 'ForbiddenError' });
    });
  });
});
