import { readFile } from 'node:fs/promises';
import type { BrowserContextOptions, Locator, Page } from 'playwright-core';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { pdf, png } from '../../src/demo/files.js';
import { revokeShare } from '../../src/share/share.service.js';
import { shareScene } from '../share.scene.js';
import { unzip } from '../unzip.js';
import { useWorld } from '../world.js';
import { violationsOn } from './axe.js';
import { describeInBrowser, useBrowser } from './chromium.js';

const phone = { width: 360, height: 740 };
const desktop = { width: 1280, height: 800 };
const files = [
  { name: 'passport.pdf', bytes: pdf(['PASSPORT', 'Ada Example']), type: 'application/pdf' },
  { name: 'photo.png', bytes: png(240, 320), type: 'image/png' },
  { name: 'statement.csv', bytes: 'date,amount\n2026-09-01,1200.00\n', type: 'text/csv' },
  { name: 'notes.txt', bytes: 'Some notes.\n', type: 'text/plain' },
  { name: 'scans.zip', bytes: Buffer.from('504b0506000000000000000000000000000000000000', 'hex'), type: 'application/zip' },
];

describeInBrowser('the page of a share', () => {
  const world = useWorld();
  const browser = useBrowser();
  let address = '';

  beforeAll(async () => {
    address = await world().app.listen({ port: 0, host: '127.0.0.1' });
  });

  /** A fresh browser window. Whatever goes wrong in its page fails the test. */
  async function visit(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser().newContext(options);
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.on('pageerror', (error) => expect.fail(error.message));
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) expect.fail(message.text());
    });
    await page.goto(address + path);
    return page;
  }
  const scene = (options?: Parameters<typeof shareScene>[1]) => shareScene(world(), options);

  test('asks nobody but its own server, and for nothing that keeps it from being shown', async () => {
    const { path } = await scene({ files });
    const context = await browser().newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const requested: string[] = [];
    page.on('request', (request) => requested.push(request.url()));
    await page.goto(address + path);
    expect(requested.filter((url) => !url.startsWith(address))).toEqual([]);
    expect(requested.filter((url) => /\.(css|woff2?|ttf)$/.test(url))).toEqual([]);
  });

  test('a reader who has no mouse reaches every file and every download in the order shown', async () => {
    const { path } = await scene({ files });
    const page = await visit(path);
    const reached: string[] = [];
    for (let step = 0; step < 13; step++) {
      await page.keyboard.press('Tab');
      reached.push(
        await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? ''),
      );
    }
    const names = files.flatMap(({ name }) => [expect.stringContaining(name), `Download ${name}`]);
    expect(reached).toEqual(['Skip to the preview', 'Download all as zip', ...names, 'Download']);
  });

  test('the first key press offers to skip to the preview', async () => {
    const { path } = await scene({ files });
    const page = await visit(path);
    await page.keyboard.press('Tab');
    expect(await page.locator('.skip').boundingBox()).toMatchObject({ y: expect.closeTo(12, 0) });
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('preview');
  });

  test('each download has the same bytes and the name, and the zip has all of them', async () => {
    const { path } = await scene({ files });
    const page = await visit(path);
    const save = async (link: Locator) => {
      const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
      return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
    };
    const expected = files.map(({ name, bytes }) => ({ name, bytes: Buffer.from(bytes) }));
    for (const file of expected) expect(await save(page.getByLabel(`Download ${file.name}`))).toEqual(file);
    const zip = await save(page.getByRole('link', { name: 'Download all as zip' }));
    expect(zip.name).toBe('Passport.zip');
    expect(unzip(zip.bytes).map(({ name, body }) => ({ name, bytes: body }))).toEqual(expected);
  });

  describe.each<[string, BrowserContextOptions]>([
    ['', {}],
    [' without JavaScript', { javaScriptEnabled: false }],
  ])('previews%s', (_, options) => {
    test('are pictures of pages and pictures, tables and texts; the rest says that it has none', async () => {
      const { path } = await scene({ files });
      const page = await visit(path, options);
      const show = (name: string) => page.locator('.file', { hasText: name }).click();
      const widths = () =>
        page.locator('.stage img').evaluateAll((all) => all.map((image) => (image as HTMLImageElement).naturalWidth > 0));
      await expect.poll(widths).toEqual([true]);
      await show('photo.png');
      await expect.poll(widths).toEqual([true]);
      await show('statement.csv');
      expect(await page.locator('#shown').innerText()).toBe('statement.csv');
      expect(await page.locator('[aria-current]').innerText()).toContain('statement.csv');
      expect(await page.getByRole('cell').allInnerTexts()).toEqual(['2026-09-01', '1200.00']);
      await show('notes.txt');
      expect(await page.locator('.stage pre').innerText()).toBe('Some notes.\n');
      await show('scans.zip');
      expect(await page.locator('.stage').innerText()).toContain('There is no preview of this file.');
    });
  });

  test('its end is told in the time zone of whoever reads it', async () => {
    const expiresAt = new Date(Date.now() + 86_400_000);
    const { path } = await scene({ share: { expiresAt } });
    const told = async (options: BrowserContextOptions) => (await visit(path, options)).locator('time').innerText();
    const hour = (timeZone: string) => new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' }).format(expiresAt);
    expect(await told({ timezoneId: 'Asia/Kolkata' })).toContain(`at ${hour('Asia/Kolkata')} GMT+5:30`);
    expect(await told({ timezoneId: 'Asia/Kolkata', javaScriptEnabled: false })).toContain(`at ${hour('UTC')} UTC`);
  });

  describe.each<[string, BrowserContextOptions]>([
    ['', {}],
    [' without JavaScript', { javaScriptEnabled: false }],
  ])('a password%s', (_, options) => {
    test('wrong, then right, then a download, and the page again', async () => {
      const { path } = await scene({ files, share: { password: 'correct horse' } });
      const page = await visit(path, options);
      await page.getByLabel('Password').fill('wrong');
      await page.keyboard.press('Enter');
      expect(await page.getByRole('alert').innerText()).toBe('That is not the password of this link. Try again.');
      await page.getByLabel('Password').fill('correct horse');
      await page.getByRole('button', { name: 'Open' }).click();
      expect(await page.locator('h1').innerText()).toBe('Passport');
      expect(page.url()).toBe(address + path);
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByLabel('Download notes.txt').click()]);
      expect(await readFile(await download.path(), 'utf8')).toBe('Some notes.\n');
      await page.reload();
      expect(await page.locator('h1').innerText()).toBe('Passport');
    });
  });

  test('a download that the budget has no room for is a page that says so', async () => {
    const { path } = await scene({ files, share: { maxDownloads: 1 } });
    const page = await visit(path);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByLabel('Download notes.txt').click()]);
    await download.path();
    await page.reload();
    expect(await page.locator('h1').innerText()).toBe('This link is used up');
  });

  describe('nobody is left out', () => {
    const name = 'Ein sehr langer Name ohne Ende '.repeat(6) + 'x'.repeat(60);
    const states: [string, () => Promise<string>][] = [
      ['a PDF', async () => (await scene({ files, description: 'What it is.' })).path],
      ['a picture', async () => (await scene({ files: files.slice(1, 2) })).path],
      ['a table', async () => (await scene({ files: files.slice(2, 4), share: { watermark: 'For Ada' } })).path],
      ['a text', async () => (await scene({ files: files.slice(3), share: { watermark: 'For Ada' } })).path],
      ['long names', async () => (await scene({ name, files: [{ name: `${'y'.repeat(200)}.zip`, bytes: 'x' }, ...files] })).path],
      ['for reading only', async () => (await scene({ files: files.slice(3), share: { allowDownload: false } })).path],
      ['no files', async () => (await scene()).path],
      ['password', async () => (await scene({ share: { password: 'correct' } })).path],
      ['too early', async () => (await scene({ share: { notBefore: new Date(Date.now() + 3_600_000) } })).path],
      ['dead', async () => dead()],
      ['unknown', async () => '/s/nothing'],
    ];
    async function dead() {
      const { context, share, path } = await scene();
      await revokeShare(context(), share.id);
      return path;
    }
    // Colours depend on the scheme alone, the layout on the width alone.
    test.each(states)('%s', { timeout: 90_000 }, async (_, make) => {
      const page = await visit(await make(), { viewport: desktop });
      await fits(page);
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.setViewportSize(phone);
      await fits(page);
    });
    async function fits(page: Page) {
      expect(await violationsOn(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    }

    test('too many attempts at a password', async () => {
      const { path } = await scene({ share: { password: 'correct' } });
      const page = await visit(path);
      for (let attempt = 0; attempt < 11; attempt++) {
        await page.getByLabel('Password').fill('wrong');
        await page.keyboard.press('Enter');
        await page.getByRole('alert').waitFor();
      }
      await expect.poll(() => page.getByRole('alert').innerText()).toBe('Too many attempts. You can try again in 15 minutes.');
      await fits(page);
    });
  });

  test('a watermark stays in view to the end of a long text', async () => {
    const long = { name: 'long.txt', bytes: 'A line.\n'.repeat(2000), type: 'text/plain' };
    const { path } = await scene({ files: [long], share: { watermark: 'For Ada' } });
    const page = await visit(path);
    await page.locator('.stage').evaluate((stage) => stage.scrollIntoView({ block: 'end' }));
    const marks = await page.locator('.watermark span').evaluateAll((all) => all.map((mark) => mark.getBoundingClientRect().y));
    expect(marks.filter((y) => y > 0 && y < desktop.height).length).toBeGreaterThan(5);
  });

  test('dark is dark', async () => {
    const { path } = await scene();
    const canvas = async (options: BrowserContextOptions) =>
      (await visit(path, options)).evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(await canvas({})).toBe('rgb(244, 245, 247)');
    expect(await canvas({ colorScheme: 'dark' })).toBe('rgb(14, 16, 21)');
  });

  test('nothing that a name says is run', async () => {
    const evil = `"><img src=x onerror="document.title='run'"><script>document.title='run'</script>`;
    const { path } = await scene({ name: evil, description: evil, files: [{ name: evil, bytes: 'x' }, ...files] });
    const page = await visit(path);
    expect(await page.locator('h1').innerText()).toBe(evil);
    expect(await page.title()).not.toBe('run');
    expect(await page.locator('main img[onerror]').count()).toBe(0);
  });
});
