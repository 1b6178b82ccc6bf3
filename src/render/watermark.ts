import sharp from 'sharp';

/** How many letters of usual width fit across a picture. */
const LETTERS = 24;
const MIN_LETTER = 9;
const ANGLE = -30;
const CLEAR = { r: 0, g: 0, b: 0, alpha: 0 };

/** Writes a text all over a picture, dark with a light edge, so that it shows on paper and on photos alike. */
export async function drawWatermark(image: Uint8Array, text: string): Promise<Uint8Array> {
  const { width, height } = await sharp(image).metadata();
  const tile = await tileOf(text, width, height);
  return sharp(image)
    .composite([{ input: tile, tile: true, gravity: 'centre' }])
    .webp({ quality: 80 })
    .toBuffer();
}

/** The text once, aslant, with space around it; never larger than the picture that it is laid on. */
async function tileOf(text: string, width: number, height: number): Promise<Buffer> {
  const letter = Math.max(MIN_LETTER, Math.round(width / LETTERS));
  const edge = Math.max(1, Math.round(letter / 16));
  const [light, dark] = await Promise.all(['white', 'black'].map((colour) => written(text, colour, letter, width)));
  const { info, data } = await sharp(light)
    .extend({ top: 0, left: 0, right: edge, bottom: edge, background: CLEAR })
    .composite([{ input: dark, left: edge, top: edge }])
    .png()
    .toBuffer({ resolveWithObject: true });
  const space = Math.round(letter * 1.5);
  const slanted = await sharp(data, { limitInputPixels: info.width * info.height + 1 })
    .extend({ top: space, bottom: space, left: space, right: space, background: CLEAR })
    .rotate(ANGLE, { background: CLEAR })
    .png()
    .toBuffer();
  return sharp(slanted).resize({ width, height, fit: 'inside', withoutEnlargement: true }).png().toBuffer();
}

const written = (text: string, colour: string, letter: number, width: number): Promise<Buffer> =>
  sharp({
    text: {
      text: `<span foreground="${colour}" fgalpha="35%">${escaped(text)}</span>`,
      font: `DejaVu Sans Bold ${letter}`,
      dpi: 72,
      width: Math.round(width * 0.9),
      wrap: 'word-char',
      align: 'centre',
      rgba: true,
    },
  })
    .png()
    .toBuffer();

/** Pango reads markup. */
const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
