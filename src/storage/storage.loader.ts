import type { Storage as StorageRow } from '../db/generated/client.js';
import { defineLoader, indexBy } from '../loader.js';

export const storageById = defineLoader(async (ctx, ids) => {
  const rows: StorageRow[] = await ctx.db.storage.findMany({ where: { id: { in: [...ids] } } });
  return indexBy(rows, (row) => row.id);
});
