import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { pdf, png } from '../src/demo/files.js';
import { revokeShare } from '../src/share/share.service.js';
import { browserAccept, text, usePages } from './share.page.world.js';
import type { shareScene } from './share.scene.js';
import { unzip } from './unzip.js';

const { world, get, open, scene } = usePages();

describe('whoever asks gets what they can read', () => {
  test.each([
    ['application/json', 'application/json'],
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    [undefined, 'application/json'],
    ['application/json, text/html;q=0.5', 'application/json'],
    ['image/png', 'application/json'],
    ['text/html', 'text/html'],
    [browserAccept, 'text/html'],
  ])('Accept: %s at the documented path is answered with %s', async (accept, type) => {
    const { token } = await scene();
    for (const url of [`/documents/preview/${token}/`, `/documents/preview/?token=${token}`, `/documents/preview/${randomUUID()}/`]) {
      const { headers } = await get(url, accept === undefined ? {} : { accept });
      expect(headers['content-type']).toBe(`${type}; charset=utf-8`);
      expect(headers.vary).toBe('accept');
      expect(headers['cache-control']).toBe('no-store');
    }
  });

  test('/s/{token} is the page, whatever is asked for', async () => {
    const { path } = await scene();
    for (const accept of ['application/json', '*/*', browserAccept]) {
      expect((await get(path, { accept })).headers['content-type']).toBe('text/html; charset=utf-8');
    }
  });
});

const styleOf = (body: string) => /<style>([^<]+)<\/style>/.exec(body)?.[1] ?? '';
const hashOf = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`;

describe('every page', () => {
  test('keeps to itself, and runs nothing but its own stylesheet and the files beside it', async () => {
    const { path, token } = await scene();
    const locked = await scene({ share: { password: 'correct' } });
    for (const url of [path, `/documents/preview/${token}/`, locked.path, `/s/${randomUUID()}`, '/s/nothing']) {
      const { headers, body } = await open(url);
      expect(headers).toMatchObject({
        'content-security-policy': `default-src 'none'; style-src '${hashOf(styleOf(body))}'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
        'referrer-policy': 'no-referrer',
        'x-robots-tag': 'noindex, nofollow, noarchive',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
      expect(body.replace(styleOf(body), '')).not.toMatch(/style=|\son\w+=|<script(?! src)|javascript:|https?:/);
    }
  });

  const annexes = (count: number, name = '') => Array.from({ length: count }, (_, index) => text(`Annex ${index}${name}.txt`));
  const of = (name: string, type: string, bytes: string) => [{ name, type, bytes }, ...annexes(19)];
  const quotes = '"'.repeat(64 * 1024);
  test.each<[string, Parameters<typeof shareScene>[1]]>([
    ['of 20 files', { files: annexes(20) }],
    [
      'of 200 files with long names',
      { files: annexes(200, ' of a contract with a long name'.repeat(5)), description: 'Long. '.repeat(160) },
    ],
    [
      'of a PDF',
      { files: [{ name: 'a.pdf', type: 'application/pdf', bytes: pdf(...Array<string[]>(30).fill(['Page'])) }, ...annexes(19)] },
    ],
    [
      'of 64 KiB of text',
      { files: of('a.txt', 'text/plain', 'A line of a text.\n'.repeat(4000)), share: { watermark: 'For Ada Example' } },
    ],
    ['of 64 KiB that are all escaped', { files: of('a.txt', 'text/plain', quotes), share: { watermark: 'x'.repeat(100) } }],
    ['of a table', { files: of('a.csv', 'text/csv', 'name,account,amount\nAda Example,DE00 1234,12.50\n'.repeat(100)) }],
    ['of a table of long cells', { files: of('a.csv', 'text/csv', `${`${'<>'.repeat(300)},`.repeat(50)}\n`.repeat(3)) }],
  ])('%s is less than 50 kB with its stylesheet, and fetches nothing before it is painted', async (_, options) => {
    const { path } = await scene(options);
    const { body, rawPayload } = await open(path);
    expect(body).not.toContain('There is no preview');
    expect(styleOf(body)).toContain('prefers-color-scheme: dark');
    expect(rawPayload.length).toBeLessThan(50_000);
    expect(body).not.toMatch(/<link rel="stylesheet"|@import|<script src="[^"]+">/);
  });

  test('has its files at addresses that change with them, kept for good', async () => {
    const page = await open('/s/nothing');
    const paths = [...page.body.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path = '']) => path);
    expect(paths).toHaveLength(2);
    for (const path of paths) {
      expect(path).toMatch(/^\/assets\/\w+-[0-9a-f]{12}\.(js|svg)$/);
      expect(await open(path)).toMatchObject({ statusCode: 200, headers: { 'cache-control': 'public, max-age=31536000, immutable' } });
    }
    for (const path of ['/assets/page.js', '/assets/page-000000000000.js', '/assets/..%2fpage.rest.ts']) {
      expect((await open(path)).statusCode).toBe(404);
    }
  });
});

describe('a page shows', () => {
  test('name, description, status, end, files and where to download them', async () => {
    const { path, share } = await scene({ name: 'Proof', description: 'Two\nlines', files: [text('a.txt'), text('b.txt')] });
    const { body, statusCode } = await open(path);
    expect(statusCode).toBe(200);
    expect(body).toContain('<title>Proof – shared document</title>');
    expect(body).toContain('Two\nlines');
    expect(body).toContain('Waiting for review');
    expect(body).toContain(`<time datetime="${share.expiresAt.toISOString()}">`);
    expect(body.match(new RegExp(`href="${path}/files/\\w{26}" download`, 'g'))).toHaveLength(3);
    expect(body).toContain('2, 22 bytes');
  });

  test('no way to download where the share has none', async () => {
    const { path } = await scene({ files: [text('a.txt')], share: { allowDownload: false } });
    const { body } = await open(path);
    expect(body).not.toContain('/files/');
    expect(body).toContain('for reading only');
  });

  test('how many downloads are left', async () => {
    const { path } = await scene({ files: [text('a.txt')], share: { maxDownloads: 2 } });
    const [, file = ''] = /href="([^"]+)" download/.exec((await open(path)).body) ?? [];
    expect((await open(path)).body).toContain('<dd>2 left</dd>');
    expect((await open(file)).statusCode).toBe(200);
    expect((await open(path)).body).toContain('<dd>1 left</dd>');
  });

  test('a document without files', async () => {
    const { path } = await scene();
    expect((await open(path)).body).toContain('This document has no files yet.');
  });

  test('the file that is asked for, and the first one when there is no such file', async () => {
    const { path } = await scene({ files: [text('a.txt'), text('b.txt')] });
    const shown = async (query: string) => /<h2 id="shown"><bdi>([^<]+)/.exec((await open(`${path}${query}`)).body)?.[1];
    const [, second = ''] = [...(await open(path)).body.matchAll(/\?file=(\w+)#preview/g)].map(([, id = '']) => id);
    expect(await shown('')).toBe('a.txt');
    expect(await shown(`?file=${second}`)).toBe('b.txt');
    for (const query of ['?file=01ARZ3NDEKTSV4RRFFQ69G5FAV', '?file=%00', '?file=a&file=b', '?file[]=x'])
      expect(await shown(query)).toBe('a.txt');
  });
});

describe('a preview', () => {
  const script = '<script>document.title = 1</script>';
  const shown = [
    ['a.pdf', 'application/pdf', pdf(['PASSPORT']), 'alt="Page 1 of 1"', true],
    ['a.png', 'image/png', png(20, 20), 'alt="a.png"', true],
    ['a.svg', 'image/svg+xml', `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">${script}</svg>`, 'alt="a.svg"', true],
    ['a.txt', 'text/plain', `text ${script}`, 'text &lt;script&gt;', false],
    ['a.csv', 'text/csv', `a,b\n${script},1\n`, '<td>&lt;script&gt;', false],
    ['a.html', 'text/html', `<!doctype html>${script}`, 'There is no preview of this file.', false],
    [
      'a.xml',
      'application/xml',
      `<?xml version="1.0"?><a xmlns="http://www.w3.org/1999/xhtml">${script}</a>`,
      'There is no preview',
      false,
    ],
    ['broken.pdf', 'application/pdf', '%PDF-1.4\nnothing', 'There is no preview', true],
  ] as const;

  test.each(shown)('of %s (%s), also where nothing may be downloaded', async (name, type, bytes, expected, drawn) => {
    const { path } = await scene({ files: [{ name, type, bytes }], share: { allowDownload: false } });
    const { body } = await open(path);
    expect(body).toContain(expected);
    expect(body).not.toContain(script);
    expect(body.includes('/preview?')).toBe(drawn && name !== 'broken.pdf');
    const json = (await get(path.replace('/s/', '/documents/preview/'))).json();
    expect(json.files[0].preview_url === null).toBe(!drawn);
    if (!drawn || name === 'broken.pdf') return;
    const picture = await get(new URL(json.files[0].preview_url).pathname);
    expect(picture).toMatchObject({ statusCode: 200, headers: { 'content-type': 'image/webp', 'cache-control': 'no-store' } });
  });

  test('needs the password, as the page does, and ends with the share', async () => {
    const files = [{ name: 'a.png', type: 'image/png', bytes: png(20, 20) }];
    const locked = await scene({ files, share: { password: 'correct' } });
    const json = (await get(`/documents/preview/${locked.token}/`, { 'x-share-password': 'correct' })).json();
    const { pathname, search } = new URL(json.files[0].preview_url);
    expect((await get(pathname)).statusCode).toBe(401);
    expect((await get(pathname + search)).statusCode).toBe(200);
    expect((await get(`${pathname}${search}&page=2`)).statusCode).toBe(404);
    expect((await get(`${pathname}${search}&width=x`)).statusCode).toBe(400);
    await revokeShare(locked.context(), locked.share.id);
    expect((await get(pathname + search)).statusCode).toBe(410);
  });

  test('of a text carries the watermark', async () => {
    const { path } = await scene({ files: [text('a.txt')], share: { watermark: 'For <Ada>' } });
    expect((await open(path)).body).toContain('data-text="For &lt;Ada&gt;"');
  });
});

describe('all files at once', () => {
  const zipLink = async (path: string) => /href="([^"]+\.zip)" download/.exec((await open(path)).body)?.[1];

  test('are an archive, where there are several that may be downloaded', async () => {
    const files = [text('a.txt'), text('b.txt')];
    const { path } = await scene({ files });
    expect(await zipLink(path)).toBe(`${path}/files.zip`);
    const { rawPayload } = await open(`${path}/files.zip`);
    expect(unzip(rawPayload).map(({ name }) => name)).toEqual(['a.txt', 'b.txt']);
    expect(await zipLink((await scene({ files, share: { allowDownload: false } })).path)).toBeUndefined();
    expect(await zipLink((await scene({ files: files.slice(1) })).path)).toBeUndefined();
  });
});

describe('what was looked at is written down', () => {
  test.each([
    ['a text, with the page', text('a.txt'), false],
    ['a picture, when it is fetched', { name: 'a.png', type: 'image/png', bytes: png(20, 20) }, true],
  ])('%s', async (_, file, fetched) => {
    const { path, share, owner } = await scene({ files: [file] });
    const { body } = await open(path);
    const [, picture = ''] = /src="([^"]+preview\?page[^"]+)"/.exec(body) ?? [];
    const query = `{ share(id: "${share.id}") { accesses(filter: { kind: PREVIEW }) { nodes { outcome times } } } }`;
    const previews = async () => (await world().graphql(owner, query)).data.share.accesses.nodes;
    expect(await previews()).toHaveLength(fetched ? 0 : 1);
    if (!fetched) return;
    expect((await get(picture.replace('&amp;', '&'))).statusCode).toBe(200);
    expect(await previews()).toMatchObject([{ outcome: 'SUCCEEDED', times: 1 }]);
  });
});

describe('whatever a document is called', () => {
  test.each([
    ['markup', '<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
    ['the end of an attribute', `" onload="alert(1)' x='`, '&quot; onload=&quot;alert(1)&#39; x=&#39;'],
    ['a template of ours', `\${alert(1)} {{7*7}} <%= 1 %>`, `\${alert(1)} {{7*7}} &lt;%= 1 %&gt;`],
    ['an entity', '&lt;b&gt;', '&amp;lt;b&amp;gt;'],
    ['a turn of the text', 'invoice\u202efdp.exe', 'invoicefdp.exe'],
    ['many scripts', '文書 документ 📄 größe', '文書 документ 📄 größe'],
  ])('%s stays text', async (_, name, shown) => {
    const { path } = await scene({ name, description: name.replace('\u202e', ''), files: [text(name), text('b.txt')] });
    const { body } = await open(path);
    expect(body).toContain(`<h1 dir="auto">${shown}</h1>`);
    expect(body).toContain(`<title>${shown} – shared document</title>`);
    expect(body).toContain(`<bdi class="name">${shown}</bdi>`);
    expect(body).toContain(`<p class="description" dir="auto">${shown}</p>`);
  });
});

describe('what is too much for one page is on several', () => {
  const unescaped = (markup: string) =>
    markup.replace(
      /&(lt|gt|quot|#39|amp);/g,
      (entity, name: string) => ({ lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' })[name] ?? entity,
    );
  /** All pages from this one on, as their links lead from one to the next. */
  async function pagesFrom(path: string, place: 'main' | 'nav'): Promise<string[]> {
    const pages: string[] = [];
    for (let next: string | undefined = path; next !== undefined; ) {
      const { body } = await open(next);
      pages.push(body);
      const [part = ''] = (place === 'nav' ? /<nav.*<\/nav>/s : /<section class="card preview".*<\/section>/s).exec(body) ?? [];
      next = /href="([^"#]+)#preview" rel="next"/.exec(part)?.[1]?.replace('&amp;', '&');
    }
    return pages;
  }

  test('200 files, each on one page', async () => {
    const { path } = await scene({ files: Array.from({ length: 200 }, (_, index) => text(`${index}.txt`)) });
    const pages = await pagesFrom(path, 'nav');
    expect(pages[1]).toContain('21 to 40 of 200');
    const names = pages.flatMap((page) => [...page.matchAll(/<bdi class="name">(\d+)\.txt/g)].map(([, name]) => Number(name)));
    expect(names).toEqual(Array.from({ length: 200 }, (_, index) => index));
  });

  test.each([
    ['lines', 'Größe & "Gewicht" <b>\n'.repeat(2500), true],
    ['one line', "Gr\u00f6\u00dfe & 'Gewicht' \u{1f4c4}".repeat(2500), false],
    ['an empty text', '\n', true],
  ])('a text of %s, every letter once and in its order', async (_, bytes, whole) => {
    const { path } = await scene({ files: [{ name: 'a.txt', type: 'text/plain', bytes }] });
    const pages = await pagesFrom(path, 'main');
    const parts = pages.map((page) => unescaped(/<pre[^>]*>\n(.*)<\/pre>/s.exec(page)?.[1] ?? ''));
    expect(bytes.startsWith(parts.join(''))).toBe(true);
    expect(parts.join('').length).toBeGreaterThan(Math.min(bytes.length, 30_000) - 1);
    if (whole) expect(parts.filter((part) => !part.endsWith('\n')).length).toBeLessThanOrEqual(1);
    expect(pages.slice(0, -1).join('')).not.toContain('the file goes on');
    expect(pages.at(-1)?.includes('the file goes on')).toBe(Buffer.byteLength(bytes) > 64 * 1024);
  });

  test('a table, with the names of its columns on each', async () => {
    const rows = Array.from({ length: 190 }, (_, index) => `${index},"A purpose that is, all in all, a little longer than most"`);
    const { path } = await scene({ files: [{ name: 'a.csv', type: 'text/csv', bytes: `day,purpose\n${rows.join('\n')}\n` }] });
    const pages = await pagesFrom(path, 'main');
    expect(pages.length).toBeGreaterThan(1);
    for (const page of pages) expect(page).toContain('>day</th>');
    const days = pages.flatMap((page) => [...page.matchAll(/<tr><td[^>]*>(\d+)</g)].map(([, day]) => Number(day)));
    expect(days).toEqual(rows.map((_, index) => index));
  });
});
