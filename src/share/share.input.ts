import { z } from 'zod';
import { description, text, version } from '../input.js';

const DAY = 24 * 60 * 60 * 1000;
const MAX_DAYS = 365;

/** @param now what "the future" is measured from */
const expiry = (now: Date) =>
  z
    .date()
    .refine((value) => value > now, 'must lie in the future')
    .refine((value) => value.getTime() <= now.getTime() + MAX_DAYS * DAY, `must be at most ${MAX_DAYS} days from now`);

const password = text().min(4, 'must have at least 4 characters').max(200, 'must have at most 200 characters');
const maxDownloads = z.number().int().min(1, 'must be at least 1').max(1_000_000, 'must be at most 1000000');

export const shareDocumentInput = (now: Date) =>
  z.object({
    expiresAt: expiry(now),
    label: description(100).nullish(),
    password: password.nullish(),
    allowDownload: z.boolean().nullish(),
    maxDownloads: maxDownloads.nullish(),
  });
export type ShareDocumentInput = z.input<ReturnType<typeof shareDocumentInput>>;

/** A null `password` or `maxDownloads` lifts that limit; an absent one leaves it. */
export const updateShareInput = (now: Date) =>
  z.object({
    expiresAt: expiry(now).nullish(),
    label: description(100).nullish(),
    password: password.nullable().optional(),
    allowDownload: z.boolean().nullish(),
    maxDownloads: maxDownloads.nullable().optional(),
    expectedVersion: version(),
  });
export type UpdateShareInput = z.input<ReturnType<typeof updateShareInput>>;
