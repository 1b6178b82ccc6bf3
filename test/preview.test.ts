import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createDocument } from '../src/document/document.service.js';
import { downloadLink } from '../src/file/download.service.js';
import type { FileRow } from '../src/file/file.service.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { previewTable, previewText } from '../src/rendition/preview.service.js';
import { incoming } from './objects.js';
import { lockedPdf, pdfOf } from './pdfs.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld({ PREVIEW_WORKERS: '1' });
let ours: Actor;
beforeAll(() => {
  ours = world().actor('admin');
});
const ctx = () => world().context(ours);

async function newFile(name: string, bytes: Buffer | string, type?: string): Promise<FileRow> {
  const { id } = await createDocument(ctx(), { name });
  const { files } = await uploadFiles(ctx(), id, incoming({ name, bytes, type }));
  const [file] = files;
  if (!file) throw new Error('nothing was uploaded');
  return file;
}

interface Asked {
  who?: Actor | null;
  headers?: Record<string, string>;
}
const get = (url: string, { who = ours, headers = {} }: Asked = {}) => world().inject(who, { url, headers });
const previewOf = ({ id }: FileRow, query = '', asked?: Asked) => get(`/files/${id}/preview${query}`, asked);

/** The path of the link that GraphQL gives. */
async function linkTo({ id }: FileRow, args = ''): Promise<string> {
  const { data } = await world().graphql(ours, `{ node(id: "${id}") { ... on File { previewUrl${args} } } }`);
  return data.node.previewUrl.replace(/^https?:\/\/[^/]+/, '');
}

describe('GET /files/{id}/preview', () => {
  test('answers a WebP that a browser can do nothing with but show it', async () => {
    const file = await newFile('Lohn "ü".pdf', pdfOf());
    const answer = await previewOf(file, '?page=1&width=160');
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'image/webp',
      'content-disposition': expect.stringMatching(/^inline; filename=.*\.webp/),
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'cache-control': expect.stringContaining('private'),
      etag: `"${file.sha256}-1-160"`,
    });
    expect(answer.rawPayload.subarray(8, 12).toString()).toBe('WEBP');
  });

  test('304 for whoever has it, before anything is drawn', async () => {
    const file = await newFile('a.pdf', pdfOf({ pages: 2 }));
    const etag = `"${file.sha256}-2-640"`;
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`]) {
      const answer = await previewOf(file, '?page=2', { headers: { 'if-none-match': known } });
      expect({ status: answer.statusCode, etag: answer.headers.etag, body: answer.body }).toEqual({ status: 304, etag, body: '' });
    }
    expect(await ctx().db.rendition.count({ where: { fileId: file.id } })).toBe(0);
    expect((await previewOf(file, '?page=1', { headers: { 'if-none-match': etag } })).statusCode).toBe(200);
  });

  test('takes the link of `File.previewUrl` in place of a bearer token', async () => {
    const file = await newFile('a.pdf', pdfOf({ pages: 2 }));
    const answer = await get(await linkTo(file, '(page: 2, width: 200)'), { who: null });
    expect({ status: answer.statusCode, etag: answer.headers.etag }).toEqual({ status: 200, etag: `"${file.sha256}-2-320"` });
  });

  test('takes no link that was made for something else', async () => {
    const [file, other] = [await newFile('a.pdf', pdfOf()), await newFile('b.pdf', pdfOf())];
    const token = (url: string) => new URL(url, 'http://localhost').searchParams.get('token') ?? '';
    const links = [token(await linkTo(other)), token(downloadLink(ctx(), file)), 'nonsense', ''];
    for (const link of links) expect((await previewOf(file, `?token=${link}`, { who: null })).statusCode).toBe(404);
    const preview = token(await linkTo(file));
    expect((await get(`/files/${file.id}?token=${preview}`, { who: null })).statusCode).toBe(404);
  });

  test.each<[string, string, number, object]>([
    ['a page after the last', '?page=2', 404, { detail: 'Not found.' }],
    ['page 0', '?page=0', 400, {}],
    ['half a page', '?page=1.5', 400, {}],
    ['no number', '?page=one', 400, {}],
    ['a width below 1', '?width=0', 400, {}],
  ])('refuses %s', async (_, query, status, body) => {
    const answer = await previewOf(await newFile('a.pdf', pdfOf()), query);
    expect({ status: answer.statusCode, body: answer.json() }).toMatchObject({ status, body });
  });

  test('is for readers of the file alone', async () => {
    const file = await newFile('a.pdf', pdfOf());
    expect((await previewOf(file)).statusCode).toBe(200);
    const nobody = world().actor([], ours.tenantId);
    const answers = await Promise.all([null, nobody, world().actor('admin')].map((who) => previewOf(file, '', { who })));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([401, 403, 404]);
  });

  test.each(['QUARANTINED', 'DELETED'] as const)('is gone once the file is %s, for links too', async (state) => {
    const file = await newFile('a.pdf', pdfOf());
    const link = await linkTo(file);
    expect((await get(link, { who: null })).statusCode).toBe(200);
    await ctx().db.file.updateMany({ where: { id: file.id }, data: { state } });
    const answers = [await get(link, { who: null }), await previewOf(file)];
    for (const answer of answers) expect(answer.statusCode).toBeGreaterThanOrEqual(400);
    for (const answer of answers) expect(answer.headers['content-type']).toMatch(/^application\/json/);
  });

  test.each<[string, string, Buffer | string]>([
    ['of a type without pictures', 'a.txt', 'text'],
    ['with a password', 'a.pdf', lockedPdf()],
    ['that is broken', 'a.pdf', '%PDF-1.7 rubbish'],
    ['of zero bytes', 'a.pdf', ''],
  ])('says no_preview for a file %s', async (_, name, bytes) => {
    const answer = await previewOf(await newFile(name, bytes));
    expect({ status: answer.statusCode, body: answer.json() }).toMatchObject({ status: 404, body: { code: 'no_preview' } });
  });

  test('503 with Retry-After while too much of a tenant waits; all that waited is answered', async () => {
    const file = await newFile('a.pdf', pdfOf({ pages: 60 }));
    const { blobs } = world().gateway.services;
    const { open } = blobs;
    onTestFinished(() => {
      blobs.open = open;
    });
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    blobs.open = async (address) => {
      const store = await open(address);
      return { ...store, get: (...args) => begun.then(() => store.get(...args)) };
    };
    const refused: { statusCode: number; headers: object }[] = [];
    const answers = Array.from({ length: 60 }, async (_, index) => {
      const answer = await previewOf(file, `?page=${index + 1}&width=160`);
      if (answer.statusCode !== 200) refused.push(answer);
      return answer.statusCode;
    });
    // One under way, fifty waiting.
    await expect.poll(() => refused.length, { timeout: 10_000 }).toBe(9);
    begin();
    expect((await Promise.all(answers)).filter((status) => status === 200)).toHaveLength(51);
    expect(refused).toHaveLength(9);
    for (const { statusCode, headers } of refused)
      expect({ statusCode, headers }).toMatchObject({ statusCode: 503, headers: { 'retry-after': '5' } });
  });
});

describe('File.previewUrl and File.pageCount', () => {
  const fields = async ({ id }: FileRow, selection: string) =>
    world().graphql(ours, `{ node(id: "${id}") { ... on File { ${selection} } } }`);

  test('are null for files without pictures or pages', async () => {
    const { data } = await fields(await newFile('a.txt', 'text'), 'previewUrl pageCount');
    expect(data.node).toEqual({ previewUrl: null, pageCount: null });
  });

  test('tell the pages of a PDF, and null for one that cannot be read, without failing the query', async () => {
    expect((await fields(await newFile('a.pdf', pdfOf({ pages: 3 })), 'pageCount')).data.node).toEqual({ pageCount: 3 });
    expect(await fields(await newFile('a.pdf', lockedPdf()), 'pageCount')).toEqual({ data: { node: { pageCount: null } } });
  });

  test.each(['page: 0', 'width: 0', 'page: 2000000'])('refuse %s', async (args) => {
    const { errors } = await fields(await newFile('a.pdf', pdfOf()), `previewUrl(${args})`);
    expect(errors?.[0]?.extensions.code).toBe('VALIDATION_FAILED');
  });
});

describe('previewText', () => {
  test.each<[string, string | Buffer, string, boolean]>([
    ['a short text', 'Grüße', 'Grüße', false],
    ['nothing', '', '', false],
    ['a byte order mark', '\ufeffabc', 'abc', false],
    ['bytes that are not UTF-8', Buffer.from([0x61, 0xff, 0x62]), 'a\ufffdb', false],
    ['64 KiB and more, not in the middle of a letter', `a${'ü'.repeat(40_000)}`, `a${'ü'.repeat(32_767)}`, true],
  ])('of %s', async (_, bytes, text, truncated) => {
    const file = { ...(await newFile('a.txt', bytes)), contentType: 'text/plain' };
    expect(await previewText(ctx(), file)).toEqual({ text, truncated });
  });

  test.each(['a.pdf', 'a.html'])('is not for %s', async (name) => {
    const file = await newFile(name, name === 'a.pdf' ? pdfOf() : '<!doctype html><script>1</script>');
    await expect(previewText(ctx(), file)).rejects.toMatchObject({ code: 'NO_PREVIEW', reason: 'UNSUPPORTED' });
  });
});

describe('previewTable', () => {
  test.each<[string, string, string[][], boolean]>([
    [
      'commas',
      'a,b\n1,2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
      false,
    ],
    [
      'semicolons, with decimal commas',
      'Betrag;Größe\r\n1,50;M\r\n',
      [
        ['Betrag', 'Größe'],
        ['1,50', 'M'],
      ],
      false,
    ],
    [
      'tabs',
      'a\tb\n1\t2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
      false,
    ],
    ['quotes with separators, quotes and lines in them', '"a,b","c ""d""","e\nf"\n', [['a,b', 'c "d"', 'e\nf']], false],
    ['rows of different lengths', 'a\nb,c,d\n\n', [['a'], ['b', 'c', 'd']], false],
    ['formulas, as text', '=1+1,@x\n', [['=1+1', '@x']], false],
    ['a long cell', `${'x'.repeat(600)},b\n`, [['x'.repeat(500), 'b']], true],
    ['many columns', `${Array(60).fill('x').join(',')}\n`, [Array(50).fill('x')], true],
    ['many rows', 'a,b\n'.repeat(300), Array(200).fill(['a', 'b']), true],
  ])('reads %s', async (_, bytes, rows, truncated) => {
    const file = { ...(await newFile('a.csv', bytes)), contentType: 'text/csv' };
    expect(await previewTable(ctx(), file)).toEqual({ rows, truncated });
  });

  test('of a file that goes on shows whole rows only', async () => {
    const file = { ...(await newFile('a.csv', `${'x'.repeat(999)},y\n`.repeat(100))), contentType: 'text/csv' };
    const { rows, truncated } = await previewTable(ctx(), file);
    expect({ truncated, lengths: new Set(rows.map((row) => row.length)), count: rows.length }).toEqual({
      truncated: true,
      lengths: new Set([2]),
      count: 65,
    });
  });
});
