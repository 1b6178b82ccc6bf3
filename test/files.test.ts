import { randomUUID } from 'node:crypto';
import { readdir, readlink } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { signLink } from '../src/auth/links.js';
import { deleteDocument } from '../src/document/document.service.js';
import { expireUploads, sweepFiles } from '../src/file/file.sweeper.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { removeRenditions } from '../src/rendition/rendition.store.js';
import { purgeDocuments } from '../src/share/share.sweeper.js';
import { graphqlUpload } from './multipart.js';
import { createObjects } from './objects.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld({ RETENTION_DAYS: '30' });
const DAY = 24 * 60 * 60 * 1000;
const pdf = Buffer.from(`%PDF-1.4\n${'the bytes of a passport\n'.repeat(50)}%%EOF`);
const html = '<!doctype html><script>alert(1)</script>';
const uploadMutation = `mutation ($id: ID!, $files: [Upload!]!) { uploadFiles(input: { documentId: $id, files: $files }) {
  __typename ... on Error { code message } ... on UploadedFiles { files { id size } } } }`;

let admin: Actor;
let port: number;

beforeAll(async () => {
  await world().app.listen({ port: 0, host: '127.0.0.1' });
  port = (world().app.server.address() as AddressInfo).port; // It listens on a port.
});
beforeEach(() => {
  admin = world().actor('admin');
});

async function newDocument(): Promise<string> {
  const { data } = await world().graphql(admin, 'mutation { createDocument(input: { name: "D" }) { ... on Document { id } } }');
  return data.createDocument.id;
}

async function newFile(name: string, body: string | Buffer, type?: string): Promise<{ id: string; document: string }> {
  const document = await newDocument();
  const uploaded = await world().upload(admin, document, [{ name, body, type }]);
  if (uploaded.__typename !== 'UploadedFiles') throw new Error(JSON.stringify(uploaded));
  return { id: uploaded.files[0]?.id ?? '', document };
}

/** Every row of a tenant's files, and every file in its folders, drafts included. */
async function left(tenantId = admin.tenantId) {
  const { pool } = world().gateway.database;
  const { rows } = await pool.query<{ state: string; id: string }>('SELECT id, state FROM files WHERE tenant_id = $1 ORDER BY id', [
    tenantId,
  ]);
  const folder = join(world().gateway.settings.dataDir, 'blobs', tenantId);
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return { rows, blobs: found.filter((entry) => entry.isFile()).map(({ name }) => name) };
}
const nothing = { rows: [], blobs: [] };

describe('a download', () => {
  const get = (url: string, headers: Record<string, string> = {}, actor: Actor | null = admin, method: 'GET' | 'HEAD' = 'GET') =>
    world().inject(actor, { method, url, headers });

  async function linkTo(id: string, args = '(expiresIn: 60)'): Promise<string> {
    const { data } = await world().graphql(admin, `{ node(id: "${id}") { ... on File { downloadUrl${args} } } }`);
    const { pathname, search } = new URL(data.node.downloadUrl);
    return pathname + search;
  }

  test('is for the bearer of a token that may read, and for nobody else', async () => {
    const { id } = await newFile('a.pdf', pdf);
    const { actor } = world();
    const found = await get(`/files/${id}`);
    expect([found.statusCode, found.rawPayload.equals(pdf)]).toEqual([200, true]);
    expect((await get(`/files/${id}`, {}, actor('viewer', admin.tenantId))).statusCode).toBe(200);
    expect((await get(`/files/${id}`, {}, actor(['shares:read'], admin.tenantId))).statusCode).toBe(403);
    expect((await get(`/files/${id}`, {}, null)).statusCode).toBe(401);
    const foreign = await get(`/files/${id}`, {}, actor('admin'));
    const missing = await get('/files/01ARZ3NDEKTSV4RRFFQ69G5FAV', {}, actor('admin'));
    expect([foreign.statusCode, foreign.body]).toEqual([404, missing.body]);
    for (const odd of ['%00', '..%2f..%2fkeys.json', 'x'.repeat(500), '%F0%9F%93%84', "'--"])
      expect((await get(`/files/${odd}`)).statusCode, odd).toBeLessThan(500);
  });

  test('by a signed link needs no token, until it expires', async () => {
    const { id } = await newFile('a.pdf', pdf);
    const other = await newFile('b.pdf', pdf);
    const link = await linkTo(id);
    const found = await get(link, {}, null);
    expect([found.statusCode, found.rawPayload.equals(pdf)]).toEqual([200, true]);
    const [, token = ''] = link.split('?token=');
    const { linkKeys } = world().gateway.services;
    const claims = { tenant: admin.tenantId, file: id, disposition: 'attachment' };
    const wrong = [
      `/files/${other.id}?token=${token}`,
      `/files/${id}?token=${token.slice(0, -2)}AA`,
      `/files/${id}?token=${token.replace(/^[^.]+/, Buffer.from('{"alg":"none"}').toString('base64url'))}`,
      `/files/${id}?token=`,
      `/files/${id}?token=${admin.token}`,
      `/files/${id}?token=${signLink(linkKeys, 'download', claims, -1)}`,
      `/files/${id}?token=${signLink(linkKeys, 'share password', claims, 60)}`,
      `/files/${id}?token=${signLink([Buffer.alloc(32)], 'download', claims, 60)}`,
      `/files/${id}?token=${signLink(linkKeys, 'download', { ...claims, tenant: randomUUID() }, 60)}`,
      `/files/${id}?token=${signLink(linkKeys, 'download', { ...claims, disposition: 'x' }, 60)}`,
    ];
    for (const url of wrong) expect((await get(url, {}, null)).statusCode, url).toBe(404);
    // A link is no better than the file: what is deleted is gone for it at once.
    await world().graphql(admin, `mutation { deleteFile(input: { id: "${id}" }) { __typename } }`);
    expect((await get(link, {}, null)).statusCode).toBe(404);
    const late = await linkTo(other.id);
    await deleteDocument(world().context(admin), other.document, {});
    expect((await get(late, {}, null)).statusCode).toBe(404);
  });

  test.each([0, -1, 3601, 2 ** 31 - 1])('has no link that is good for %s seconds', async (expiresIn) => {
    const { id } = await newFile('a.txt', 'x');
    const answer = await world().graphql(admin, `{ node(id: "${id}") { ... on File { downloadUrl(expiresIn: ${expiresIn}) } } }`);
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'VALIDATION_FAILED', fields: [{ path: 'expiresIn' }] });
  });

  test('answers ranges, conditions and HEAD', async () => {
    const { id } = await newFile('a.pdf', pdf);
    const url = `/files/${id}`;
    const whole = await get(url);
    const etag = String(whole.headers.etag);
    expect(whole.headers).toMatchObject({
      'accept-ranges': 'bytes',
      'content-length': String(pdf.length),
      etag: expect.stringMatching(/^"[0-9a-f]{64}"$/),
    });
    const parts: [string, number, number][] = [
      ['bytes=0-4', 0, 5],
      ['bytes=5-', 5, pdf.length],
      ['bytes=-6', pdf.length - 6, pdf.length],
      ['bytes=10-99999999', 10, pdf.length],
    ];
    for (const [range, start, end] of parts) {
      const part = await get(url, { range });
      expect([part.statusCode, part.headers['content-range'], part.rawPayload]).toEqual([
        206,
        `bytes ${start}-${end - 1}/${pdf.length}`,
        pdf.subarray(start, end),
      ]);
    }
    for (const range of [`bytes=${pdf.length}-`, 'bytes=0-1,3-4', 'bytes=-0']) {
      const refused = await get(url, { range });
      expect([refused.statusCode, refused.headers['content-range'], refused.body]).toEqual([
        416,
        `bytes */${pdf.length}`,
        expect.stringMatching(/^{"detail":"Ask for one range/),
      ]);
    }
    for (const range of ['items=0-1', 'bytes=x', 'bytes=5-1']) expect((await get(url, { range })).statusCode, range).toBe(200);
    expect((await get(url, { range: 'bytes=0-4', 'if-range': etag })).statusCode).toBe(206);
    expect((await get(url, { range: 'bytes=0-4', 'if-range': '"other"' })).statusCode).toBe(200);

    const unchanged = await get(url, { 'if-none-match': etag });
    expect([unchanged.statusCode, unchanged.body, unchanged.headers.etag]).toEqual([304, '', etag]);
    expect((await get(url, { 'if-none-match': '"other"' })).statusCode).toBe(200);
    const head = await get(url, {}, admin, 'HEAD');
    expect([head.statusCode, head.body, head.headers['content-length']]).toEqual([200, '', String(pdf.length)]);
    expect((await get(url, {}, null, 'HEAD')).statusCode).toBe(401);
  });

  test('of an empty file works', async () => {
    const { id } = await newFile('empty.txt', '');
    const empty = await get(`/files/${id}`);
    expect([empty.statusCode, empty.body, empty.headers['content-length']]).toEqual([200, '', '0']);
    expect((await get(`/files/${id}`, { range: 'bytes=0-0' })).statusCode).toBe(200);
  });

  test('is shown in a browser only when its bytes are safe to show, whatever was declared', async () => {
    const [document, script, lie] = [
      await newFile('größe — x.pdf', pdf),
      await newFile('a.html', html, 'text/html'),
      await newFile('a.pdf', html, 'application/pdf'),
    ];
    const shown = await get(await linkTo(document.id, '(disposition: INLINE)'), {}, null);
    expect(shown.headers).toMatchObject({
      'content-type': 'application/pdf',
      'content-disposition': expect.stringMatching(/^inline; .*filename\*=UTF-8''gr%C3%B6%C3%9Fe/),
    });
    expect((await get(await linkTo(document.id), {}, null)).headers['content-disposition']).toMatch(/^attachment/);
    for (const { id } of [script, lie]) {
      const saved = await get(await linkTo(id, '(disposition: INLINE)'), {}, null);
      expect(saved.headers['content-disposition']).toMatch(/^attachment/);
      expect(saved.headers['content-type']).not.toMatch(/html|pdf/);
      expect(saved.headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringContaining('sandbox'),
      });
    }
  });

  test('of a file in quarantine is refused', async () => {
    const { id } = await newFile('a.pdf', pdf);
    const link = await linkTo(id);
    await world().gateway.database.pool.query(`UPDATE files SET state = 'QUARANTINED' WHERE id = $1`, [id]);
    for (const refused of [await get(`/files/${id}`), await get(link, {}, null)]) {
      expect(refused.statusCode).toBe(409);
      expect(refused.body).not.toContain('passport');
    }
  });

  test('whose bytes are lost says so, and sends nothing as if it were whole', async () => {
    const { id } = await newFile('a.pdf', pdf);
    const { blobs } = world().gateway.services;
    const storage = await world().gateway.services.prisma.storage.findFirstOrThrow({ where: { tenantId: admin.tenantId } });
    const row = await world().gateway.services.prisma.file.findFirstOrThrow({ where: { id } });
    await (await blobs.open({ ...storage, credentials: {} })).delete(row.objectKey);
    const lost = await get(`/files/${id}`);
    expect(lost.statusCode).toBeGreaterThanOrEqual(400);
    expect(lost.body).not.toContain(world().gateway.settings.dataDir);
  });

  test.runIf(process.platform === 'linux')('whose client goes away leaves no file open', async () => {
    const { id } = await newFile('big.bin', Buffer.alloc(24 * 1024 * 1024, 7));
    const open = async () => {
      const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
      return (await Promise.all(links)).filter((path) => path.includes(admin.tenantId));
    };
    const response = await send('GET', `/files/${id}`);
    response.once('data', () => response.pause());
    await expect.poll(open).not.toEqual([]);
    response.destroy();
    await expect.poll(open).toEqual([]);
    expect((await buffer(await send('GET', `/files/${id}`))).length).toBe(24 * 1024 * 1024);
  });
});

/** Connections stay open after an answer, as those of browsers do. */
const agent = new Agent({ keepAlive: true });
afterAll(() => agent.destroy());

/** A request over a real socket; `write` sends its body. */
function send(
  method: string,
  path: string,
  headers: Record<string, string | number> = {},
  write?: (request: ReturnType<typeof httpRequest>) => void,
) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest({ port, method, path, headers: { authorization: `Bearer ${admin.token}`, ...headers }, agent }, resolve);
    request.on('error', reject);
    if (write) write(request);
    else request.end();
  });
}

describe('an upload', () => {
  test('that its client breaks off leaves nothing', async () => {
    const id = await newDocument();
    const { headers, payload } = graphqlUpload(uploadMutation, { id }, [
      { name: 'a.txt', body: 'whole' },
      { name: 'b.bin', body: Buffer.alloc(4 * 1024 * 1024) },
    ]);
    const broken = send('POST', '/graphql', { ...headers, 'content-length': payload.length }, (request) => {
      request.write(payload.subarray(0, 2 * 1024 * 1024));
      void expect
        .poll(async () => (await left()).rows.length)
        .toBe(2)
        .then(() => request.destroy(new Error('gone')));
    });
    await expect(broken).rejects.toThrow('gone');
    await expect.poll(() => left(), { timeout: 10_000 }).toEqual(nothing);
  });

  test.each([
    ['is not valid', uploadMutation.replace('uploadFiles', 'nonsense'), ''],
    ['is for a document that is not there', uploadMutation, 'no-such-document'],
  ])('of 50 MB whose operation %s is answered, and its client is not left hanging', async (_, query, id) => {
    const { headers, payload } = graphqlUpload(query, { id }, [{ name: 'big.bin', body: Buffer.alloc(50 * 1024 * 1024) }]);
    const sent = vi.fn();
    const response = await send('POST', '/graphql', { ...headers, 'content-length': payload.length }, (request) => {
      request.once('finish', sent);
      request.end(payload);
    });
    expect(JSON.parse(String(await buffer(response)))).toMatchObject(
      id ? { data: { uploadFiles: { __typename: 'NotFoundError' } } } : { errors: [{}] },
    );
    await expect.poll(() => sent.mock.calls.length, { timeout: 10_000 }).toBe(1);
    expect(await left()).toEqual(nothing);
  });

  test('whose store fails leaves nothing, and says so without saying where', async () => {
    const id = await newDocument();
    const { services } = world().gateway;
    const { open } = services.blobs;
    services.blobs.open = async (address) => ({
      ...(await open(address)),
      put: () => Promise.reject(Object.assign(new Error('/secret/path'), { code: 'EIO' })),
    });
    onTestFinished(() => {
      services.blobs.open = open;
    });
    const answer = await world().inject(admin, graphqlUpload(uploadMutation, { id }, [{ name: 'a.txt', body: 'x' }]));
    expect(answer.body).toContain('"code":"');
    expect(answer.body).not.toContain('/secret');
    await expect.poll(() => left()).toEqual(nothing);
  });
});

describe('the sweeper', () => {
  let ahead = 0;
  /** Lets the clock of the gateway run ahead of the real one until the test ends; in milliseconds. */
  const wait = (milliseconds: number) => {
    ahead = milliseconds;
  };

  beforeAll(() => {
    world().gateway.services.now = () => new Date(Date.now() + ahead);
  });
  beforeEach(() => wait(0));
  const sweep = () => sweepFiles(world().context(null), removeRenditions);

  /** An upload that a crash cut off: its row, with or without its bytes. */
  async function leftover(sweepAfter: Date, bytes: boolean): Promise<string> {
    const { prisma, blobs } = world().gateway.services;
    const { id, document } = await newFile('a.txt', 'bytes');
    const storage = await prisma.storage.findFirstOrThrow({ where: { tenantId: admin.tenantId } });
    const row = await prisma.file.findFirstOrThrow({ where: { id } });
    const store = await blobs.open({ ...storage, credentials: {} });
    if (!bytes) await store.delete(row.objectKey);
    await prisma.file.updateMany({ where: { id, documentId: document }, data: { state: 'UPLOADING', sha256: '', size: 0, sweepAfter } });
    return id;
  }

  test('removes what a crash left, with its bytes or without', async () => {
    await leftover(new Date(Date.now() - 1000), true);
    await leftover(new Date(Date.now() - 1000), false);
    expect((await left()).blobs.length).toBe(1);
    expect(await sweep()).toBeGreaterThanOrEqual(2);
    expect(await left()).toEqual(nothing);
  });

  test('leaves an upload alone whose lease runs, but for the start of the only process', async () => {
    const id = await leftover(new Date(Date.now() + 60_000), true);
    await sweep();
    expect((await left()).rows).toEqual([{ id, state: 'UPLOADING' }]);
    await expireUploads(world().context(null));
    await sweep();
    expect(await left()).toEqual(nothing);
  });

  test('never takes what is READY', async () => {
    const { id } = await newFile('a.txt', 'bytes');
    wait(1000 * DAY);
    await expireUploads(world().context(null));
    await sweep();
    expect((await left()).rows).toEqual([{ id, state: 'READY' }]);
  });

  test('keeps the row while the store errs, and comes back', async () => {
    const id = await leftover(new Date(Date.now() - 1000), true);
    const { services } = world().gateway;
    const { open } = services.blobs;
    services.blobs.open = async (address) => ({ ...(await open(address)), delete: () => Promise.reject(new Error('403')) });
    expect(await sweep()).toBe(0);
    services.blobs.open = open;
    expect(await left()).toMatchObject({ rows: [{ id, state: 'DELETED' }], blobs: [expect.any(String)] });
    await sweep();
    expect((await left()).rows.length).toBe(1);
    wait(11 * 60_000);
    await sweep();
    expect(await left()).toEqual(nothing);
  });

  test('removes a deleted file after the retention time and not before', async () => {
    const { id, document } = await newFile('a.txt', 'bytes');
    await world().graphql(admin, `mutation { deleteFile(input: { id: "${id}" }) { __typename } }`);
    wait(29.9 * DAY);
    await sweep();
    expect(await left()).toMatchObject({ rows: [{ id, state: 'DELETED' }], blobs: [expect.any(String)] });
    wait(30.1 * DAY);
    await sweep();
    expect(await left()).toEqual(nothing);
    expect((await world().graphql(admin, `{ document(id: "${document}") { files { id } history { totalCount } } }`)).data.document).toEqual(
      {
        files: [],
        history: { totalCount: 3 },
      },
    );
  });

  test('removes a document from the trash after the retention time, with its files and shares; its history stays', async () => {
    const { document, elsewhere } = await createObjects(() => world().context(admin));
    await deleteDocument(world().context(admin), document.id, {});
    const { prisma } = world().gateway.services;
    const count = async () => {
      const where = { tenantId: admin.tenantId };
      return [
        await prisma.document.count({ where: { ...where, id: { not: elsewhere.id } } }),
        await prisma.file.count({ where }),
        await prisma.share.count({ where }),
      ];
    };
    const purge = async () => {
      await sweep();
      await purgeDocuments(world().context(null));
    };
    wait(29.9 * DAY);
    await purge();
    expect(await count()).toEqual([2, 1, 1]);
    wait(30.1 * DAY);
    // With its files still there a document stays: nothing may own bytes that no row names.
    await purgeDocuments(world().context(null));
    expect(await count()).toEqual([1, 1, 1]);
    await purge();
    expect(await count()).toEqual([0, 0, 0]);
    expect((await left()).blobs).toEqual([]);
    expect(await prisma.auditEvent.count({ where: { tenantId: admin.tenantId, subjectId: document.id } })).toBe(4);
  });

  test('does not take an upload that is slow but alive', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const start = new Date();
    const { upload, bytes } = await slowUpload();
    for (let step = 1; step <= 6; step++) {
      wait(step * 20_000);
      vi.advanceTimersByTime(20_000);
      const renewed = async () => ((await rowsOf())[0]?.sweepAfter ?? start) > new Date(start.getTime() + step * 20_000 + 50_000);
      await expect.poll(renewed).toBe(true);
      await sweep();
      bytes.write('more');
    }
    bytes.end();
    expect((await upload).files).toMatchObject([{ state: 'READY', size: 28n }]);
    expect((await left()).blobs.length).toBe(1);
  });

  test('takes one that was silent too long: it fails and leaves nothing', async () => {
    const { upload, bytes } = await slowUpload();
    wait(61_000);
    await sweep();
    bytes.end();
    await expect(upload).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect.poll(() => left()).toEqual(nothing);
  });

  const rowsOf = () => world().gateway.services.prisma.file.findMany({ where: { tenantId: admin.tenantId } });

  async function slowUpload() {
    const id = await newDocument();
    const bytes = new PassThrough();
    bytes.write('slow');
    async function* files() {
      yield { name: 'a.txt', declaredType: 'text/plain', open: () => bytes };
    }
    const upload = uploadFiles(world().context(admin), id, files());
    upload.catch(() => {}); // Awaited later.
    await expect.poll(async () => (await rowsOf()).length).toBe(1);
    return { upload, bytes };
  }
});
