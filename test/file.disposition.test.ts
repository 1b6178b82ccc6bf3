import { once } from 'node:events';
import { createServer, get, type IncomingHttpHeaders, type OutgoingHttpHeaders, type Server, validateHeaderValue } from 'node:http';
import contentDisposition from 'content-disposition';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentHeaders } from '../src/file/serve.js';

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
