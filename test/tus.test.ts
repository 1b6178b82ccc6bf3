import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import * as tus from 'tus-js-client';
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { sweepFiles } from '../src/file/file.sweeper.js';
import { createScanner } from '../src/scan/scanner.js';
import { sweepUploads } from '../src/upload/upload.sweeper.js';
import { drivers, type OpenStore } from './blob.drivers.js';
import { answering, clamdBinary, eicar, fakeClamd, startClamd } from './clamd.js';
import { type Actor, useWorld } from './world.js';

const MiB = 1024 * 1024;
const HOUR = 60 * 60 * 1000;
const MAX = 20 * MiB;
const world = useWorld({ MAX_FILE_SIZE: String(MAX), CORS_ORIGINS: 'https://app.example' });
/** Two parts of 8 MiB and a rest. */
const bytes = Buffer.concat([Buffer.from('%PDF-1.4\n'), randomBytes(17 * MiB)]);
const short = Buffer.from('%PDF-1.4\nthe bytes of a passport');
const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex');

let address: string;
let editor: Actor;
let documentId: string;

beforeAll(async () => {
  address = await world().app.listen({ port: 0, host: '127.0.0.1' });
});
beforeEach(async () => {
  editor = world().actor('admin');
  const { data } = await world().graphql(editor, 'mutation { createDocument(input: { name: "D" }) { ... on Document { id } } }');
  documentId = data.createDocument.id;
});
afterEach(() => {
  const { services } = world().gateway;
  services.scanner = null;
  services.now = () => new Date();
});

const encoded = (metadata: Record<string, string>) =>
  Object.entries(metadata)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');

interface Sent {
  actor?: Actor | null;
  headers?: Record<string, string>;
  body?: Buffer;
}

/** One request as the protocol has it. */
async function send(method: string, url: string, { actor = editor, headers = {}, body }: Sent = {}) {
  const answer = await fetch(url.startsWith('/') ? address + url : url, {
    method,
    headers: {
      'tus-resumable': '1.0.0',
      ...(actor && { authorization: `Bearer ${actor.token}` }),
      ...(body && { 'content-type': 'application/offset+octet-stream' }),
      ...headers,
    },
    body: body && new Uint8Array(body),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    offset: answer.headers.get('upload-offset'),
    body: text ? JSON.parse(text) : null,
  };
}

const creation = (size: number, metadata: Record<string, string> = {}) => ({
  'upload-length': String(size),
  'upload-metadata': encoded({ document: documentId, filename: 'a.pdf', ...metadata }),
});

async function begin(size: number, metadata: Record<string, string> = {}): Promise<string> {
  const { status, headers } = await send('POST', '/uploads/', { headers: creation(size, metadata) });
  expect(status).toBe(201);
  return new URL(headers.get('location') ?? '').pathname;
}

const patch = (url: string, offset: number, body: Buffer, sent: Sent = {}) =>
  send('PATCH', url, { ...sent, body, headers: { 'upload-offset': String(offset), ...sent.headers } });

/** What a client that speaks tus does with its defaults, but for what is given. */
function upload(body: Buffer, options: Partial<tus.UploadOptions> = {}, metadata: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = new tus.Upload(body, {
      endpoint: `${address}/uploads/`,
      headers: { authorization: `Bearer ${editor.token}` },
      metadata: { document: documentId, filename: 'a.pdf', filetype: 'application/pdf', ...metadata },
      retryDelays: [0, 50, 100, 200, 400, 800, 1600],
      onError: reject,
      onSuccess: () => resolve(new URL(client.url ?? '').pathname),
      ...options,
    });
    client.start();
  });
}

async function filesOf(actor: Actor) {
  const { data } = await world().graphql(actor, `{ document(id: "${documentId}") { files { id name size sha256 contentType } } }`);
  return data.document.files;
}

/** States of rows, and how many objects are staged. */
async function left() {
  const { pool } = world().gateway.database;
  const rowsOf = async (table: string) =>
    (await pool.query(`SELECT state FROM ${table} WHERE tenant_id = $1 ORDER BY id`, [editor.tenantId])).rows.map(({ state }) => state);
  return { files: await rowsOf('files'), uploads: await rowsOf('staged_uploads') };
}

async function sweepAfter(ms: number) {
  const now = world().gateway.services.now().getTime() + ms;
  world().gateway.services.now = () => new Date(now);
  await sweepUploads(world().context(null));
  await sweepFiles(world().context(null));
}

function scanning(answer: string) {
  return fakeClamd(answering(answer)).then((at) => {
    world().gateway.services.scanner = createScanner({ address: at, policy: 'fail-closed', timeout: 5000 }, () => {});
  });
}

describe('a client of tus', () => {
  test.each<[string, Buffer, Partial<tus.UploadOptions>]>([
    ['in one request', bytes, {}],
    ['in chunks that fit no part', bytes, { chunkSize: 3 * MiB }],
    ['with its creation', short, { uploadDataDuringCreation: true }],
    ['of no bytes at all', Buffer.alloc(0), {}],
  ])('uploads a file %s', async (_, body, options) => {
    const url = await upload(body, options, { filename: 'Übersicht 会社 🧾.pdf', sha256: sha256(body) });
    const [file] = await filesOf(editor);
    expect(file).toMatchObject({ name: 'Übersicht 会社 🧾.pdf', size: body.length, sha256: sha256(body) });
    const staged = await world().inject(editor, { url });
    expect(staged.json()).toMatchObject({ state: 'done', file: file.id, parts: [], requests: [] });
    expect((await send('HEAD', url)).offset).toBe(String(body.length));
  });

  test('whose connection breaks again and again goes on where it was', async () => {
    const proxy = await cuttingProxy(2.5 * MiB);
    await upload(bytes, { endpoint: `${proxy.address}/uploads/` }, { sha256: sha256(bytes) });
    expect(proxy.cuts()).toBeGreaterThan(3);
    expect(await filesOf(editor)).toMatchObject([{ size: bytes.length, sha256: sha256(bytes) }]);
  });

  test('hears that its bytes are not what it announced', async () => {
    const failed = upload(short, {}, { sha256: '0'.repeat(64) });
    await expect(failed).rejects.toThrow(/response code: 400, response text: .*sha256/);
    expect(await filesOf(editor)).toEqual([]);
  });

  /** Passes on so many bytes of each connection to the service, then cuts it. */
  async function cuttingProxy(after: number) {
    let cuts = 0;
    const target = new URL(address);
    const server = createServer((client) => {
      let passed = 0;
      const upstream = connect(Number(target.port), target.hostname);
      const end = () => {
        client.destroy();
        upstream.destroy();
      };
      for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
      upstream.on('data', (data) => client.write(data));
      client.on('data', (data) => {
        passed += data.length;
        if (!upstream.write(data)) {
          client.pause();
          upstream.once('drain', () => client.resume());
        }
        if (passed < after) return;
        cuts += 1;
        end();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    // The service names itself by the host that it was asked for: the proxy.
    return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cuts: () => cuts };
  }
});

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
    expect(head.headers.get('upload-metadata')).toBe(encoded({ document: documentId, filename: 'ä.pdf', filetype: 'application/pdf' }));
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
    expect(await filesOf(editor)).toMatchObject([{ sha256: sha256(body) }]);
  });

  test('ends an upload, and REST shows it meanwhile', async () => {
    const url = await begin(short.length);
    await patch(url, 0, short.subarray(0, 10));
    const shown = await world().inject(editor, { url });
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
    ['without documents:write', (url) => patch(url, 0, short, { actor: world().actor(['documents:read'], editor.tenantId) }), 403],
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
    const { id } = (await world().inject(editor, { method: 'POST', url: `/documents/${documentId}/uploads/`, payload })).json();
    expect((await send('HEAD', `/uploads/${id}/`)).status).toBe(404);
    expect((await patch(`/uploads/${id}/`, 0, Buffer.from('bytes'))).status).toBe(404);
  });

  test('reads what it refuses to its end, so that the connection is free for the next request', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const headers = { authorization: `Bearer ${editor.token}`, 'tus-resumable': '1.0.0', 'upload-offset': '0' };
    const call = (method: string, path: string, body?: Buffer) =>
      new Promise<number | undefined>((resolve, reject) => {
        const type = { 'content-type': 'application/offset+octet-stream' };
        const sent = request(address + path, { method, agent, headers: { ...headers, ...(body && type) } }, (answer) => {
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
    expect(await filesOf(editor)).toMatchObject([{ sha256: sha256(bytes) }]);
  });

  test('asks a request to end that its client left behind', async () => {
    const url = await begin(bytes.length, { sha256: sha256(bytes) });
    const forgotten = connect(Number(new URL(address).port), '127.0.0.1');
    onTestFinished(() => void forgotten.destroy());
    const head = [`PATCH ${url} HTTP/1.1`, 'host: x', `authorization: Bearer ${editor.token}`, 'tus-resumable: 1.0.0'];
    const rest = ['upload-offset: 0', 'content-type: application/offset+octet-stream', `content-length: ${bytes.length}`];
    forgotten.write(`${[...head, ...rest].join('\r\n')}\r\n\r\n`);
    forgotten.write(bytes.subarray(0, 100_000));
    await expect.poll(async () => Number((await send('HEAD', url)).offset), { timeout: 20_000 }).toBeGreaterThan(0);
    const at = Number((await send('HEAD', url)).offset);
    expect((await patch(url, at, bytes.subarray(at))).status).toBe(204);
    expect(await filesOf(editor)).toMatchObject([{ sha256: sha256(bytes) }]);
  });
});

describe('at the end', () => {
  test('a lie is told of, whoever asks again', async () => {
    const url = await begin(short.length, { sha256: '0'.repeat(64) });
    const last = await patch(url, 0, short);
    expect(last).toMatchObject({ status: 400, body: { sha256: [expect.stringContaining(sha256(short))] } });
    expect((await send('HEAD', url)).status).toBe(400);
    expect((await world().inject(editor, { url })).json()).toMatchObject({ state: 'closed', failure: expect.stringContaining('SHA-256') });
    const again = await world().inject(editor, { method: 'POST', url: `${url}complete/` });
    expect([again.statusCode, again.json()]).toEqual([400, last.body]);
    await sweepAfter(25 * HOUR);
    expect(await left()).toEqual({ files: [], uploads: [] });
  });

  test('an infected file is told of, whoever asks again', async () => {
    await scanning('stream: Eicar-Test FOUND');
    const url = await begin(short.length);
    expect(await patch(url, 0, short)).toMatchObject({ status: 400, body: { code: 'file_infected' } });
    expect((await send('HEAD', url)).status).toBe(400);
    expect((await left()).files).toEqual(['QUARANTINED']);
  });

  test('a scanner that is away makes the client wait, and then the file appears', async () => {
    const url = await begin(short.length);
    await scanning('INSTREAM size limit exceeded. ERROR');
    expect((await patch(url, 0, short)).status).toBe(503);
    expect((await send('HEAD', url)).status).toBe(423);
    expect(await filesOf(editor)).toEqual([]);
    world().gateway.services.scanner = null;
    expect(await send('HEAD', url)).toMatchObject({ status: 200, offset: String(short.length) });
    expect(await filesOf(editor)).toMatchObject([{ sha256: sha256(short) }]);
  });

  test('a document that became inactive is told of', async () => {
    const url = await begin(short.length);
    await world().graphql(editor, `mutation { inactivate(input: { id: "${documentId}" }) { __typename } }`);
    expect((await patch(url, 0, short)).status).toBe(409);
    expect((await left()).files).toEqual([]);
  });
});

describe.runIf(clamdBinary)('an infected file over tus, by a real clamd', () => {
  test.each<[string, Buffer, Partial<tus.UploadOptions>]>([
    ['in one request', Buffer.concat([short, Buffer.from(eicar)]), {}],
    ['in chunks that cut the virus in two', Buffer.concat([bytes, Buffer.from(eicar)]), { chunkSize: bytes.length + 20 }],
  ])('%s is refused, kept in quarantine, and served on no door', async (_, body, options) => {
    const clamd = await startClamd();
    onTestFinished(() => clamd.stop());
    world().gateway.services.scanner = createScanner({ address: clamd.address, policy: 'fail-closed', timeout: 60_000 }, () => {});
    const failed = upload(body, { retryDelays: null, ...options }, { filename: 'bad.pdf', sha256: sha256(body) });
    await expect(failed).rejects.toThrow(/response code: 400, response text: .*file_infected/);
    expect(await left()).toEqual({ files: ['QUARANTINED'], uploads: ['DONE'] });
    const { data } = await world().graphql(editor, `{ document(id: "${documentId}") { files { id state downloadUrl } } }`);
    const [file] = data.document.files;
    expect(file.state).toBe('QUARANTINED');
    const link = new URL(file.downloadUrl);
    const doors = [
      { url: `/files/${file.id}`, actor: editor },
      { url: link.pathname + link.search, actor: null },
      { url: `/documents/${documentId}/files/${file.id}/`, actor: editor },
      { url: `/documents/${documentId}/files/`, actor: editor },
    ];
    for (const { url, actor } of doors) {
      const answer = await world().inject(actor, { url });
      expect([url, answer.statusCode, answer.body.includes(eicar)]).toEqual([url, expect.toSatisfy((status) => status >= 400), false]);
    }
  });

  test('the same clamd lets a harmless one pass', async () => {
    const clamd = await startClamd();
    onTestFinished(() => clamd.stop());
    world().gateway.services.scanner = createScanner({ address: clamd.address, policy: 'fail-closed', timeout: 60_000 }, () => {});
    await upload(bytes, { chunkSize: 3 * MiB });
    expect(await filesOf(editor)).toMatchObject([{ sha256: sha256(bytes) }]);
    expect((await left()).files).toEqual(['READY']);
  });
});

describe.each(drivers)('over tus to $name', ({ open }) => {
  test('a file comes in chunks that fit no part, another with no bytes, and nothing is left over', async () => {
    const place: OpenStore = await open();
    const { blobs } = world().gateway.services;
    const usual = blobs.open;
    blobs.open = async () => place.store;
    onTestFinished(async () => {
      blobs.open = usual;
      await place.close();
    });
    const body = bytes.subarray(0, 9.5 * MiB);
    await upload(body, { chunkSize: 3 * MiB }, { sha256: sha256(body) });
    await upload(Buffer.alloc(0), {}, { sha256: sha256(Buffer.alloc(0)) });
    const given = await begin(body.length);
    await patch(given, 0, body.subarray(0, 9 * MiB));
    expect(await filesOf(editor)).toMatchObject([{ sha256: sha256(body) }, { size: 0 }]);
    await sweepAfter(26 * HOUR);
    expect(await left()).toEqual({ files: ['READY', 'READY'], uploads: [] });
    const keys: string[] = [];
    for await (const { key } of place.store.list('uploads/')) keys.push(key);
    expect({ keys, unfinished: (await place.unfinished?.()) ?? 0 }).toEqual({ keys: [], unfinished: 0 });
  });
});
