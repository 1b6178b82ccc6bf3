import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bytes, encoded, HOUR, MAX, MiB, sha256, short, useTus } from './tus.world.js';

const { world, send, begin, patch, creation, filesOf, left, sweepAfter, address, editor, documentId } = useTus();

describe('the protocol', () => {
  test('is told of, without a token', async () => {
    const { status, headers } = await send('OPTIONS', '/uploads/', { actor: null, headers: preflight });
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-methods')).toContain('PATCH');
    const plain = await world().inject(null, { method: 'OPTIONS', url: '/uploads/', headers: preflight });
    expect(plain.headers['access-control-allow-origin']).toBe('https://app.example');
  });
  const preflight = { origin: 'https://app.example', 'access-control-request-method': 'PATCH' };

  test('says where an upload stands, until when, and with what it was announced', async () => {
    const url = await begin(short.length, { filename: 'ä.pdf', filetype: 'application/pdf' });
    const { status, offset, headers } = await patch(url, 0, short.subarray(0, 10));
    expect([status, offset]).toEqual([204, '10']);
    expect(Date.parse(headers.get('upload-expires') ?? '')).toBeGreaterThan(Date.now() + 23 * HOUR);
    const head = await send('HEAD', url, { headers: { origin: 'https://app.example' } });
    expect([head.status, head.offset, head.headers.get('upload-length')]).toEqual([200, '10', String(short.length)]);
    expect(head.headers.get('upload-metadata')).toBe(encoded({ document: documentId(), filename: 'ä.pdf', filetype: 'application/pdf' }));
    expect(head.headers.get('cache-control')).toBe('no-store');
    expect(head.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(head.headers.get('access-control-expose-headers')).toContain('upload-offset');
  });

  test('keeps many small pieces, in order', async () => {
    const body = randomBytes(40 * 1000);
    const url = await begin(body.length, { sha256: sha256(body) });
    for (let at = 0; at < body.length; at += 1000) {
      expect((await patch(url, at, body.subarray(at, at + 1000))).offset).toBe(String(at + 1000));
    }
    expect(await filesOf(editor())).toMatchObject([{ sha256: sha256(body) }]);
  });

  test('ends an upload, and REST shows it meanwhile', async () => {
    const url = await begin(short.length);
    await patch(url, 0, short.subarray(0, 10));
    const shown = await world().inject(editor(), { url });
    expect(shown.json()).toMatchObject({ state: 'open', name: 'a.pdf', requests: [] });
    const ended = await send('DELETE', url);
    expect([ended.status, ended.headers.get('tus-resumable')]).toEqual([204, '1.0.0']);
    expect((await send('HEAD', url)).status).toBe(404);
    await sweepAfter(0);
    expect(await left()).toEqual({ files: [], uploads: [] });
  });

  test.each<[string, (url: string) => ReturnType<typeof send>, number]>([
    ['no version', (url) => send('PATCH', url, { body: short, headers: { 'tus-resumable': '' } }), 412],
    ['another offset', (url) => patch(url, 5, short.subarray(5)), 409],
    ['no offset', (url) => send('PATCH', url, { body: short }), 403],
    ['another media type', (url) => patch(url, 0, short, { headers: { 'content-type': 'application/json' } }), 400],
    ['more bytes than announced', (url) => patch(url, 0, Buffer.concat([short, short])), 413],
    ['no token', (url) => patch(url, 0, short, { actor: null }), 401],
    ["another tenant's token", (url) => patch(url, 0, short, { actor: world().actor('admin') }), 404],
    ['HEAD without a token', (url) => send('HEAD', url, { actor: null }), 401],
    ["HEAD with another tenant's token", (url) => send('HEAD', url, { actor: world().actor('admin') }), 404],
    ["DELETE with another tenant's token", (url) => send('DELETE', url, { actor: world().actor('admin') }), 404],
    ['without documents:write', (url) => patch(url, 0, short, { actor: world().actor(['documents:read'], editor().tenantId) }), 403],
  ])('refuses %s, and the upload stands where it was', async (_, act, status) => {
    const url = await begin(short.length);
    const answer = await act(url);
    expect(answer.status).toBe(status);
    if (answer.body) expect(answer.body).toMatchObject({ detail: expect.any(String) });
    expect((await send('HEAD', url)).offset).toBe('0');
  });

  test.each<[string, Record<string, string>, number]>([
    ['no document', { 'upload-metadata': encoded({ filename: 'a' }) }, 400],
    ['no name', { 'upload-metadata': encoded({ document: '01ARZ3NDEKTSV4RRFFQ69G5FAV' }) }, 400],
    ['a document that is not there', { 'upload-metadata': encoded({ document: '01ARZ3NDEKTSV4RRFFQ69G5FAV', filename: 'a' }) }, 404],
    ['a file that is too large', { 'upload-length': String(MAX + 1) }, 413],
    ['a size to be told later', { 'upload-length': '', 'upload-defer-length': '1' }, 501],
  ])('creates nothing with %s', async (_, headers, status) => {
    const given = Object.entries({ ...creation(10), ...headers }).filter(([, value]) => value !== '');
    const answer = await send('POST', '/uploads/', { headers: Object.fromEntries(given) });
    expect(answer.status).toBe(status);
    expect(await left()).toEqual({ files: [], uploads: [] });
  });

  test('does not know an upload whose parts come on their own', async () => {
    const payload = { name: 'a.pdf', size: 5 };
    const { id } = (await world().inject(editor(), { method: 'POST', url: `/documents/${documentId()}/uploads/`, payload })).json();
    expect((await send('HEAD', `/uploads/${id}/`)).status).toBe(404);
    expect((await patch(`/uploads/${id}/`, 0, Buffer.from('bytes'))).status).toBe(404);
  });

  test('reads what it refuses to its end, so that the connection is free for the next request', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const headers = { authorization: `Bearer ${editor().token}`, 'tus-resumable': '1.0.0', 'upload-offset': '0' };
    const call = (method: string, path: string, body?: Buffer) =>
      new Promise<number | undefined>((resolve, reject) => {
        const type = { 'content-type': 'application/offset+octet-stream' };
        const sent = request(address() + path, { method, agent, headers: { ...headers, ...(body && type) } }, (answer) => {
          answer.resume().once('end', () => resolve(answer.statusCode));
        });
        sent.once('error', reject).end(body);
      });
    const missing = '/uploads/01ARZ3NDEKTSV4RRFFQ69G5FAV/';
    expect([await call('PATCH', missing, bytes), await call('HEAD', missing)]).toEqual([404, 404]);
  });

  test('forgets an upload that has expired, and nothing is left of it', async () => {
    const url = await begin(bytes.length);
    expect((await patch(url, 0, bytes.subarray(0, 9 * MiB))).offset).toBe(String(9 * MiB));
    await sweepAfter(25 * HOUR);
    expect((await send('HEAD', url)).status).toBe(404);
    expect((await patch(url, 9 * MiB, bytes.subarray(9 * MiB))).status).toBe(404);
    expect(await left()).toEqual({ files: [], uploads: [] });
  });

  test('lets one of two at the same offset win', async () => {
    const url = await begin(bytes.length, { sha256: sha256(bytes) });
    const both = await Promise.all([patch(url, 0, bytes), patch(url, 0, bytes)]);
    for (const { status } of both) expect([204, 409, 423]).toContain(status);
    const { offset } = await send('HEAD', url);
    expect(both.map((answer) => answer.offset)).toContain(offset);
    if (Number(offset) < bytes.length) await patch(url, Number(offset), bytes.subarray(Number(offset)));
    expect(await filesOf(editor())).toMatchObject([{ sha256: sha256(bytes) }]);
  });

  test('asks a request to end that its client left behind', async () => {
    const url = await begin(bytes.length, { sha256: sha256(bytes) });
    const forgotten = connect(Number(new URL(address()).port), '127.0.0.1');
    onTestFinished(() => void forgotten.destroy());
    const head = [`PATCH ${url} HTTP/1.1`, 'host: x', `authorization: Bearer ${editor().token}`, 'tus-resumable: 1.0.0'];
    const rest = ['upload-offset: 0', 'content-type: application/offset+octet-stream', `content-length: ${bytes.length}`];
    forgotten.write(`${[...head, ...rest].join('\r\n')}\r\n\r\n`);
    forgotten.write(bytes.subarray(0, 100_000));
    await expect.poll(async () => Number((await send('HEAD', url)).offset), { timeout: 20_000 }).toBeGreaterThan(0);
    const at = Number((await send('HEAD', url)).offset);
    expect((await patch(url, at, bytes.subarray(at))).status).toBe(204);
    expect(await filesOf(editor())).toMatchObject([{ sha256: sha256(bytes) }]);
  });
});
