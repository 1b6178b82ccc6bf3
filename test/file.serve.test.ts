import { once } from 'node:events';
import { createServer, get, type IncomingHttpHeaders, type OutgoingHttpHeaders, type Server, validateHeaderValue } from 'node:http';
import contentDisposition from 'content-disposition';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentHeaders, type DownloadRequest, planDownload } from '../src/file/serve.js';

const etag = '"abc"';
const lastModified = new Date('2026-11-23T10:00:00.900Z');
const at = 'Mon, 23 Nov 2026 10:00:00 GMT';
const before = 'Mon, 23 Nov 2026 09:59:59 GMT';
const after = 'Mon, 23 Nov 2026 10:00:01 GMT';
type Headers = DownloadRequest['headers'];
const plan = (headers: Headers, rest: Partial<DownloadRequest> = {}) =>
  planDownload({ method: 'GET', size: 10, etag, lastModified, headers, ...rest });

describe('a range', () => {
  it.each([
    ['bytes=0-9', 0, 9],
    ['bytes=0-0', 0, 0],
    ['bytes=9-9', 9, 9],
    ['bytes=3-', 3, 9],
    ['bytes=3-999', 3, 9],
    ['bytes=3-99999999999999999999', 3, 9],
    ['bytes=-1', 9, 9],
    ['bytes=-10', 0, 9],
    ['bytes=-999', 0, 9],
    ['Bytes=0-1', 0, 1],
    ['bytes= 0-1 ,', 0, 1],
  ])('%s is 206', (range, start, end) => {
    const { status, range: part, headers } = plan({ range });
    expect({ status, part }).toEqual({ status: 206, part: { start, end } });
    expect(headers).toMatchObject({ 'Content-Range': `bytes ${start}-${end}/10`, 'Content-Length': String(end - start + 1) });
    expect(headers).toMatchObject({ ETag: etag, 'Last-Modified': at, 'Accept-Ranges': 'bytes' });
  });

  it.each(['bytes=10-', 'bytes=10-20', 'bytes=99999999999999999999-', 'bytes=-0', 'bytes=0-1,3-4', 'bytes=0-0,-1', 'bytes=0-,0-,0-'])(
    '%s is 416',
    (range) => {
      expect(plan({ range })).toEqual({ status: 416, headers: { 'Content-Range': 'bytes */10' } });
    },
  );

  it.each([
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=,',
    'bytes=a-b',
    'bytes=5-4',
    'bytes=0-1,x',
    'bytes=1',
    'bytes=0x1-2',
    'items=0-1',
    'bytes=--1',
  ])('%j is ignored', (range) => {
    const { status, headers } = plan({ range });
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'Content-Length': '10', 'Accept-Ranges': 'bytes' });
    expect(headers).not.toHaveProperty('Content-Range');
  });

  it.each(['bytes=0-', 'bytes=-5', 'bytes=0-0', 'bytes=7-', 'bytes=0-,0-'])('%s of an empty file is ignored', (range) => {
    expect(plan({ range }, { size: 0 })).toMatchObject({ status: 200, headers: { 'Content-Length': '0' } });
  });

  it('is ignored for HEAD', () => {
    expect(plan({ range: 'bytes=0-1' }, { method: 'HEAD' })).toMatchObject({ status: 200, headers: { 'Content-Length': '10' } });
  });

  it.each([
    ['"abc"', 206],
    ['"old"', 200],
    ['W/"abc"', 200],
    ['abc', 200],
    [at, 200],
    ['', 200],
  ])('with If-Range %s is %i', (ifRange, status) => {
    expect(plan({ range: 'bytes=0-1', ifRange }).status).toBe(status);
  });

  it('never throws and always lies within the file, whatever the headers', () => {
    const junk = fc.oneof(
      fc.string(),
      fc.stringMatching(/^bytes=[0-9 ,-]{0,20}$/),
      fc.stringMatching(/^(W\/)?"[a-z]{0,3}"(, "abc")?$/),
      fc.constantFrom('*', at, before, after, etag),
    );
    const headers = fc.record(
      { range: junk, ifRange: junk, ifMatch: junk, ifNoneMatch: junk, ifModifiedSince: junk, ifUnmodifiedSince: junk },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(headers, fc.nat(), fc.constantFrom('GET' as const, 'HEAD' as const), (given, size, method) => {
        const { status, range, headers: answer } = plan(given, { size, method });
        expect([200, 206, 304, 412, 416]).toContain(status);
        expect(range !== undefined).toBe(status === 206);
        for (const [name, value] of Object.entries(answer)) validateHeaderValue(name, value);
        if (!range) return;
        expect(0 <= range.start && range.start <= range.end && range.end < size).toBe(true);
        expect(answer['Content-Length']).toBe(String(range.end - range.start + 1));
      }),
      { numRuns: 2000 },
    );
  });

  it('that is asked for byte by byte gives what slicing gives', () => {
    const content = '0123456789';
    fc.assert(
      fc.property(fc.nat(15), fc.nat(15), (start, end) => {
        const { range } = plan({ range: `bytes=${start}-${end}` });
        expect(range ? content.slice(range.start, range.end + 1) : '').toBe(content.slice(start, end + 1));
      }),
    );
  });
});

describe('a precondition', () => {
  it.each<[Headers, number]>([
    [{ ifNoneMatch: '"abc"' }, 304],
    [{ ifNoneMatch: 'W/"abc"' }, 304],
    [{ ifNoneMatch: '"x", "a,b" ,"abc"' }, 304],
    [{ ifNoneMatch: '*' }, 304],
    [{ ifNoneMatch: '"x"' }, 200],
    [{ ifNoneMatch: 'abc' }, 200],
    [{ ifNoneMatch: '"x"', ifModifiedSince: after }, 200],
    [{ ifModifiedSince: at }, 304],
    [{ ifModifiedSince: after }, 304],
    [{ ifModifiedSince: before }, 200],
    [{ ifModifiedSince: '2030' }, 200],
    [{ ifModifiedSince: 'never' }, 200],
    [{ ifMatch: '"abc"' }, 200],
    [{ ifMatch: '*' }, 200],
    [{ ifMatch: '"x", "abc"' }, 200],
    [{ ifMatch: 'W/"abc"' }, 412],
    [{ ifMatch: '"x"' }, 412],
    [{ ifMatch: '' }, 412],
    [{ ifMatch: '"x"', ifNoneMatch: '"abc"' }, 412],
    [{ ifMatch: '"abc"', ifNoneMatch: '"abc"' }, 304],
    [{ ifMatch: '"abc"', ifUnmodifiedSince: before }, 200],
    [{ ifUnmodifiedSince: before }, 412],
    [{ ifUnmodifiedSince: at }, 200],
    [{ ifNoneMatch: '"abc"', range: 'bytes=0-1' }, 304],
    [{ ifMatch: '"x"', range: 'bytes=99-' }, 412],
    [{ ifMatch: '"abc"', range: 'bytes=0-1' }, 206],
  ])('%j is %i', (headers, status) => {
    expect(plan(headers).status).toBe(status);
    const known = status === 200 || status === 206 || status === 304;
    expect(plan(headers).headers.ETag).toBe(known ? etag : undefined);
    expect(plan(headers, { method: 'HEAD' }).status).toBe(status === 206 ? 200 : status);
  });

  it('on dates holds nobody up where no date is known', () => {
    for (const headers of [{ ifModifiedSince: after }, { ifUnmodifiedSince: before }]) {
      expect(plan(headers, { lastModified: undefined })).toMatchObject({ status: 200 });
      expect(plan(headers, { lastModified: undefined }).headers).not.toHaveProperty('Last-Modified');
    }
  });
});

describe('content headers', () => {
  const inline = (contentType: string) => contentHeaders({ name: 'a', contentType, disposition: 'inline' });
  const attached = (contentType: string) => contentHeaders({ name: 'a', contentType, disposition: 'attachment' });
  const kind = (headers: Record<string, string>) => headers['Content-Disposition']?.split(';')[0];

  it.each([
    ['application/pdf', 'application/pdf'],
    ['image/png', 'image/png'],
    ['image/jpeg', 'image/jpeg'],
    ['image/gif', 'image/gif'],
    ['image/webp', 'image/webp'],
    ['text/plain', 'text/plain; charset=utf-8'],
    ['text/csv', 'text/plain; charset=utf-8'],
  ])('show %s in place as %s', (type, shown) => {
    expect(kind(inline(type))).toBe('inline');
    expect(inline(type)['Content-Type']).toBe(shown);
    expect(kind(attached(type))).toBe('attachment');
    expect(attached(type)['Content-Type']?.split(';')[0]).toBe(type);
  });

  it.each([
    ['application/zip', 'application/zip'],
    ['text/markdown', 'text/markdown; charset=utf-8'],
    ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', null],
    ['image/heic', 'image/heic'],
    ['text/html', 'application/octet-stream'],
    ['application/xhtml+xml', 'application/octet-stream'],
    ['image/svg+xml', 'application/octet-stream'],
    ['application/xml', 'application/octet-stream'],
    ['text/xml', 'application/octet-stream'],
    ['text/javascript', 'application/octet-stream'],
    ['multipart/related', 'application/octet-stream'],
    ['text/html;x', 'application/octet-stream'],
    ['image/png\r\nX: y', 'application/octet-stream'],
    ['toString', 'application/octet-stream'],
    ['', 'application/octet-stream'],
  ])('make %j an attachment, whatever is asked for', (type, sent) => {
    expect(kind(inline(type))).toBe('attachment');
    expect(inline(type)['Content-Type']).toBe(sent ?? type);
    expect(attached(type)['Content-Type']).toBe(sent ?? type);
  });

  it('shut a hostile file in', () => {
    expect(inline('application/pdf')).toMatchObject({
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': expect.stringMatching(/^default-src 'none'; .*; sandbox$/),
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'private, no-cache, no-transform',
    });
  });
});

describe('a file name', () => {
  const header = (name: string) =>
    contentHeaders({ name, contentType: 'application/pdf', disposition: 'attachment' })['Content-Disposition'] ?? '';
  const nameIn = (name: string) => contentDisposition.parse(header(name)).parameters.filename ?? '';

  it.each([
    ['report.pdf', 'attachment; filename="report.pdf"'],
    ['Müller Straße.pdf', `attachment; filename="Muller Stra_e.pdf"; filename*=UTF-8''M%C3%BCller%20Stra%C3%9Fe.pdf`],
    ['a"b.pdf', `attachment; filename="a_b.pdf"; filename*=UTF-8''a%22b.pdf`],
    ['100%25.pdf', `attachment; filename="100_25.pdf"; filename*=UTF-8''100%2525.pdf`],
    ['👩‍💼.pdf', `attachment; filename="___.pdf"; filename*=UTF-8''%F0%9F%91%A9%E2%80%8D%F0%9F%92%BC.pdf`],
    ['℀.pdf', `attachment; filename="a_c.pdf"; filename*=UTF-8''%E2%84%80.pdf`],
    ['\u0301', `attachment; filename="file"; filename*=UTF-8''%CC%81`],
  ])('%j is sent as %s', (name, expected) => {
    expect(header(name)).toBe(expected);
    expect(nameIn(name)).toBe(name);
  });

  it.each([
    ['a/b\\c.pdf', 'a_b_c.pdf'],
    ['../../etc/passwd', '.._.._etc_passwd'],
    ['C:\\temp\\x.pdf', 'C:_temp_x.pdf'],
    ['a\r\nSet-Cookie: x=1', 'aSet-Cookie: x=1'],
    ['a\0b\x7f\u0085.pdf', 'ab.pdf'],
    ['invoice\u202efdp.exe', 'invoicefdp.exe'],
    ['\u2066a\u2069\u200f\u061c.pdf', 'a.pdf'],
    ['a\ud800b.pdf', 'a\ufffdb.pdf'],
    ['a\u2028b', 'ab'],
    ['  spaced  ', 'spaced'],
    ['', 'file'],
    [' \n', 'file'],
    ['.', 'file'],
    ['..', 'file'],
    ['/', '_'],
    ['.gitignore', '.gitignore'],
    ['℀.pdf', '℀.pdf'],
    [`${'x'.repeat(300)}.pdf`, `${'x'.repeat(251)}.pdf`],
    [`${'ä'.repeat(200)}.pdf`, `${'ä'.repeat(125)}.pdf`],
    [`${'😀'.repeat(100)}.pdf`, `${'😀'.repeat(62)}.pdf`],
    ['x'.repeat(300), 'x'.repeat(255)],
    [`a.${'y'.repeat(300)}`, `a.${'y'.repeat(253)}`],
  ])('%j becomes %j', (name, expected) => {
    expect(nameIn(name)).toBe(expected);
  });

  const anyName = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.string({ unit: 'grapheme', maxLength: 200 }),
    fc.array(fc.nat(0xffff), { maxLength: 300 }).map((units) => String.fromCharCode(...units)),
    fc.string({ unit: fc.constantFrom('.', '/', '\\', '"', '%', ';', "'", '2', 'F', '\r', '\n', '\u202e', '\ud83d', 'ä', ' ') }),
  );

  it('of any kind makes a header that node:http takes and that reads back as a safe name', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        validateHeaderValue('Content-Disposition', header(name));
        expect(header(name)).toMatch(/^[\x20-\x7e]*$/);
        const read = nameIn(name);
        expect(read).not.toMatch(/[\p{Cc}\p{Bidi_Control}\p{Cs}/\\]/u);
        expect(read).not.toMatch(/^\.{0,2}$/);
        expect(Buffer.byteLength(read)).toBeLessThanOrEqual(255);
        expect(nameIn(read)).toBe(read);
      }),
      { numRuns: 2000 },
    );
  });

  describe('over real HTTP', () => {
    let server: Server;
    let headers: OutgoingHttpHeaders = {};
    beforeAll(async () => {
      server = createServer((_, response) => response.writeHead(200, headers).end()).listen(0, '127.0.0.1');
      await once(server, 'listening');
    });
    afterAll(() => server.close());

    async function received(): Promise<IncomingHttpHeaders> {
      const address = server.address();
      const port = address && typeof address === 'object' ? address.port : 0;
      const [response] = await once(get({ port, host: '127.0.0.1', agent: false }), 'response');
      response.resume();
      return response.headers;
    }

    it('arrives as it was sent', async () => {
      await fc.assert(
        fc.asyncProperty(anyName, async (name) => {
          headers = contentHeaders({ name, contentType: 'text/plain', disposition: 'inline' });
          const got = await received();
          for (const [key, value] of Object.entries(headers)) expect(got[key.toLowerCase()]).toBe(value);
        }),
        { numRuns: 100 },
      );
    });
  });
});
