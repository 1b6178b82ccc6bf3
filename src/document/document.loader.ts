import { columnsOf } from '../db/columns.js';
import { type Document as DocumentRow, Prisma } from '../db/generated/client.js';
import { findByIds } from '../db/rows.js';
import { defineLoader, defineLoaderWith, indexBy } from '../loader.js';
import { byName, byTimes, countByParent, type ListSource, listPageByParent, type Order, type PageArgs } from '../paging.js';
import { type DocumentFilter, documentConditions } from './document.filter.js';

export const documents: ListSource<DocumentRow> = {
  from: Prisma.sql`documents AS d`,
  alias: 'd',
  columns: columnsOf(Prisma.DocumentScalarFieldEnum, 'd'),
  orders: { ...byTimes<DocumentRow>('d'), ...byName<DocumentRow>('d') },
};

const outOfTrash = Prisma.sql`d.deleted_at IS NULL`;

/** Documents in the trash load as null. */
export const documentById = defineLoader(async (ctx, ids) => {
  return indexBy(await findByIds(ctx, documents, ids, [outOfTrash]), (row) => row.id);
});

const parents = { category: Prisma.sql`d.category_id`, storage: Prisma.sql`d.storage_id` };

interface ByParent {
  parent: keyof typeof parents;
  filter: DocumentFilter | null | undefined;
}

export const documentsByParent = defineLoaderWith((ctx, ids, args: ByParent & { order: Order; page: PageArgs }) => {
  const where = documentConditions(ctx, args.filter);
  return listPageByParent(ctx, documents, parents[args.parent], ids, { where, order: args.order, page: args.page });
});

export const documentCountByParent = defineLoaderWith((ctx, ids, args: ByParent) =>
  countByParent(ctx, documents, parents[args.parent], ids, documentConditions(ctx, args.filter)),
);
