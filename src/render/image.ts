import { readFile } from 'node:fs/promises';
import sharp, { type Sharp, type SharpInput, type SharpOptions } from 'sharp';
import { type CountOutcome, type Failed, MAX_RATIO, type PageRequest, type RenderOutcome } from './outcome.js';

/** More than any scanner or phone makes, and 400 MB if all of them had to be held at once. */
const MAX_PIXELS = 100_000_000;
/** librsvg draws at 72 dots per inch; the limits are sharp's. */
const SVG_DENSITY = { usual: 72, min: 1, max: 2400 };
const QUALITY = 80;

// Of libvips' many loaders only those for formats that are shown. SVG comes as a buffer: without an address of its own
// librsvg follows no reference out of it.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    ...['JpegFile', 'PngFile', 'WebpFile', 'NsgifFile', 'TiffFile', 'HeifFile', 'SvgBuffer', 'WebpBuffer', 'PngBuffer'].map(
      (loader) => `VipsForeignLoad${loader}`,
    ),
  ],
});
// One picture at a time and process, without memory of the last one.
sharp.concurrency(1);
sharp.cache(false);

const open = (input: SharpInput, options: SharpOptions = {}): Sharp =>
  sharp(input, { limitInputPixels: MAX_PIXELS, failOn: 'error', sequentialRead: true, ...options });

export async function countImagePages(path: string): Promise<CountOutcome> {
  try {
    return { status: 'COUNTED', pageCount: await pagesOf(path) };
  } catch (error) {
    return { status: 'FAILED', reason: reasonOf(error) };
  }
}

/** A page of a TIFF; of an animation the first picture. */
export async function renderImage(path: string, { page, width }: PageRequest, paged: boolean): Promise<RenderOutcome> {
  try {
    const pageCount = paged ? await pagesOf(path) : 1;
    if (page > pageCount) return { status: 'NO_SUCH_PAGE', pageCount };
    const image = await shrink(open(path, { page: page - 1 }), width);
    return { status: 'RENDERED', image, pageCount };
  } catch (error) {
    return { status: 'FAILED', reason: reasonOf(error) };
  }
}

/** A drawing at the size it is asked for, on white. */
export async function renderSvg(path: string, { page, width }: PageRequest): Promise<RenderOutcome> {
  if (page > 1) return { status: 'NO_SUCH_PAGE', pageCount: 1 };
  try {
    const svg = await readFile(path);
    const { width: natural, height } = await open(svg).metadata();
    const scale = Math.min(width / natural, (width * MAX_RATIO) / height);
    const density = Math.min(SVG_DENSITY.max, Math.max(SVG_DENSITY.min, SVG_DENSITY.usual * scale));
    return { status: 'RENDERED', image: await shrink(open(svg, { density }).flatten({ background: 'white' }), width), pageCount: 1 };
  } catch (error) {
    return { status: 'FAILED', reason: reasonOf(error) };
  }
}

/** RGBA as PDFium draws it, to WebP. */
export const encodePixels = ({ data, width, height }: { data: Uint8Array; width: number; height: number }): Promise<Uint8Array> =>
  sharp(data, { raw: { width, height, channels: 4 } })
    .removeAlpha()
    .webp({ quality: QUALITY })
    .toBuffer();

/** Upright as its camera was held, in sRGB, without its metadata: where a photo was taken is nobody's business. */
const shrink = (image: Sharp, width: number): Promise<Uint8Array> =>
  image
    .autoOrient()
    .resize({ width, height: width * MAX_RATIO, fit: 'inside', withoutEnlargement: true })
    .webp({ quality: QUALITY })
    .toBuffer();

const pagesOf = async (path: string) => (await open(path).metadata()).pages ?? 1;

function reasonOf(error: unknown): Failed['reason'] {
  return error instanceof Error && /pixel limit|too large|memory/i.test(error.message) ? 'TOO_LARGE' : 'BROKEN';
}
