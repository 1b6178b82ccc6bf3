import { z } from 'zod';

/** In pixels. Few, so that a page is kept in few sizes. */
export const widths = [160, 320, 640, 1024, 1600] as const;
const LARGEST = 1600;
const USUAL = 640;

/** A width that pictures are made in: the next larger one, or the largest. */
const offered = (width: number) => widths.find((one) => one >= width) ?? LARGEST;

/** Which page in which width. */
export const previewInput = z.object({
  page: z
    .int('must be a whole number')
    .min(1, 'pages count from 1')
    .max(1_000_000, 'is no page')
    .nullish()
    .transform((page) => page ?? 1),
  width: z
    .int('must be a whole number')
    .min(1, 'must be at least 1 pixel')
    .max(100_000, 'must be at most 100000 pixels')
    .nullish()
    .transform((width) => offered(width ?? USUAL)),
});

/** A text that viewers see across the pictures. */
export const watermarkText = z.string().trim().max(200);
