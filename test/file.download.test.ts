import { randomUUID } from 'node:crypto';
import { readdir, readlink } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { signLink } from '../src/auth/links.js';
import { deleteDocument } from '../src/document/document.service.js';
import { useFiles } from './files.world.js';
import type { Actor } from './world.js';

const { world, admin, newFile, send } = useFiles();
const pdf = Buffer.from(`%PDF-1.4\n${'the bytes of a passport\n'.repeat(50)}%%EOF`);
const html = '<!doctype html><script>alert(1)</script>';

describe('a download', () => {
  const get = (url: string, headers: Record<string, string> = {}, actor: Actor | null = admin(), method: 'GET' | 'HEAD' = 'GET') =>
    world().inject(actor, { method, url, headers });

  async function linkTo(id: string, args = '(expiresIn: 60)'): Promise<string> {
    const { data } = await world().graphql(admin(), `{ node(id: "${id}") { ... on File { downloadUrl${args} } } }`);
    const { pathname, search } = new URL(data.node.downloadUrl);
    return pathname + search;
  }

  test('is for the bearer of a token that may read, and for nobody else', async () => {
    const { id } = await newFile('a.pdf', pdf);
    const { actor } = world();
    const found = await get(`/files/${id}`);
    expect([found.statusCode, found.rawPayload.equals(pdf)]).toEqual([200, true]);
    expect((await get(`/files/${id}`, {}, actor('viewer', admin().tenantId))).statusCode).toBe(200);
    expect((await get(`/files/${id}`, {}, actor(['shares:read'], admin().tenantId))).statusCode).toBe(403);
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
    const claims = { tenant: admin().tenantId, file: id, disposition: 'attachment' };
    const wrong = [
      `/files/${other.id}?token=${token}`,
      `/files/${id}?token=${token.slice(0, -2)}AA`,
      `/files/${id}?token=${token.replace(/^[^.]+/, Buffer.from('{"alg":"none"}').toString('base64url'))}`,
      `/files/${id}?token=`,
      `/files/${id}?token=${admin().token}`,
      `/files/${id}?token=${signLink(linkKeys, 'download', claims, -1)}`,
      `/files/${id}?token=${signLink(linkKeys, 'share password', claims, 60)}`,
      `/files/${id}?token=${signLink([Buffer.alloc(32)], 'download', claims, 60)}`,
      `/files/${id}?token=${signLink(linkKeys, 'download', { ...claims, tenant: randomUUID() }, 60)}`,
      `/files/${id}?token=${signLink(linkKeys, 'download', { ...claims, disposition: 'x' }, 60)}`,
    ];
    for (const url of wrong) expect((await get(url, {}, null)).statusCode, url).toBe(404);
    // A link is no better than the file: what is deleted is gone for it at once.
    await world().graphql(admin(), `mutation { deleteFile(input: { id: "${id}" }) { __typename } }`);
    expect((await get(link, {}, null)).statusCode).toBe(404);
    const late = await linkTo(other.id);
    await deleteDocument(world().context(admin()), other.document, {});
    expect((await get(late, {}, null)).statusCode).toBe(404);
  });

  test.each([0, -1, 3601, 2 ** 31 - 1])('has no link that is good for %s seconds', async (expiresIn) => {
    const { id } = await newFile('a.txt', 'x');
    const answer = await world().graphql(admin(), `{ node(id: "${id}") { ... on File { downloadUrl(expiresIn: ${expiresIn}) } } }`);
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
    const head = await get(url, {}, admin(), 'HEAD');
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
    const storage = await world().gateway.services.prisma.storage.findFirstOrThrow({ where: { tenantId: admin().tenantId } });
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
      return (await Promise.all(links)).filter((path) => path.includes(admin().tenantId));
    };
    const response = await send('GET', `/files/${id}`);
    response.once('data', () => response.pause());
    await expect.poll(open).not.toEqual([]);
    response.destroy();
    await expect.poll(open).toEqual([]);
    expect((await buffer(await send('GET', `/files/${id}`))).length).toBe(24 * 1024 * 1024);
  });
});
