import { validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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
