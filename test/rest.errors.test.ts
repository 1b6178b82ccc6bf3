import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { inDays } from './rest.caller.js';
import { useRest } from './rest.world.js';

const { world, send, made } = useRest();

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
