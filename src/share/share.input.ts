import { z } from 'zod';
import type { FieldIssue } from '../errors.js';
import { description, text, version } from '../input.js';

const DAY = 24 * 60 * 60 * 1000;
const MAX_DAYS = 365;

/** What is wrong with an expiry now. Beside the schemas: to make one anew for each moment costs more than the whole request. */
export function expiryIssues(expiresAt: Date | null | undefined, now: Date): FieldIssue[] {
  const issue = (message: string) => [{ path: 'expiresAt', message }];
  if (!expiresAt) return [];
  if (expiresAt <= now) return issue('must lie in the future');
  return expiresAt.getTime() <= now.getTime() + MAX_DAYS * DAY ? [] : issue(`must be at most ${MAX_DAYS} days from now`);
}

const password = text().min(4, 'must have at least 4 characters').max(200, 'must have at most 200 characters');
const maxDownloads = z.number().int().min(1, 'must be at least 1').max(1_000_000, 'must be at most 1000000');

export const shareDocumentInput = z.object({
  expiresAt: z.date(),
  label: description(100).nullish(),
  password: password.nullish(),
  allowDownload: z.boolean().nullish(),
  maxDownloads: maxDownloads.nullish(),
});
export type ShareDocumentInput = z.input<typeof shareDocumentInput>;

/** A null `password` or `maxDownloads` lifts that limit; an absent one leaves it. */
export const updateShareInput = z.object({
  expiresAt: z.date().nullish(),
  label: description(100).nullish(),
  password: password.nullable().optional(),
  allowDownload: z.boolean().nullish(),
  maxDownloads: maxDownloads.nullable().optional(),
  expectedVersion: version(),
});
export type UpdateShareInput = z.input<typeof updateShareInput>;
