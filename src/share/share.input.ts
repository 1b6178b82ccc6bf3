import { z } from 'zod';
import { isStorableDate } from '../db/date.js';
import { isId } from '../db/id.js';
import type { FieldIssue } from '../errors.js';
import { description, text, version } from '../input.js';

const DAY = 24 * 60 * 60 * 1000;
const MAX_DAYS = 365;
/** How many files a share can pick; without a selection it opens all. */
const MAX_FILES = 100;

/** What is wrong with an expiry now. Beside the schemas: to make one anew for each moment costs more than the whole request. */
export function expiryIssues(expiresAt: Date | null | undefined, now: Date): FieldIssue[] {
  const issue = (message: string) => [{ path: 'expiresAt', message }];
  if (!expiresAt) return [];
  if (expiresAt <= now) return issue('must lie in the future');
  return expiresAt.getTime() <= now.getTime() + MAX_DAYS * DAY ? [] : issue(`must be at most ${MAX_DAYS} days from now`);
}

/** A share has to open before it expires. */
export function openingIssues(notBefore: Date | null | undefined, expiresAt: Date): FieldIssue[] {
  return notBefore && notBefore >= expiresAt ? [{ path: 'notBefore', message: 'must lie before expiresAt' }] : [];
}

const password = text().min(4, 'must have at least 4 characters').max(200, 'must have at most 200 characters');
const notBefore = z.date().refine(isStorableDate, 'must lie in the years 1 to 9999');
const watermark = description(100).refine((value) => !/\p{Cc}/u.test(value), 'must be one line');
const fileIds = z
  .array(z.string().refine(isId, 'is not an id'))
  .max(MAX_FILES, `at most ${MAX_FILES} files`)
  .refine((ids) => new Set(ids).size === ids.length, 'must not repeat a file');
const maxDownloads = z.number().int().min(1, 'must be at least 1').max(1_000_000, 'must be at most 1000000');

export const shareDocumentInput = z.object({
  expiresAt: z.date(),
  label: description(100).nullish(),
  password: password.nullish(),
  allowDownload: z.boolean().nullish(),
  maxDownloads: maxDownloads.nullish(),
  notBefore: notBefore.nullish(),
  watermark: watermark.nullish(),
  fileIds: fileIds.nullish(),
});
export type ShareDocumentInput = z.input<typeof shareDocumentInput>;

/** A null `password`, `maxDownloads` or `notBefore` lifts that limit; an absent one leaves it. */
export const updateShareInput = z.object({
  expiresAt: z.date().nullish(),
  label: description(100).nullish(),
  password: password.nullable().optional(),
  allowDownload: z.boolean().nullish(),
  maxDownloads: maxDownloads.nullable().optional(),
  notBefore: notBefore.nullable().optional(),
  watermark: watermark.nullish(),
  fileIds: fileIds.nullish(),
  expectedVersion: version(),
});
export type UpdateShareInput = z.input<typeof updateShareInput>;
