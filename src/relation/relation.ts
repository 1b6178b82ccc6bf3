import type DataLoader from 'dataloader';
import type { RequestContext } from '../context.js';
import { Prisma } from '../db/generated/client.js';
import { findByIds } from '../db/rows.js';
import { isAnyOf } from '../filters.js';
import { defineLoader, defineLoaderWith, groupBy, indexBy } from '../loader.js';
import { listNumbered, type NumberedPage, type NumberedQuery } from '../numbered.js';
import { countByParent, countRows, listPage, listPageByParent, type Order, type Page, type PageArgs } from '../paging.js';
import { type Columns, selectList, type Table } from './table.js';

/**
 * Relations are declared once. Each declaration is both ways to the rows: a loader, which batches, and what it takes to
 * join them (`select.ts`). None checks a right by itself: services do, and plans do for every table that they touch.
 */

/** Rows by their ids, as a loader; null where there is none. */
export interface ById<Row extends { id: string } = never> {
  (ctx: RequestContext): DataLoader<string, Row | null>;
  table: Table<Row>;
  shown: Prisma.Sql[];
}

/** @param shown what holds for the rows that can be found */
export function byId<Row extends { id: string }>(table: Table<Row>, ...shown: Prisma.Sql[]): ById<Row> {
  const load = defineLoader(async (ctx, ids) => indexBy(await findByIds(ctx, table, ids, shown), (row) => row.id));
  return Object.assign(load, { table, shown });
}

/** The row that an argument `id` names. */
export interface Found {
  kind: 'found';
  target: ById;
}

export const found = <Row extends { id: string }>(target: ById<Row>): Found => ({ kind: 'found', target: anyRow(target) });

/** Plans know rows as lists of texts only. */
const anyRow = <Row extends { id: string }>(target: ById<Row>) => target as unknown as ById;

/** The row that a foreign key of the parent names. */
export interface One {
  kind: 'one';
  target: ById;
  /** The parent's field that holds the id, such as `categoryId`. */
  key: string;
}

export const one = <Row extends { id: string }>(target: ById<Row>, key: string): One => ({
  kind: 'one',
  target: anyRow(target),
  key,
});

/** All rows that name the parent, in the order of their ids. */
export interface Many<Row extends { id: string } = never> {
  kind: 'many';
  table: Table<Row>;
  column: Prisma.Sql;
  shown: Prisma.Sql[];
  /** @param columns what will be looked at of the rows; the rest may be missing */
  load(ctx: RequestContext, columns?: Columns): DataLoader<string, Row[] | null>;
}

/**
 * @param column the foreign key, such as `f.document_id`
 * @param key the same of a row, such as `documentId`
 * @param shown what holds for the rows that are shown
 */
export function many<Row extends { id: string }>(
  table: Table<Row>,
  column: Prisma.Sql,
  key: keyof Row & string,
  ...shown: Prisma.Sql[]
): Many<Row> {
  const needed = ['id', key];
  const load = defineLoaderWith(async (ctx, parents, columns: Columns | undefined) => {
    const list = selectList(table, columns, needed);
    const where = Prisma.join([ctx.db.owns(table.alias), isAnyOf(column, parents), ...shown], ' AND ');
    const rows = await ctx.db.query<Row>(
      Prisma.sql`SELECT ${list} FROM ${table.from} WHERE ${where} ORDER BY ${column}, ${Prisma.raw(`${table.alias}.id`)}`,
    );
    return groupBy(rows, parents, (row) => String(row[key]));
  });
  return { kind: 'many', table, column, shown, load };
}

type Conditions<Filter> = (ctx: RequestContext, filter: Filter) => Prisma.Sql[];

export interface PagesQuery<Filter> {
  filter?: Filter;
  order: Order;
  page: PageArgs;
  /** What will be looked at of the rows; the rest may be missing. */
  columns?: Columns;
}

interface Counted<Row> extends Page<Row> {
  total: () => Promise<number>;
}

/** Pages of a whole table, or (with a column) of those of its rows that name the parent. */
export interface Pages<Filter = never> {
  kind: 'pages';
  table: Table;
  column: Prisma.Sql | null;
  where: Conditions<Filter | undefined>;
}

export interface List<Row extends { id: string }, Filter> extends Pages<Filter> {
  load(ctx: RequestContext, query: PagesQuery<Filter>): Promise<Counted<Row>>;
  /** By page number, as REST lists. */
  numbered(ctx: RequestContext, query: NumberedQuery<Filter>): Promise<NumberedPage<Row>>;
}

export function list<Row extends { id: string }, Filter>(table: Table<Row>, where: Conditions<Filter | undefined>): List<Row, Filter> {
  return {
    kind: 'pages',
    table,
    column: null,
    where,
    async load(ctx, { filter, order, page, columns }) {
      const conditions = where(ctx, filter);
      const found = await listPage(ctx, table, { where: conditions, order, page, select: selectOfPage(table, columns, order) });
      return { ...found, total: () => countRows(ctx, table, conditions) };
    },
    numbered: (ctx, { filter, ...query }) => listNumbered(ctx, table, where(ctx, filter), query),
  };
}

/** Cursors are made of the id and of what the list is ordered by. */
const selectOfPage = <Row extends { id: string }>(table: Table<Row>, wanted: Columns | undefined, { field }: Order) =>
  selectList(table, wanted, ['id', field]);

export interface ListByParent<Row extends { id: string }, Filter> extends Pages<Filter> {
  load(ctx: RequestContext, parent: string, query: PagesQuery<Filter>): Promise<Counted<Row> | null>;
  count(ctx: RequestContext, parent: string, filter?: Filter): Promise<number>;
}

/** @param column the foreign key, such as `d.category_id` */
export function listByParent<Row extends { id: string }, Filter>(
  table: Table<Row>,
  column: Prisma.Sql,
  where: Conditions<Filter | undefined>,
): ListByParent<Row, Filter> {
  const pages = defineLoaderWith((ctx, parents, { filter, order, page, columns }: PagesQuery<Filter>) =>
    listPageByParent(ctx, table, column, parents, { where: where(ctx, filter), order, page, select: selectOfPage(table, columns, order) }),
  );
  const counts = defineLoaderWith((ctx, parents, { filter }: { filter?: Filter }) =>
    countByParent(ctx, table, column, parents, where(ctx, filter)),
  );
  const count = async (ctx: RequestContext, parent: string, filter?: Filter) => (await counts(ctx, { filter }).load(parent)) ?? 0;
  return {
    kind: 'pages',
    table,
    column,
    where,
    count,
    async load(ctx, parent, query) {
      const found = await pages(ctx, query).load(parent);
      return found && { ...found, total: () => count(ctx, parent, query.filter) };
    },
  };
}
