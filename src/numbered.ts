import type { RequestContext } from './context.js';
import { Prisma } from './db/generated/client.js';
import { countRows, type ListSource, type Order } from './paging.js';

/** A page by its number, from 1. Costs more the further back it lies; GraphQL's cursors do not. */
export interface NumberedQuery<Filter> {
  filter?: Filter;
  order: Order;
  number: number;
  size: number;
}

export interface NumberedPage<Row> {
  rows: Row[];
  /** Of the whole list. */
  count: number;
}

/** Two statements: the page and the count, which the page does not wait for. */
export async function listNumbered<Row extends { id: string }>(
  ctx: RequestContext,
  source: ListSource<Row>,
  where: Prisma.Sql[],
  { order, number, size }: Omit<NumberedQuery<never>, 'filter'>,
): Promise<NumberedPage<Row>> {
  const column = source.orders[order.field]?.column;
  if (!column) throw new Error(`${order.field} is no order of ${source.alias}`);
  const way = Prisma.raw(order.direction);
  const id = Prisma.raw(`${source.alias}.id`);
  const sorted = Prisma.sql`${column} ${way}, ${id} ${way}`;
  const conditions = Prisma.join([ctx.db.owns(source.alias), ...where], ' AND ');
  const [rows, count] = await Promise.all([
    // What is skipped is read from the index alone; only the page's own rows are fetched.
    ctx.db.query<Row>(Prisma.sql`
      SELECT ${source.columns} FROM ${source.from}
       WHERE ${ctx.db.owns(source.alias)} AND ${id} = ANY(ARRAY(
         SELECT ${id} FROM ${source.from} WHERE ${conditions} ORDER BY ${sorted} LIMIT ${size} OFFSET ${(number - 1) * size}))
       ORDER BY ${sorted}`),
    countRows(ctx, source, where),
  ]);
  return { rows, count };
}
