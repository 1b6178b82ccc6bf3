import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { describe, expect, onTestFinished, test } from 'vitest';
import { deleteFile, type FileRow } from '../src/file/file.service.js';
import { sweepFiles } from '../src/file/file.sweeper.js';
import { pageCountOf, renderPreview } from '../src/rendition/rendition.service.js';
import { removeRenditions } from '../src/rendition/rendition.store.js';
import { lockedPdf, pdfOf } from './pdfs.js';
import { colourAt, isNear, type Make, picture, RED, useRenditions, WHITE } from './rendition.world.js';

const { world, ctx, newFile, watchRenderer } = useRenditions();

const DAY = 24 * 60 * 60 * 1000;
describe('a preview', () => {
  test('shows a page of a PDF as it looks, in the width that was asked for', async () => {
    const { bytes, contentType } = await renderPreview(ctx(), await newFile('a.pdf', pdfOf({ pages: 3 })), { page: 2, width: 640 });
    expect(contentType).toBe('image/webp');
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width: 640, height: 906 });
    expect(isNear(await colourAt(bytes, 0.2, 0.2), RED)).toBe(true);
    expect(isNear(await colourAt(bytes, 0.8, 0.8), WHITE)).toBe(true);
  });

  test.each([
    [1, 160],
    [160, 160],
    [161, 320],
    [500, 640],
    [undefined, 640],
    [1024, 1024],
    [1025, 1600],
    [99_999, 1600],
  ])('asked for in a width of %s is %i pixels wide', async (asked, wide) => {
    const file = await newFile('a.png', await picture(2000, 100).png().toBuffer());
    const { bytes } = await renderPreview(ctx(), file, { width: asked });
    expect((await sharp(bytes).metadata()).width).toBe(wide);
  });

  test.each(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const)('shows a picture in %s', async (format) => {
    const file = await newFile(`a.${format}`, await picture(300, 200, 'red').toFormat(format).toBuffer());
    const { bytes } = await renderPreview(ctx(), file);
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width: 300, height: 200 });
    expect(isNear(await colourAt(bytes, 0.5, 0.5), RED)).toBe(true);
  });

  test('shows a photo upright and says nothing of where it was taken', async () => {
    const photo = await picture(300, 200, 'red')
      .withMetadata({ orientation: 6 })
      .withExifMerge({ IFD3: { GPSLatitudeRef: 'N' } })
      .jpeg()
      .toBuffer();
    expect((await sharp(photo).metadata()).exif).toBeDefined();
    const { bytes } = await renderPreview(ctx(), await newFile('a.jpg', photo));
    const { width, height, exif } = await sharp(bytes).metadata();
    expect({ width, height, exif }).toEqual({ width: 200, height: 300, exif: undefined });
  });

  test('shows the first picture of an animation', async () => {
    const frames = [await picture(100, 100, 'red').png().toBuffer(), await picture(100, 100, 'blue').png().toBuffer()];
    const { bytes } = await renderPreview(
      ctx(),
      await newFile(
        'a.gif',
        await sharp(frames, { join: { animated: true } })
          .gif()
          .toBuffer(),
      ),
    );
    expect(await sharp(bytes).metadata()).toMatchObject({ width: 100, height: 100 });
    expect(isNear(await colourAt(bytes, 0.5, 0.5), RED)).toBe(true);
  });

  test('draws SVG without following any reference out of it', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end(`<svg xmlns="http://www.w3.org/2000/svg"/>`);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo; // It listens to TCP.
    const out = [`http://127.0.0.1:${port}/a.svg`, 'file:///etc/hostname', '/etc/hostname', 'a.png'].flatMap((address) => [
      `<image href="${address}" width="100" height="50"/>`,
      `<use href="${address}#x"/>`,
    ]);
    const svg = `<?xml version="1.0"?><?xml-stylesheet href="http://127.0.0.1:${port}/a.css"?>
      <svg xmlns="http://www.w3.org/2000/svg" width="100" height="50"><style>@import url(http://127.0.0.1:${port}/b.css);</style>
      <script>fetch("http://127.0.0.1:${port}/c")</script><rect width="50" height="50" fill="red"/>${out.join('')}</svg>`;
    const file = await newFile('a.svg', svg);
    expect(file.contentType).toBe('image/svg+xml');
    const { bytes } = await renderPreview(ctx(), file, { width: 320 });
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width: 320, height: 160 });
    expect(isNear(await colourAt(bytes, 0.25, 0.5), RED)).toBe(true);
    expect(isNear(await colourAt(bytes, 0.75, 0.5), WHITE)).toBe(true);
    expect(asked).toEqual([]);
  });

  test('is no larger than four times as high as wide, whatever the size of the page', async () => {
    for (const size of [
      [1, 1_000_000],
      [1_000_000, 1],
      [14_400, 14_400],
      [0.001, 0.001],
    ] as [number, number][]) {
      const { bytes } = await renderPreview(ctx(), await newFile('a.pdf', pdfOf({ size })), { width: 320 });
      const { width = 0, height = 0 } = await sharp(bytes).metadata();
      expect(width).toBeLessThanOrEqual(320);
      expect(height).toBeLessThanOrEqual(1280);
    }
  });
});

describe('pages', () => {
  const tiff = async (): Promise<Buffer> =>
    sharp([await picture(60, 40, 'red').png().toBuffer(), await picture(60, 40, 'blue').png().toBuffer()], { join: { animated: true } })
      .tiff()
      .toBuffer();

  test.each<[string, Make, number | null]>([
    ['a.pdf', () => pdfOf({ pages: 3 }), 3],
    ['a.pdf', () => pdfOf({ pages: 10_000 }), 10_000],
    ['a.tiff', tiff, 2],
    ['a.png', () => picture(10, 10).png().toBuffer(), null],
    ['a.txt', () => 'text', null],
    ['a.pdf', lockedPdf, null],
  ])('of %s are counted once', async (name, make, count) => {
    const file = await newFile(name, await make());
    const asked = watchRenderer();
    expect([await pageCountOf(ctx(), file), await pageCountOf(ctx(), file)]).toEqual([count, count]);
    expect(asked()).toBe(['a.png', 'a.txt'].includes(name) ? 0 : 1);
  });

  test('are each their own, in a TIFF too', async () => {
    const file = await newFile('a.tiff', await tiff());
    const { bytes } = await renderPreview(ctx(), file, { page: 2 });
    expect(isNear(await colourAt(bytes, 0.5, 0.5), [0, 0, 255])).toBe(true);
  });

  test('after the last one are not found, and not looked for again', async () => {
    const file = await newFile('a.pdf', pdfOf({ pages: 10_000 }));
    const asked = watchRenderer();
    await renderPreview(ctx(), file, { page: 10_000, width: 160 });
    for (const page of [10_001, 1_000_000]) await expect(renderPreview(ctx(), file, { page })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(asked()).toBe(1);
  });
});

describe('what is made once', () => {
  /** The objects under `renditions/` that belong to a file. */
  async function objectsOf(file: FileRow): Promise<string[]> {
    const { prisma } = world().gateway.services;
    const storage = await prisma.storage.findFirstOrThrow({ where: { tenantId: file.tenantId, id: file.storageId } });
    const store = await world().gateway.services.blobs.open({ ...storage, credentials: {} });
    const found: string[] = [];
    for await (const { key } of store.list(`renditions/${file.sha256}/${file.id}/`)) found.push(key);
    return found.sort();
  }

  const rowsOf = (file: FileRow) =>
    world().gateway.services.prisma.rendition.count({ where: { tenantId: file.tenantId, fileId: file.id } });

  test('is kept beside the file under its hash, and read from there', async () => {
    const file = await newFile('a.pdf', pdfOf({ pages: 2 }));
    const asked = watchRenderer();
    const first = await renderPreview(ctx(), file, { page: 2, width: 320 });
    const second = await renderPreview(ctx(), file, { page: 2, width: 300 });
    expect(second).toEqual(first);
    expect(asked()).toBe(1);
    expect(await objectsOf(file)).toEqual([`renditions/${file.sha256}/${file.id}/2-320.webp`]);
  });

  test('is made once for all who ask at the same time', async () => {
    const file = await newFile('a.pdf', pdfOf());
    const asked = watchRenderer();
    const answers = await Promise.all(Array.from({ length: 20 }, () => renderPreview(ctx(), file)));
    expect(new Set(answers.map(({ bytes }) => bytes.toString('base64'))).size).toBe(1);
    expect(asked()).toBe(1);
    expect(await rowsOf(file)).toBe(1);
  });

  test('is made again when its object is lost', async () => {
    const file = await newFile('a.pdf', pdfOf());
    const { bytes } = await renderPreview(ctx(), file);
    const [key = ''] = await objectsOf(file);
    const { prisma, blobs } = world().gateway.services;
    const storage = await prisma.storage.findFirstOrThrow({ where: { tenantId: file.tenantId, id: file.storageId } });
    await (await blobs.open({ ...storage, credentials: {} })).delete(key);
    expect((await renderPreview(ctx(), file)).bytes).toEqual(bytes);
    expect(await objectsOf(file)).toEqual([key]);
  });

  test('is shown although it cannot be kept', async () => {
    const file = await newFile('a.pdf', pdfOf());
    const { services } = world().gateway;
    const { open } = services.blobs;
    services.blobs.open = async (address) => ({ ...(await open(address)), put: () => Promise.reject(new Error('disk full')) });
    onTestFinished(() => {
      services.blobs.open = open;
    });
    expect((await renderPreview(ctx(), file)).bytes.length).toBeGreaterThan(0);
    expect(await objectsOf(file)).toEqual([]);
    services.blobs.open = open;
    await renderPreview(ctx(), file);
    expect((await objectsOf(file)).length).toBe(1);
  });

  test('is shared with no other file, even of the same bytes', async () => {
    const [one, two] = [await newFile('a.pdf', pdfOf()), await newFile('b.pdf', pdfOf())];
    await renderPreview(ctx(), one);
    await renderPreview(ctx(), two);
    expect(await objectsOf(one)).not.toEqual(await objectsOf(two));
    await removeRenditions(ctx(), one);
    expect([(await objectsOf(one)).length, (await objectsOf(two)).length]).toEqual([0, 1]);
  });

  test('goes with its file, after the retention time and not before', async () => {
    const file = await newFile('a.pdf', pdfOf());
    await renderPreview(ctx(), file);
    await deleteFile(ctx(), file.id);
    const { services } = world().gateway;
    const { now } = services;
    onTestFinished(() => {
      services.now = now;
    });
    const sweepIn = async (days: number) => {
      services.now = () => new Date(Date.now() + days * DAY);
      await sweepFiles(world().context(null), removeRenditions);
      return [(await objectsOf(file)).length, await rowsOf(file)];
    };
    expect(await sweepIn(29)).toEqual([1, 1]);
    expect(await sweepIn(31)).toEqual([0, 0]);
    expect(await services.prisma.file.count({ where: { tenantId: file.tenantId, id: file.id } })).toBe(0);
  });

  test('leaves nothing behind when its file goes while it is made', async () => {
    const file = await newFile('a.pdf', pdfOf());
    const { services } = world().gateway;
    const { open } = services.blobs;
    services.blobs.open = async (address) => {
      const store = await open(address);
      return {
        ...store,
        put: async (key, body, options) => {
          await removeRenditions(ctx(), file);
          await store.put(key, body, options);
        },
      };
    };
    onTestFinished(() => {
      services.blobs.open = open;
    });
    await renderPreview(ctx(), file);
    services.blobs.open = open;
    expect([(await objectsOf(file)).length, await rowsOf(file)]).toEqual([0, 0]);
  });
});

describe('a watermark', () => {
  const difference = async (one: Buffer, other: Buffer) => {
    const [a, b] = await Promise.all([one, other].map((image) => sharp(image).removeAlpha().greyscale().raw().toBuffer()));
    return a?.reduce((sum, value, index) => sum + (Math.abs(value - (b?.[index] ?? 0)) > 40 ? 1 : 0), 0) ?? 0;
  };

  test.each(['white', 'black', 'grey', 'red'])('shows on a %s picture', async (colour) => {
    const file = await newFile('a.png', await picture(640, 640, colour).png().toBuffer());
    const plain = await renderPreview(ctx(), file);
    const marked = await renderPreview(ctx(), file, { watermark: 'Ada' });
    expect(await difference(plain.bytes, marked.bytes)).toBeGreaterThan(640);
    expect(marked.etag).not.toBe(plain.etag);
    // What is kept has none.
    expect((await renderPreview(ctx(), file)).bytes).toEqual(plain.bytes);
  });

  test.each(['Ünïcode für Größe', '<b>&amp; "quotes" </span>', '</span><span size="1">', 'x'.repeat(200), 'a\n\tb', '\u{1f600}'])(
    'may be any text: %j',
    async (watermark) => {
      const file = await newFile('a.png', await picture(200, 30).png().toBuffer());
      const plain = await renderPreview(ctx(), file);
      const marked = await renderPreview(ctx(), file, { watermark });
      expect(await sharp(marked.bytes).metadata()).toMatchObject({ width: 200, height: 30 });
      expect(marked.bytes).not.toEqual(plain.bytes);
    },
  );

  test('differs with its text', async () => {
    const file = await newFile('a.png', await picture(640, 640).png().toBuffer());
    const [one, two] = await Promise.all(['Ada', 'Bob'].map((watermark) => renderPreview(ctx(), file, { watermark })));
    expect(one?.etag).not.toBe(two?.etag);
    expect(one?.bytes).not.toEqual(two?.bytes);
  });
});
