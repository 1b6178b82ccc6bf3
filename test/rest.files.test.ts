import { describe, expect, test } from 'vitest';
import { pdf, useRestFiles } from './rest.files.world.js';
import { unzip } from './unzip.js';

const { world, call, newDocument, filed, admin, port } = useRestFiles();

describe('GET /documents/{id}/files/', () => {
  const json = { accept: 'application/json' };

  test('of one file: its bytes, with Range, ETag and HEAD', async () => {
    const { url } = await filed(['größe.pdf', pdf]);
    const whole = await call('GET', url);
    expect([whole.status, whole.bytes.equals(pdf)]).toEqual([200, true]);
    expect(whole.headers).toMatchObject({
      'content-type': 'application/pdf',
      'content-disposition': expect.stringMatching(/^attachment; .*filename\*=UTF-8''gr%C3%B6%C3%9Fe\.pdf/),
      'accept-ranges': 'bytes',
      vary: 'Accept',
    });
    const { etag } = whole.headers;
    const part = await call('GET', url, { range: 'bytes=0-4' });
    expect([part.status, part.body]).toEqual([206, '%PDF-']);
    expect((await call('GET', url, { 'if-none-match': etag })).status).toBe(304);
    expect((await call('GET', url, { 'if-match': '"other"' })).status).toBe(412);
    expect((await call('GET', url, { range: `bytes=${pdf.length}-` })).status).toBe(416);
    const head = await call('HEAD', url);
    expect([head.status, head.bytes.length, head.headers['content-length'], head.headers.etag]).toEqual([200, 0, String(pdf.length), etag]);
  });

  test('If-Unmodified-Since is kept', async () => {
    const { url } = await filed(['a.pdf', pdf]);
    const hour = (hours: number) => ({ 'if-unmodified-since': new Date(Date.now() + hours * 3_600_000).toUTCString() });
    expect((await call('GET', url, hour(-1))).status).toBe(412);
    expect((await call('GET', url, hour(1))).status).toBe(200);
  });

  test('of several: a zip named after the document', async () => {
    const { url, ids } = await filed(['a.pdf', pdf], ['a.pdf', 'other'], ['../x', '']);
    const { status, headers, bytes } = await call('GET', url);
    expect([status, headers['content-type'], headers['content-disposition']]).toEqual([
      200,
      'application/zip',
      'attachment; filename="Passport.zip"',
    ]);
    expect(unzip(bytes).map(({ name, body }) => [name, String(body)])).toEqual([
      ['a.pdf', String(pdf)],
      ['a (2).pdf', 'other'],
      ['x', ''],
    ]);
    const head = await call('HEAD', url);
    expect([head.status, head.headers['content-type'], head.bytes.length]).toEqual([200, 'application/zip', 0]);
    expect((await call('GET', `${url}?file=${ids[1]}`)).body).toBe('other');
    expect((await call('GET', `${url}?file=01ARZ3NDEKTSV4RRFFQ69G5FAV`)).status).toBe(404);
  });

  test.each([
    ['application/json', true],
    ['application/json, application/problem+json', true],
    ['application/json, text/plain, */*', false],
    ['*/*', false],
    ['application/problem+json', false],
  ])('Accept: %s → the list: %s', async (accept, listed) => {
    const { url, ids } = await filed(['a', 'a'], ['b', 'b']);
    const { headers, body } = await call('GET', url, { accept });
    expect(headers['content-type']).toMatch(listed ? /^application\/json/ : /^application\/zip/);
    if (listed) expect(body.map(({ id }: { id: string }) => id)).toEqual(ids);
  });

  test('of none: 404, or an empty list', async () => {
    const url = `/documents/${await newDocument()}/files/`;
    expect(await call('GET', url)).toMatchObject({ status: 404, body: { detail: 'Not found.' } });
    expect(await call('GET', url, json)).toMatchObject({ status: 200, body: [] });
  });

  test('breaks the connection, rather than ending well, when one of several files is lost', async () => {
    const { url, ids } = await filed(['a', Buffer.alloc(1024 * 1024, 'a')], ['b', 'b']);
    const { blobs, prisma } = world().gateway.services;
    const storage = await prisma.storage.findFirstOrThrow({ where: { tenantId: admin().tenantId } });
    const row = await prisma.file.findFirstOrThrow({ where: { id: ids[1] } });
    await (await blobs.open({ ...storage, credentials: {} })).delete(row.objectKey);
    const response = await fetch(`http://127.0.0.1:${port()}${url}`, { headers: { authorization: `Bearer ${admin().token}` } });
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });

  test('is for those who may read the document', async () => {
    const { url } = await filed(['a', 'a']);
    for (const headers of [{}, json]) {
      expect((await call('GET', url, headers, undefined, world().actor('viewer', admin().tenantId))).status).toBe(200);
      expect((await call('GET', url, headers, undefined, world().actor(['shares:read'], admin().tenantId))).status).toBe(403);
      expect((await call('GET', url, headers, undefined, world().actor('admin'))).status).toBe(404);
    }
  });

  test('leaves out what is in quarantine', async () => {
    const { url, ids } = await filed(['a', 'a'], ['b', 'b']);
    await world().gateway.database.pool.query(`UPDATE files SET state = 'QUARANTINED' WHERE id = $1`, [ids[0]]);
    expect((await call('GET', url)).body).toBe('b');
    expect((await call('GET', `${url}${ids[0]}/`)).status).toBe(409);
  });
});

describe('/documents/{id}/files/{file_id}/', () => {
  test('GET: the bytes of one file of several; a file of another document is 404', async () => {
    const { url, ids } = await filed(['a', 'a'], ['b', 'bytes']);
    const other = await filed(['c', 'c']);
    const found = await call('GET', `${url}${ids[1]}/`, { range: 'bytes=1-2' });
    expect([found.status, found.body]).toEqual([206, 'yt']);
    expect((await call('HEAD', `${url}${ids[1]}`)).headers['content-length']).toBe('5');
    for (const method of ['GET', 'DELETE'] as const) {
      const foreign = await call(method, `${other.url}${ids[1]}/`);
      expect([foreign.status, foreign.body]).toEqual([404, { detail: 'Not found.' }]);
    }
    expect((await call('GET', url, { accept: 'application/json' })).body.length).toBe(2);
  });

  test('DELETE: 204 with an empty body; If-Match takes the ETag of the file', async () => {
    const { url, ids } = await filed(['a', 'a'], ['b', 'b']);
    const path = `${url}${ids[0]}/`;
    const { etag } = (await call('GET', path)).headers;
    expect((await call('DELETE', path, { 'if-match': '"1"' })).status).toBe(412);
    const deleted = await call('DELETE', path, { 'if-match': etag });
    expect([deleted.status, deleted.body]).toEqual([204, '']);
    expect((await call('GET', path)).status).toBe(404);
    expect((await call('GET', url)).body).toBe('b');
    expect((await call('DELETE', path)).status).toBe(404);
    expect((await call('DELETE', `${url}${ids[1]}/`, {}, undefined, world().actor('viewer', admin().tenantId))).status).toBe(403);
  });

  test('other methods are 405 with Allow', async () => {
    const { url, ids } = await filed(['a', 'a']);
    expect(await call('PUT', `${url}${ids[0]}/`)).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, DELETE, OPTIONS' } });
    expect((await call('DELETE', url)).headers.allow).toMatch(/^(?=.*POST)(?=.*GET)(?=.*HEAD)/);
  });
});
