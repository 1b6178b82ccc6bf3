import { describe, expect, test } from 'vitest';
import { limits } from '../src/graphql/limits.js';
import { origin, useLimits } from './limits.world.js';
import { multipart } from './multipart.js';

const { world, post, refusal, admin, objects } = useLimits();

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
    const query = (depth: number) => `{ category(id: "${objects().category.id}") { ${parents(depth)} } }`;
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
    const ids = Array.from({ length: 1000 }, () => objects().document.id);
    expect(
      (await post({ query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', variables: { ids } })).json().errors[0].extensions.code,
    ).toMatch(/BAD_REQUEST|VALIDATION_FAILED/);
  });

  test('is judged alone: of several in a document, the one that runs', async () => {
    const both = `query Cheap { viewer { userId } } query Dear { categories(first: 100) { nodes { documents(first: 100) { nodes { id name } } } } }`;
    expect((await post({ query: both, operationName: 'Cheap' })).json()).toEqual({ data: { viewer: { userId: admin().userId } } });
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
      world().inject(admin(), { method: 'GET', url: `/graphql?query=${encodeURIComponent(query)}${more}` });
    expect((await get('{ viewer { userId } }')).json()).toEqual({ data: { viewer: { userId: admin().userId } } });
    const before = await categoryCount();
    expect((await get('mutation { createCategory(input: { name: "x" }) { __typename } }')).statusCode).toBe(405);
    expect(
      (await get('query A { viewer { userId } } mutation B { createCategory(input: { name: "x" }) { __typename } }', '&operationName=B'))
        .statusCode,
    ).not.toBe(200);
    expect(await categoryCount()).toBe(before);
    for (const method of ['PUT', 'DELETE', 'PATCH'] as const)
      expect((await world().inject(admin(), { method, url: '/graphql' })).statusCode).toBeGreaterThanOrEqual(404);
  });

  const categoryCount = async () => (await world().graphql(admin(), '{ categories { totalCount } }')).data.categories.totalCount;

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
