import { columnsOf } from '../db/columns.js';
import { type Category as CategoryRow, Prisma } from '../db/generated/client.js';
import { findByIds } from '../db/rows.js';
import { defineLoader, defineLoaderWith, groupBy, indexBy } from '../loader.js';
import { byName, byTimes, countByParent, type ListSource, listPageByParent, type Order, type PageArgs } from '../paging.js';

export const categories: ListSource<CategoryRow> = {
  from: Prisma.sql`categories AS c`,
  alias: 'c',
  columns: columnsOf(Prisma.CategoryScalarFieldEnum, 'c'),
  orders: { ...byTimes<CategoryRow>('c'), ...byName<CategoryRow>('c') },
};
const parent = Prisma.sql`c.parent_id`;

export const categoryById = defineLoader(async (ctx, ids) => {
  return indexBy(await findByIds(ctx, categories, ids), (row) => row.id);
});

export const childrenByCategory = defineLoaderWith((ctx, ids, { order, page }: { order: Order; page: PageArgs }) =>
  listPageByParent(ctx, categories, parent, ids, { where: [], order, page }),
);

export const childCountByCategory = defineLoaderWith((ctx, ids, _: null) => countByParent(ctx, categories, parent, ids, []));

/** The ancestors of a category, from its root to its parent. */
export const ancestorsByCategory = defineLoader(async (ctx, ids) => {
  const rows = await ctx.db.query<CategoryRow & { descendant: string }>(Prisma.sql`
    WITH RECURSIVE line AS (
      SELECT c.tenant_id, c.id AS descendant, c.parent_id AS id, 1 AS distance
        FROM categories c WHERE ${ctx.db.owns('c')} AND c.id = ANY(${[...ids]}::text[])
      UNION ALL
      SELECT c.tenant_id, line.descendant, c.parent_id, line.distance + 1
        FROM line JOIN categories c ON c.tenant_id = line.tenant_id AND c.id = line.id)
    SELECT ${categories.columns}, line.descendant FROM line JOIN categories c ON c.tenant_id = line.tenant_id AND c.id = line.id
     ORDER BY line.distance DESC`);
  return groupBy(rows, ids, (row) => row.descendant);
});
