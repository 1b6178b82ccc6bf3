import type { BrowserContext } from 'playwright-core';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { pdf } from '../../src/demo/files.js';
import { shareScene } from '../share.scene.js';
import { useWorld } from '../world.js';
import { describeInBrowser, useBrowser } from './chromium.js';

/** What a file tries. The browser of these tests defines `ran` in every frame, whatever its origin and its policy. */
const script = '<script>ran()</script>';
const html = `<!doctype html><title>x</title>${script}<img src="x:" onerror="ran()"><svg onload="ran()"></svg>`;
const xhtml = `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title>${script}</head><body/></html>`;
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90" onload="ran()"><rect width="90" height="90"/>${script}<foreignObject><b xmlns="http://www.w3.org/1999/xhtml"><img src="x:" onerror="ran()"/></b></foreignObject></svg>`;
const mhtml = `From: <x>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; type="text/html"; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\nContent-Location: http://x/\r\n\r\n${html}\r\n--b--\r\n`;
const pdfScript = pdf(['x'])
  .toString('latin1')
  .replace('/Type /Catalog', '/Type /Catalog /OpenAction << /S /JavaScript /JS (ran\\(\\)) >>');

const files: [name: string, type: string, bytes: Buffer | string][] = [
  ['a.svg', 'image/svg+xml', svg],
  ['a.html', 'text/html', html],
  ['a.xhtml', 'application/xhtml+xml', xhtml],
  ['a.xml', 'application/xml', `<?xml version="1.0"?><a><b xmlns="http://www.w3.org/1999/xhtml">${script}</b></a>`],
  ['a.mhtml', 'multipart/related', mhtml],
  ['a.js', 'text/javascript', 'ran()'],
  ['text.txt', 'text/plain', html],
  ['table.csv', 'text/csv', `a,b\n"${html.replaceAll('"', '""')}",1\n`],
  ['gif-and-html.gif', 'image/gif', `GIF89a\x01\x00\x01\x00\x00\x00\x00${html}`],
  ['pdf-and-html.pdf', 'application/pdf', Buffer.concat([Buffer.from(`%PDF-1.4\n${html}\n`), pdf(['x'])])],
  ['pdf-and-script.pdf', 'application/pdf', Buffer.from(pdfScript, 'latin1')],
  ['text-in-disguise.png', 'image/png', html],
];

describeInBrowser('a file with a script in it', () => {
  const world = useWorld();
  const browser = useBrowser();
  let address = '';
  beforeAll(async () => {
    address = await world().app.listen({ port: 0, host: '127.0.0.1' });
  });

  /** A browser that tells how often a script called `ran`. */
  async function watchedContext(): Promise<{ context: BrowserContext; runs: () => number }> {
    const context = await browser().newContext();
    onTestFinished(() => context.close());
    let runs = 0;
    await context.exposeFunction('ran', () => void runs++);
    return { context, runs: () => runs };
  }

  /** @returns the media type of what a browser shows at an address; null when it saves it instead */
  async function visit(context: BrowserContext, url: string): Promise<string | null> {
    const page = await context.newPage();
    const saved = page.waitForEvent('download').then(() => null);
    const shown = page.goto(url, { waitUntil: 'load' }).then(
      (answer) => answer?.headers()['content-type']?.split(';')[0] ?? '',
      () => saved,
    );
    const outcome = await shown;
    saved.catch(() => null);
    await page.close();
    return outcome;
  }

  test('would be seen to run', async () => {
    const { context, runs } = await watchedContext();
    for (const [type, body] of Object.entries({ 'text/html': html, 'image/svg+xml': svg, 'application/xhtml+xml': xhtml })) {
      const before = runs();
      const page = await context.newPage();
      await page.goto(`data:${type},${encodeURIComponent(body)}`);
      await expect.poll(runs).toBeGreaterThan(before);
    }
  });

  test.each(files)('%s (%s) runs neither in the page, nor as its preview, nor as itself', async (name, type, bytes) => {
    const { context, runs } = await watchedContext();
    const made = await shareScene(world(), {
      name: html,
      files: [
        { name, type, bytes },
        { name: 'b.txt', bytes: 'x' },
      ],
    });
    const { data } = await world().graphql(
      made.owner,
      `{ document(id: "${made.document.id}") { files { id contentType inline: downloadUrl(disposition: INLINE) } } }`,
    );
    const [file] = data.document.files;
    expect(await visit(context, `${address}${made.path}?file=${file.id}`)).toBe('text/html');
    expect(await visit(context, `${address}${made.path}/files/${file.id}`)).toBeNull();
    const { pathname, search } = new URL(file.inline);
    expect([null, 'application/pdf', 'image/gif', 'text/plain']).toContain(await visit(context, address + pathname + search));
    const drawn = await visit(context, `${address}${made.path}/files/${file.id}/preview?page=1&width=640`);
    // A picture, or the page that says that there is none.
    expect(['image/webp', 'text/html']).toContain(drawn);
    expect(runs()).toBe(0);
  });
});
