import type { RequestContext } from './context.js';
import { isStorableDate } from './db/date.js';
import { Prisma } from './db/generated/client.js';
import { isId } from './db/id.js';
import { invalid } from './errors.js';
import { groupBy } from './loader.js';

export const MAX_PAGE_SIZE = 100;
export const DEFAULT_PAGE_SIZE = 20;

/** Relay's connection arguments. */
export interface PageArgs {
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
}

export interface Order {
  field: string;
  direction: 'ASC' | 'DESC';
}

/** A table that can be listed by keyset: never OFFSET, so page 10,000 costs what page 1 costs. */
export interface ListSource<Row extends { id: string }> {
  /** A table with an alias, such as `documents AS d`. */
  from: Prisma.Sql;
  alias: string;
  columns: Prisma.Sql;
  /** The columns a list may be ordered by. Each has an index of (tenant, column, id). */
  orders: Record<string, { column: Prisma.Sql; type: 'timestamptz' | 'text' | 'int'; value: (row: Row) => Date | string | number }>;
}

export interface ListQuery {
  where: Prisma.Sql[];
  order: Order;
  page: PageArgs;
}

export interface Page<Row> {
  rows: Row[];
  cursor: (row: Row) => string;
  hasNextPage: boolean;
  hasPreviousPage: boolean;
}

/** One page of a tenant's rows, in one statement. */
export async function listPage<Row extends { id: string }>(
  ctx: RequestContext,
  source: ListSource<Row>,
  query: ListQuery,
): Promise<Page<Row>> {
  const window = windowOf(source, query);
  const where = Prisma.join([ctx.db.owns(source.alias), ...query.where, ...window.where], ' AND ');
  const rows = await ctx.db.query<Row>(
    Prisma.sql`SELECT ${source.columns} FROM ${source.from} WHERE ${where} ORDER BY ${window.orderBy} LIMIT ${window.limit + 1}`,
  );
  return window.page(rows);
}

/** The same page for each of many parents, in one statement. `column` is the foreign key, such as `d.category_id`. */
export async function listPageByParent<Row extends { id: string }>(
  ctx: RequestContext,
  source: ListSource<Row>,
  column: Prisma.Sql,
  parents: readonly string[],
  query: ListQuery,
): Promise<Map<string, Page<Row>>> {
  const window = windowOf(source, query);
  const where = Prisma.join([ctx.db.owns(source.alias), Prisma.sql`${column} = parent.id`, ...query.where, ...window.where], ' AND ');
  const rows = await ctx.db.query<Row & { parentKey: string }>(Prisma.sql`
    SELECT page.*, parent.id AS "parentKey" FROM unnest(${[...parents]}::text[]) AS parent(id) CROSS JOIN LATERAL (
      SELECT ${source.columns} FROM ${source.from} WHERE ${where} ORDER BY ${window.orderBy} LIMIT ${window.limit + 1}) AS page`);
  const groups = groupBy(rows, parents, (row) => row.parentKey);
  return new Map([...groups].map(([parent, children]) => [parent, window.page(children)]));
}

/** How many rows a list has in all. Asked only when a client selects it. */
export async function countRows(ctx: RequestContext, source: ListSource<never>, where: Prisma.Sql[]): Promise<number> {
  const all = Prisma.join([ctx.db.owns(source.alias), ...where], ' AND ');
  const [row] = await ctx.db.query<{ count: number }>(Prisma.sql`SELECT count(*)::int AS count FROM ${source.from} WHERE ${all}`);
  return row?.count ?? 0;
}

/** The same for each of many parents, in one statement. */
export async function countByParent(
  ctx: RequestContext,
  source: ListSource<never>,
  column: Prisma.Sql,
  parents: readonly string[],
  where: Prisma.Sql[],
): Promise<Map<string, number>> {
  const all = Prisma.join([ctx.db.owns(source.alias), Prisma.sql`${column} = ANY(${[...parents]}::text[])`, ...where], ' AND ');
  const rows = await ctx.db.query<{ parentKey: string; count: number }>(
    Prisma.sql`SELECT ${column} AS "parentKey", count(*)::int AS count FROM ${source.from} WHERE ${all} GROUP BY ${column}`,
  );
  return new Map(parents.map((parent) => [parent, rows.find((row) => row.parentKey === parent)?.count ?? 0]));
}

function windowOf<Row extends { id: string }>(source: ListSource<Row>, { order, page }: ListQuery) {
  const backward = page.last != null;
  if (backward && page.first != null) throw invalid('first', 'give either first or last, not both');
  const limit = pageSize(backward ? 'last' : 'first', backward ? page.last : page.first);
  const key = source.orders[order.field];
  if (!key) throw invalid('orderBy', `order by one of ${Object.keys(source.orders).join(', ')}`);
  const id = Prisma.raw(`${source.alias}.id`);
  const beyond = (cursor: string, argument: string, wanted: 'ASC' | 'DESC') => {
    const [value, after] = decodeCursor(cursor, order.field, key.type, argument);
    const than = Prisma.raw(wanted === 'ASC' ? '>' : '<');
    return Prisma.sql`(${key.column}, ${id}) ${than} (${value}::${Prisma.raw(key.type)}, ${after})`;
  };
  const opposite = order.direction === 'ASC' ? 'DESC' : 'ASC';
  const direction = Prisma.raw(backward ? opposite : order.direction);
  return {
    limit,
    where: [
      ...(page.after == null ? [] : [beyond(page.after, 'after', order.direction)]),
      ...(page.before == null ? [] : [beyond(page.before, 'before', opposite)]),
    ],
    orderBy: Prisma.sql`${key.column} ${direction}, ${id} ${direction}`,
    page(found: Row[]): Page<Row> {
      const more = found.length > limit;
      const rows = found.slice(0, limit);
      return {
        rows: backward ? rows.reverse() : rows,
        cursor: (row) => encodeCursor(order.field, key.value(row), row.id),
        hasNextPage: backward ? page.before != null : more,
        hasPreviousPage: backward ? more : page.after != null,
      };
    },
  };
}

function pageSize(argument: string, size: number | null | undefined): number {
  const wanted = size ?? DEFAULT_PAGE_SIZE;
  if (wanted < 0 || wanted > MAX_PAGE_SIZE) throw invalid(argument, `must be between 0 and ${MAX_PAGE_SIZE}`);
  return wanted;
}

const encodeCursor = (field: string, value: Date | string | number, id: string): string =>
  Buffer.from(JSON.stringify([field, value, id])).toString('base64url');

function decodeCursor(cursor: string, field: string, type: string, argument: string): [string | number, string] {
  const bad = () => invalid(argument, 'is not a cursor of this list; use one from pageInfo or edges, with the same orderBy');
  const [name, value, id] = parseJson(Buffer.from(cursor, 'base64url').toString('utf8'), bad);
  if (name !== field || typeof id !== 'string' || !isId(id)) throw bad();
  if (type === 'int') {
    if (!isInt(value)) throw bad();
    return [value, id];
  }
  if (typeof value !== 'string' || value.includes('\0') || !value.isWellFormed()) throw bad();
  if (type === 'timestamptz' && !isTimestamp(value)) throw bad();
  return [value, id];
}

const isInt = (value: unknown): value is number => Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 31;

function isTimestamp(text: string): boolean {
  const date = new Date(text);
  return isStorableDate(date) && date.toISOString() === text;
}

function parseJson(text: string, bad: () => Error): unknown[] {
  try {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed) && parsed.length === 3) return parsed;
  } catch {}
  throw bad();
}

/** The orders that storages, categories, documents and shares have in common. */
export const byTimes = <Row extends { createdAt: Date; updatedAt: Date }>(alias: string) =>
  ({
    createdAt: { column: Prisma.raw(`${alias}.created_at`), type: 'timestamptz', value: (row: Row) => row.createdAt },
    updatedAt: { column: Prisma.raw(`${alias}.updated_at`), type: 'timestamptz', value: (row: Row) => row.updatedAt },
  }) as const;

export const byName = <Row extends { name: string }>(alias: string) =>
  ({ name: { column: Prisma.raw(`${alias}.name`), type: 'text', value: (row: Row) => row.name } }) as const;
