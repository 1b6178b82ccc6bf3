import type { InjectOptions } from 'fastify';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Actor, useWorld } from './world.js';

// Whether pages of others may call changes nothing for those that are no pages.
const world = useWorld({ CORS_ORIGINS: 'https://app.example' });
const missing = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const json = { 'content-type': 'application/json' };

/** Every path of the description, with ids that do not exist, and the methods that it has. */
let paths: { path: string; methods: string[] }[];
let admin: Actor;

beforeAll(async () => {
  const { inject, actor } = world();
  admin = actor('admin');
  const { paths: described } = (await inject(null, { url: '/openapi.json' })).json<{ paths: Record<string, object> }>();
  paths = Object.entries(described).map(([path, methods]) => ({
    path: path.replaceAll(/\{\w+\}/g, missing),
    methods: Object.keys(methods).map((method) => method.toUpperCase()),
  }));
});

/** What a path takes besides, that a protocol of its own describes. */
const ofTus = (methods: string[], path: string) => (path.startsWith('/uploads/') && methods.includes('DELETE') ? ['PATCH'] : []);
const both = (path: string) => [path, path.replace(/\/$/, '')];
const send = (options: InjectOptions, who: Actor | null = admin) => world().inject(who, options);
/** Everything that takes a body as JSON, on both spellings. */
const writes = () =>
  paths.flatMap(({ path, methods }) =>
    methods
      .filter((method) => method !== 'GET' && method !== 'DELETE' && !path.includes('/files/'))
      .flatMap((method) => both(path).map((url) => ({ method: method as 'POST', url }))),
  );

describe('every path, with a slash at the end and without', () => {
  test('405: `{"detail": "Method \\"PUT\\" not allowed."}` with `Allow`, which OPTIONS tells as well', async () => {
    for (const { path, methods } of paths) {
      for (const url of both(path)) {
        const allow = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), ...ofTus(methods, path), 'OPTIONS'].sort();
        const options = await send({ method: 'OPTIONS', url }, null);
        expect({ url, status: options.statusCode, allow: String(options.headers.allow).split(', ').sort() }).toEqual({
          url,
          status: 204,
          allow,
        });
        for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const) {
          if (allow.includes(method)) continue;
          const refused = await send({
            method,
            url,
            headers: json,
            payload: method === 'GET' || method === 'HEAD' ? undefined : '{"not":',
          });
          expect({ url, method, status: refused.statusCode, allow: refused.headers.allow }).toEqual({
            url,
            method,
            status: 405,
            allow: options.headers.allow,
          });
          if (method !== 'HEAD') expect(refused.json()).toEqual({ detail: `Method "${method}" not allowed.` });
        }
      }
    }
  });

  test('HEAD: the status and headers of GET, without its body', async () => {
    for (const { path } of paths.filter(({ methods }) => methods.includes('GET'))) {
      for (const url of both(path)) {
        const get = await send({ method: 'GET', url });
        const head = await send({ method: 'HEAD', url });
        expect({ url, status: head.statusCode, body: head.body }).toEqual({ url, status: get.statusCode, body: '' });
        expect(head.headers['content-type']).toBe(get.headers['content-type']);
      }
    }
  });

  test('401: `{"detail": "Authentication credentials were not provided."}`, before anything else is looked at', async () => {
    for (const { path, methods } of paths.filter((each) => !each.path.includes('preview'))) {
      for (const method of methods) {
        const body = method === 'GET' || method === 'DELETE' ? {} : { headers: { 'content-type': 'text/plain' }, payload: '{' };
        for (const url of both(path)) {
          const answer = await send({ method: method as 'GET', url, ...body }, null);
          expect({ url, method, status: answer.statusCode, body: answer.json(), ask: answer.headers['www-authenticate'] }).toEqual({
            url,
            method,
            status: 401,
            body: { detail: 'Authentication credentials were not provided.' },
            ask: 'Bearer',
          });
        }
      }
    }
  });
});

test.each(['/nowhere', '/nowhere/', '/documents/x/y/z/', '/categories/a/b', '/v1/documents/', '/%2e%2e/etc', '/DOCUMENTS/'])(
  '404 `{"detail": "Not found."}` for an unknown path: %s',
  async (url) => {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE'] as const) {
      const answer = await send({ method, url, ...(method === 'GET' ? {} : { headers: json, payload: '{}' }) });
      expect({ status: answer.statusCode, body: answer.json() }).toEqual({ status: 404, body: { detail: 'Not found.' } });
    }
  },
);

test('a path with half a character: 400 as the contract has it', async () => {
  const answer = await send({ method: 'GET', url: '/documents/%E0%A4%A/' });
  expect([answer.statusCode, answer.json()]).toEqual([400, { detail: expect.any(String) }]);
});

describe('a body, wherever one is taken', () => {
  const parseError = { detail: expect.stringMatching(/^JSON parse error - /) };
  test.each<[string, string | Buffer, Record<string, string>, number, object]>([
    ['malformed JSON', '{"name":', json, 400, parseError],
    ['half a JSON text and more', '{} {}', json, 400, parseError],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), json, 400, parseError],
    ['a name that appears twice', '{"name":"a","name":"b"}', json, 400, parseError],
    ['a name that appears twice, written in two ways', '{"name":"a","n\\u0061me":"b"}', json, 400, parseError],
    ['lists within lists without end', '['.repeat(200_000) + ']'.repeat(200_000), json, 400, parseError],
    ['a list', '[]', json, 400, { non_field_errors: [expect.any(String)] }],
    ['null', 'null', json, 400, { non_field_errors: [expect.any(String)] }],
    ['wrong media type', 'a', { 'content-type': 'text/plain' }, 415, { detail: 'Unsupported media type "text/plain" in request.' }],
    [
      'wrong charset',
      '{}',
      { 'content-type': 'application/json; charset=utf-16' },
      415,
      { detail: 'Unsupported media type "application/json; charset=utf-16" in request.' },
    ],
    ['no media type', '{}', { 'content-type': '' }, 415, { detail: 'Unsupported media type "" in request.' }],
    ['more than 1 MiB', `{"name":"${'x'.repeat(1_100_000)}"}`, json, 413, { detail: expect.any(String) }],
  ])('%s', async (_, payload, headers, status, body) => {
    for (const { method, url } of writes()) {
      // These take no body at all.
      if (/(approve|inactive|complete)\/?$/.test(url) && 'non_field_errors' in body) continue;
      const answer = await send({ method, url, headers, payload });
      expect({ method, url, status: answer.statusCode, body: answer.json() }).toEqual({ method, url, status, body });
    }
  });

  test('NUL in a text: 400 on its field', async () => {
    const answer = await send({ method: 'POST', url: '/categories', payload: { name: 'a\0b', description: '\0' } });
    expect({ status: answer.statusCode, fields: Object.keys(answer.json()) }).toEqual({ status: 400, fields: ['name', 'description'] });
  });

  test.each(['application/json; charset=UTF-8', 'application/json;charset="utf-8"', 'APPLICATION/JSON'])('%s is taken', async (type) => {
    expect(
      (await send({ method: 'POST', url: '/categories', headers: { 'content-type': type }, payload: '{"name":"é"}' })).json(),
    ).toMatchObject({ name: 'é' });
  });
});

describe('lists take', () => {
  const lists = ['/storages/', '/categories/', '/documents/'];
  const page = 'must be a whole number from 1 to 1000000';
  const size = 'must be a whole number from 1 to 100';
  const time = 'must be YYYY-MM-DD or a date and time with an offset';
  test.each<[string, Record<string, string | RegExp>]>([
    ['page=0', { page }],
    ['page=1.5', { page }],
    ['page=x', { page }],
    ['page=1e30', { page }],
    ['page_size=0', { page_size: size }],
    ['page_size=101', { page_size: size }],
    ['ordering=nothing', { ordering: /^must be created_at or -created_at or / }],
    ['ordering=--name', { ordering: /^must be created_at or -created_at or / }],
    ['created_at_after=yesterday', { created_at_after: time }],
    ['created_at_before=2026-02-30', { created_at_before: time }],
    ['created_at_before=2026-02-03T10:00:00', { created_at_before: time }],
    ['search=%00', { search: 'must be well-formed Unicode without NUL characters' }],
  ])('?%s: 400, which says why', async (query, fields) => {
    const expected = Object.fromEntries(Object.entries(fields).map(([name, message]) => [name, [expect.stringMatching(message)]]));
    for (const list of lists) {
      const answer = await send({ url: `${list}?${query}` });
      expect({ list, status: answer.statusCode, body: answer.json() }).toEqual({ list, status: 400, body: expected });
    }
  });

  test.each([
    '',
    'unknown=1',
    'page=&page_size=',
    'page_size=100',
    'page=2&page=1',
    'search=',
    'expand=nothing',
    'created_at_after=2020-01-01',
    'ordering=-name',
  ])('?%s', async (query) => {
    for (const list of lists) {
      const answer = await send({ url: `${list}?${query}` });
      expect({ list, status: answer.statusCode }).toEqual({ list, status: 200 });
      expect(Object.keys(answer.json())).toEqual(
        ['count', 'total_pages', 'current_page', 'has_previous', 'has_next', 'previous_page', 'next_page'].concat('results'),
      );
    }
  });

  test('`page_size` (default 15, at most 100)', async () => {
    const many = world().actor('admin');
    for (let index = 0; index < 16; index++) await send({ method: 'POST', url: '/categories/', payload: { name: `c${index}` } }, many);
    const page = async (query: string) => (await send({ url: `/categories/?${query}` }, many)).json();
    expect(await page('')).toMatchObject({ count: 16, total_pages: 2, current_page: 1, has_previous: false, has_next: true, next_page: 2 });
    expect((await page('')).results).toHaveLength(15);
    expect((await page('page_size=100')).results).toHaveLength(16);
    expect(await page('page=2')).toMatchObject({ current_page: 2, has_next: false, next_page: null, previous_page: 1, results: [{}] });
  });
});
