import { z } from 'zod';
import { description, name, version } from '../input.js';

const MAX_NUMBERS = 100;

const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/i, 'must be 64 hexadecimal digits')
  .transform((text) => text.toLowerCase());

export const createUploadInput = z.object({
  documentId: z.string(),
  name: name(255),
  size: z.number('must be a number of bytes').int('must be a whole number of bytes').min(0, 'must not be negative'),
  contentType: description(255).nullish(),
  sha256: sha256.nullish(),
  partSize: z.number().int('must be a whole number of bytes').nullish(),
});
export type CreateUploadInput = z.input<typeof createUploadInput>;

export const signPartsInput = z.object({
  numbers: z.array(z.number().int()).min(1, 'name at least one part').max(MAX_NUMBERS, `at most ${MAX_NUMBERS} parts at once`),
});
export type SignPartsInput = z.input<typeof signPartsInput>;

export const completeUploadInput = z.object({ expectedVersion: version() });
export type CompleteUploadInput = z.input<typeof completeUploadInput>;
