import { z } from 'zod';

/** Where the domain's name of an input is not the wire's name in snake case. Rulings of the contract. */
const renamed = new Map([
  ['', 'non_field_errors'],
  ['categoryId', 'category'],
  ['storageId', 'storage'],
  ['parentId', 'parent'],
  ['documentId', 'document'],
  ['fileIds', 'files'],
  ['createdAt.from', 'created_at_after'],
  ['createdAt.to', 'created_at_before'],
  ['expiresAt.from', 'expires_at_gte'],
  ['expiresAt.to', 'expires_at_lte'],
  ['tagsAll', 'tags'],
]);

/** The wire's name of an input, from the path of an issue: `filter.categoryId` is `category`, `tags.0` is `tags`. */
export function wireName(path: string): string {
  const bare = path.replace(/^filter\./, '');
  const [first = ''] = bare.split('.');
  return renamed.get(bare) ?? renamed.get(first) ?? snake(first);
}

/** The part of an object that an issue is about: `credentials.region` is `region`. Empty for whole inputs and items of lists. */
export function wirePart(path: string): string {
  const [, ...rest] = path.split('.');
  return renamed.has(path) || path.startsWith('filter.') || /^\d/.test(rest[0] ?? '') ? '' : rest.join('.');
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** UTC with exactly six fractional digits. */
export const wireTime = (time: Date): string => time.toISOString().replace('Z', '000Z');

interface Audited {
  id: string;
  tenantId: string;
  createdBy: string;
  updatedBy: string | null;
  createdAt: Date;
  updatedAt: Date;
}

/** The six fields that lead every object, in the contract's order. */
export const audit = (row: Audited) => ({
  id: row.id,
  tenant_id: row.tenantId,
  created_by: row.createdBy,
  updated_by: row.updatedBy ?? '',
  created_at: wireTime(row.createdAt),
  updated_at: wireTime(row.updatedAt),
});

/** An id and a time as the reference shows them. */
export const exampleId = '01JQ9Q3V8ZK6T2W5N4M7XR0BHC';
export const exampleTime = '2025-03-26T14:20:38.277978Z';

/** The six fields as the reference shows them. */
export const auditExample = {
  id: exampleId,
  tenant_id: '0b5a2f6e-5e0f-4f5c-9a53-0d3d4c7c2f11',
  created_by: '7c1e9d1a-2d0b-4c39-8f0e-6a1b5f3e8d42',
  updated_by: '',
  created_at: exampleTime,
  updated_at: exampleTime,
};

/** A time as answers tell it. */
export const wireTimeShape = z
  .string()
  .meta({ format: 'date-time', description: 'UTC with six fractional digits.', examples: [exampleTime] });

/** The six fields, described. */
export const auditShape = {
  id: z.string().meta({ description: 'A ULID.', examples: [exampleId] }),
  tenant_id: z.string(),
  created_by: z.string(),
  updated_by: z.string().meta({ description: 'Empty until the first update.' }),
  created_at: wireTimeShape,
  updated_at: wireTimeShape,
};

/** A moment as clients send it: ISO 8601 with an offset or Z. */
export const moment = () =>
  z.iso
    .datetime({ offset: true, error: 'must be a date and time with an offset, such as 2025-08-01T05:38:35+00:00' })
    .transform((text) => new Date(text));

const DAY = 24 * 60 * 60 * 1000;

const dayOrMoment = () =>
  z.union([z.iso.date(), z.iso.datetime({ offset: true })], { error: 'must be YYYY-MM-DD or a date and time with an offset' });

function edges(text: string): { from: Date; to: Date } {
  const from = new Date(text);
  return { from, to: text.length === 'YYYY-MM-DD'.length ? new Date(from.getTime() + DAY - 1) : from };
}

/** A moment or a day in a filter; a day stands for its start, or its end. */
export const day = (edge: 'from' | 'to') => dayOrMoment().transform((text) => edges(text)[edge]);

/** A moment, or all of a day. */
export const span = () => dayOrMoment().transform(edges);

/** A yes or no in a query. */
export const flag = () => z.enum(['true', 'false'], { error: 'must be true or false' }).transform((text) => text === 'true');
