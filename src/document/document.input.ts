import { z } from 'zod';
import { description, jsonObject, name, reference, text, version } from '../input.js';

const MAX_TAGS = 50;

const tag = text()
  .transform((value) => value.trim())
  .refine((value) => value.length > 0 && [...value].length <= 50, 'must have 1 to 50 characters');

const tags = z
  .array(tag)
  .max(MAX_TAGS, `at most ${MAX_TAGS} tags`)
  .refine((list) => new Set(list.map((value) => value.toLowerCase())).size === list.length, 'must not repeat a tag, whatever its case');

const metadata = jsonObject(16 * 1024);

export const createDocumentInput = z.object({
  name: name(255),
  description: description(1000).nullish(),
  categoryId: reference(),
  storageId: reference(),
  tags: tags.nullish(),
  metadata: metadata.nullish(),
});
export type CreateDocumentInput = z.input<typeof createDocumentInput>;

export const updateDocumentInput = z.object({
  name: name(255).nullish(),
  description: description(1000).nullish(),
  categoryId: reference(),
  storageId: reference(),
  tags: tags.nullish(),
  metadata: metadata.nullish(),
  expectedVersion: version(),
});
export type UpdateDocumentInput = z.input<typeof updateDocumentInput>;

export const rejectInput = z.object({ reason: name(1000), expectedVersion: version() });
export type RejectInput = z.input<typeof rejectInput>;

export const transitionInput = z.object({ expectedVersion: version() });
export type TransitionInput = z.input<typeof transitionInput>;
