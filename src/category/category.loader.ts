import { type Category as CategoryRow, Prisma } from '../db/generated/client.js';
import { defineLoader, groupBy } from '../loader.js';
import { byName, byTimes } from '../paging.js';
import { byId } from '../relation/relation.js';
import { tableOf } from '../relation/table.js';
import { canReadCategories } from './category.policy.js';

export const categories = tableOf<CategoryRow>({
  name: 'categories',
  alias: 'c',
  fields: Prisma.CategoryScalarFieldEnum,
  orders: { ...byTimes<CategoryRow>('c'), ...byName<CategoryRow>('c') },
  policy: canReadCategories,
});

export const categoryById = byId(categories);

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
