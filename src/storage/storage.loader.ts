import { columnsOf } from '../db/columns.js';
import { Prisma, type Storage as StorageRow } from '../db/generated/client.js';
import { findByIds } from '../db/rows.js';
import { defineLoader, indexBy } from '../loader.js';
import { byName, byTimes, type ListSource } from '../paging.js';

export const storages: ListSource<StorageRow> = {
  from: Prisma.sql`storages AS s`,
  alias: 's',
  columns: columnsOf(Prisma.StorageScalarFieldEnum, 's'),
  orders: { ...byTimes<StorageRow>('s'), ...byName<StorageRow>('s') },
};

export const storageById = defineLoader(async (ctx, ids) => {
  return indexBy(await findByIds(ctx, storages, ids), (row) => row.id);
});
