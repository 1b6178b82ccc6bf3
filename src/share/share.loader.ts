import { columnsOf } from '../db/columns.js';
import { Prisma, type Share as ShareRow } from '../db/generated/client.js';
import { findByIds } from '../db/rows.js';
import { type DateRange, equalsId, within } from '../filters.js';
import { defineLoader, defineLoaderWith, indexBy } from '../loader.js';
import { byTimes, countByParent, type ListSource, listPageByParent, type Order, type PageArgs } from '../paging.js';

export const shares: ListSource<ShareRow> = {
  from: Prisma.sql`shares AS h`,
  alias: 'h',
  columns: columnsOf(Prisma.ShareScalarFieldEnum, 'h'),
  orders: {
    ...byTimes<ShareRow>('h'),
    expiresAt: { column: Prisma.sql`h.expires_at`, type: 'timestamptz', value: (row) => row.expiresAt },
  },
};

export interface ShareFilter {
  documentId?: string | null;
  expiresAt?: DateRange | null;
  /** False: without those that were revoked. */
  revoked?: boolean | null;
}

export function shareConditions(filter: ShareFilter | null | undefined): Prisma.Sql[] {
  return [
    ...equalsId('h.document_id', filter?.documentId, 'filter.documentId'),
    ...within(filter?.expiresAt, 'h.expires_at', 'filter.expiresAt'),
    ...(filter?.revoked == null ? [] : [filter.revoked ? Prisma.sql`h.revoked_at IS NOT NULL` : Prisma.sql`h.revoked_at IS NULL`]),
  ];
}

export const shareById = defineLoader(async (ctx, ids) => {
  return indexBy(await findByIds(ctx, shares, ids), (row) => row.id);
});

const document = Prisma.sql`h.document_id`;

interface ByDocument {
  filter: ShareFilter | null | undefined;
}

export const sharesByDocument = defineLoaderWith((ctx, ids, { filter, order, page }: ByDocument & { order: Order; page: PageArgs }) =>
  listPageByParent(ctx, shares, document, ids, { where: shareConditions(filter), order, page }),
);

export const shareCountByDocument = defineLoaderWith((ctx, ids, { filter }: ByDocument) =>
  countByParent(ctx, shares, document, ids, shareConditions(filter)),
);
