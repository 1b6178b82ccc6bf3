import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type { NoPreviewError } from '../src/errors.js';
import { renderPreview } from '../src/rendition/rendition.service.js';
import { circularPdf, lockedPdf } from './pdfs.js';
import { type Make, useRenditions } from './rendition.world.js';

const { ctx, newFile, watchRenderer } = useRenditions();

/** A PNG that claims a size, and has next to nothing of it. */
function bomb(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1_000_000))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const cut = async (image: Promise<Buffer>) => {
  const bytes = await image;
  return bytes.subarray(0, bytes.length / 2);
};
const noise = (format: 'jpeg' | 'png') =>
  sharp({ create: { width: 400, height: 400, channels: 3, background: 'white', noise: { type: 'gaussian', mean: 128, sigma: 60 } } })
    .toFormat(format)
    .toBuffer();

describe('a file that cannot be drawn', () => {
  test.each<[string, string, Make, NoPreviewError['reason']]>([
    ['rubbish that says it is a PDF', 'a.pdf', () => '%PDF-1.7 rubbish', 'BROKEN'],
    ['a PDF with a password', 'a.pdf', lockedPdf, 'ENCRYPTED'],
    ['a PDF whose page tree is a circle', 'a.pdf', circularPdf, 'BROKEN'],
    ['half a PNG', 'a.png', () => cut(noise('png')), 'BROKEN'],
    ['half a JPEG', 'a.jpg', () => cut(noise('jpeg')), 'BROKEN'],
    ['a PNG of 2.5 gigapixels', 'a.png', () => bomb(50_000, 50_000), 'TOO_LARGE'],
    ['a PNG that is wider than there are bytes', 'a.png', () => bomb(2_000_000_000, 1), 'BROKEN'],
    ['an SVG that is larger than the world', 'a.svg', () => '<svg xmlns="http://www.w3.org/2000/svg" width="1e9" height="1e9"/>', 'BROKEN'],
    ['an SVG that is none', 'a.svg', () => '<svg ', 'BROKEN'],
    [
      'an SVG that asks for another file',
      'a.svg',
      () =>
        '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&x;</text></svg>',
      'BROKEN',
    ],
    ['text', 'a.txt', () => 'text', 'UNSUPPORTED'],
    ['HTML', 'a.html', () => '<!doctype html><script>1</script>', 'UNSUPPORTED'],
    ['nothing', 'a.pdf', () => '', 'UNSUPPORTED'],
  ])('says why: %s', async (_, name, make, reason) => {
    const file = await newFile(name, await make());
    const asked = watchRenderer();
    for (let times = 0; times < 2; times++) {
      await expect(renderPreview(ctx(), file)).rejects.toMatchObject({ code: 'NO_PREVIEW', reason });
    }
    // Remembered.
    expect(asked()).toBe(reason === 'UNSUPPORTED' ? 0 : 1);
  });
});
