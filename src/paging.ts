import type { RequestContext } from './context.js';
import { isStorableDate } from './db/date.js';
import { Prisma } from './db/generated/client.js';
import { isId } from './db/id.js';
import { invalid } from './errors.js';
import { isAnyOf } from './filters.js';
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

/** A table whose `delta` adds up to how many rows another one has with the same values in these columns. */
export interface Counter {
  /** Under the alias of the table that it counts. */
  from: Prisma.Sql;
  columns: ReadonlySet<string>;
  /** How the one condition begins that it answers besides, and has to: its rows stand for one value each. */
  each?: string;
}

/** A table that can be listed by keyset: never OFFSET, so page 10,000 costs what page 1 costs. */
export interface ListSource<Row extends { id: string }> {
  /** A table with an alias, such as `documents AS d`. */
  from: Prisma.Sql;
  alias: string;
  columns: Prisma.Sql;
  /** Where the database keeps count of the rows; the first that can answer is asked. */
  counters?: readonly Counter[];
  /** The columns a list may be ordered by. Each has an index of (tenant, column, id). */
  orders: Record<string, { column: Prisma.Sql; type: 'timestamptz' | 'text' | 'int'; value: (row: Row) => Date | string | number }>;
}

export interface ListQuery {
  where: Prisma.Sql[];
  order: Order;
  page: PageArgs;
  /** The select list, by default all columns of the source. It holds `id` and what the list is ordered by. */
  select?: Prisma.Sql;
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
  const where = [ctx.db.owns(source.alias), ...query.where];
  return pageOf(window, await ctx.db.query<Row>(selectWindow(source, where, window, query.select)));
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
  const where = [ctx.db.owns(source.alias), Prisma.sql`${column} = parent.id`, ...query.where];
  const page = selectWindow(source, where, window, query.select);
  const rows = await ctx.db.query<Row & { parentKey: string }>(
    Prisma.sql`SELECT page.*, parent.id AS "parentKey" FROM unnest(${[...parents]}::text[]) AS parent(id) CROSS JOIN LATERAL (${page}) AS page`,
  );
  const groups = groupBy(rows, parents, (row) => row.parentKey);
  return new Map([...groups].map(([parent, children]) => [parent, pageOf<Row>(window, children)]));
}

/** The rows of a window, and some more: the window takes what it needs of them. @param where the tenant among it */
export function selectWindow(source: ListSource<never>, where: Prisma.Sql[], window: Window, columns = source.columns): Prisma.Sql {
  const conditions = Prisma.join([...where, ...window.where], ' AND ');
  return Prisma.sql`SELECT ${columns} FROM ${source.from} WHERE ${conditions} ORDER BY ${window.orderBy} LIMIT ${window.limit}`;
}

function pageOf<Row extends { id: string }>(window: Window<Row>, found: Row[]): Page<Row> {
  return { ...window.take(found), cursor: (row) => window.cursor(window.key.value(row), row.id) };
}

/** What to count for these conditions: a counter that has every column that they name, or the rows themselves. */
export function countedBy(source: ListSource<never>, conditions: Prisma.Sql[]): { from: Prisma.Sql; count: Prisma.Sql } {
  const { alias, from, counters = [] } = source;
  const texts = conditions.map(({ strings }) => strings.join('?'));
  const counter = counters.find((candidate) => answers(candidate, texts, alias));
  if (!counter) return { from, count: Prisma.sql`count(*)::int` };
  return { from: counter.from, count: Prisma.sql`coalesce(sum(${Prisma.raw(alias)}.delta), 0)::int` };
}

function answers({ columns, each }: Counter, conditions: string[], alias: string): boolean {
  const others = each === undefined ? conditions : conditions.filter((text) => !text.startsWith(each));
  if (each !== undefined && others.length !== conditions.length - 1) return false;
  const named = others.flatMap((text) => text.match(new RegExp(`\\b${alias}\\.\\w+`, 'g')) ?? []);
  return named.every((name) => columns.has(name.slice(alias.length + 1)));
}

/** How many rows a list has in all. Asked only when a client selects it. */
export async function countRows(ctx: RequestContext, source: ListSource<never>, where: Prisma.Sql[]): Promise<number> {
  const all = Prisma.join([ctx.db.owns(source.alias), ...where], ' AND ');
  const { from, count } = countedBy(source, where);
  const [row] = await ctx.db.query<{ count: number }>(Prisma.sql`SELECT ${count} AS count FROM ${from} WHERE ${all}`);
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
  const all = Prisma.join([ctx.db.owns(source.alias), isAnyOf(column, parents), ...where], ' AND ');
  const { from, count } = countedBy(source, [column, ...where]);
  const rows = await ctx.db.query<{ parentKey: string; count: number }>(
    Prisma.sql`SELECT ${column} AS "parentKey", ${count} AS count FROM ${from} WHERE ${all} GROUP BY ${column}`,
  );
  return new Map(parents.map((parent) => [parent, rows.find((row) => row.parentKey === parent)?.count ?? 0]));
}

/** Which part of a list is wanted, as SQL. */
export interface Window<Row extends { id: string } = never> {
  key: ListSource<Row>['orders'][string];
  where: Prisma.Sql[];
  orderBy: Prisma.Sql;
  /** The order in which the rows come, which is the opposite of the list's when its end is wanted. */
  order: Order;
  limit: Prisma.Sql;
  /** The page out of the rows that were found, in the list's order. */
  take<Found>(found: Found[]): { rows: Found[]; hasNextPage: boolean; hasPreviousPage: boolean };
  cursor(value: Date | string | number, id: string): string;
}

/** @throws ValidationError for arguments that make no page of this list */
export function windowOf<Row extends { id: string }>(source: ListSource<Row>, { order, page }: Omit<ListQuery, 'where'>): Window<Row> {
  const backward = page.last != null;
  if (backward && page.first != null) throw invalid('first', 'give either first or last, not both');
  const size = pageSize(backward ? 'last' : 'first', backward ? page.last : page.first);
  const key = source.orders[order.field];
  if (!key) throw invalid('orderBy', `order by one of ${Object.keys(source.orders).join(', ')}`);
  const id = Prisma.raw(`${source.alias}.id`);
  const beyond = (cursor: string, argument: string, wanted: 'ASC' | 'DESC') => {
    const [value, after] = decodeCursor(cursor, order.field, key.type, argument);
    const than = Prisma.raw(wanted === 'ASC' ? '>' : '<');
    return Prisma.sql`(${key.column}, ${id}) ${than} (${value}::${Prisma.raw(key.type)}, ${after})`;
  };
  const opposite = order.direction === 'ASC' ? 'DESC' : 'ASC';
  const direction = backward ? opposite : order.direction;
  return {
    key,
    limit: limitFor(size),
    where: [
      ...(page.after == null ? [] : [beyond(page.after, 'after', order.direction)]),
      ...(page.before == null ? [] : [beyond(page.before, 'before', opposite)]),
    ],
    orderBy: Prisma.sql`${key.column} ${Prisma.raw(direction)}, ${id} ${Prisma.raw(direction)}`,
    order: { field: order.field, direction },
    take(found) {
      const more = found.length > size;
      const rows = found.slice(0, size);
      return {
        rows: backward ? rows.reverse() : rows,
        hasNextPage: backward ? page.before != null : more,
        hasPreviousPage: backward ? more : page.after != null,
      };
    },
    cursor: (value, after) => encodeCursor(order.field, value, after),
  };
}

const fetchSizes = [0, 1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 75, MAX_PAGE_SIZE];

/**
 * One row more than the page, to know whether any follow. A number, not a parameter: with a limit that it does not know
 * PostgreSQL makes its plan anew for each request, which costs more than to run it. And one of few, so that statements are.
 */
const limitFor = (size: number): Prisma.Sql => Prisma.raw(String(1 + (fetchSizes.find((fetched) => fetched >= size) ?? MAX_PAGE_SIZE)));

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
