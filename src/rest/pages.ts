import { z } from 'zod';
import { DomainError } from '../errors.js';
import type { NumberedQuery } from '../numbered.js';
import { day } from './wire.js';

/** Rulings of the contract. */
export const DEFAULT_PAGE_SIZE = 15;
export const MAX_PAGE_SIZE = 100;

const columns = { created_at: 'createdAt', updated_at: 'updatedAt', name: 'name', expires_at: 'expiresAt' } as const;

const upTo = (max: number) => z.coerce.number(`must be a whole number from 1 to ${max}`).int().min(1).max(max);

/** What every list takes. @param orders the fields that it may be ordered by */
export const pageQuery = (...orders: (keyof typeof columns)[]) => ({
  page: upTo(1_000_000).default(1).meta({ description: 'From 1.' }),
  page_size: upTo(MAX_PAGE_SIZE).default(DEFAULT_PAGE_SIZE),
  ordering: z
    .enum(orders.flatMap((field) => [field, `-${field}` as const]))
    .default('-created_at' as never) // every list has it
    .meta({ description: 'A leading "-" turns the order round.' }),
  created_at_after: day('from').optional(),
  created_at_before: day('to').optional(),
  search: z.string().optional(),
});

interface PageQuery {
  page: number;
  page_size: number;
  ordering: string;
}

/** Which page a query asks for, as services take it. */
export function numbered({ page, page_size, ordering }: PageQuery): Omit<NumberedQuery<never>, 'filter'> {
  const field = columns[ordering.replace(/^-/, '') as keyof typeof columns]; // checked by pageQuery
  return { order: { field, direction: ordering.startsWith('-') ? 'DESC' : 'ASC' }, number: page, size: page_size };
}

interface Found<Row> {
  rows: Row[];
  count: number;
}

/** The contract's envelope. @throws NOT_FOUND for a page past the end */
export function envelope<Row, Item>({ rows, count }: Found<Row>, { page, page_size }: PageQuery, item: (row: Row, index: number) => Item) {
  const pages = Math.max(1, Math.ceil(count / page_size));
  if (page > pages) throw new InvalidPage();
  return {
    count,
    total_pages: pages,
    current_page: page,
    has_previous: page > 1,
    has_next: page < pages,
    previous_page: page > 1 ? page - 1 : null,
    next_page: page < pages ? page + 1 : null,
    results: rows.map(item),
  };
}

/** 404 with a body of its own. */
export class InvalidPage extends DomainError {
  constructor() {
    super('NOT_FOUND', 'Invalid page.');
  }
}

/** The envelope, described. */
export const pageOf = (item: z.ZodType) =>
  z.object({
    count: z.int(),
    total_pages: z.int(),
    current_page: z.int(),
    has_previous: z.boolean(),
    has_next: z.boolean(),
    previous_page: z.int().nullable(),
    next_page: z.int().nullable(),
    results: z.array(item),
  });
