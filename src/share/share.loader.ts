import { Prisma, type ShareAccess as ShareAccessRow, type Share as ShareRow } from '../db/generated/client.js';
import { defineLoader } from '../loader.js';
import { byTimes } from '../paging.js';
import { byId } from '../relation/relation.js';
import { tableOf } from '../relation/table.js';
import { canReadShares } from './share.policy.js';

export const shares = tableOf<ShareRow>({
  name: 'shares',
  alias: 'h',
  fields: Prisma.ShareScalarFieldEnum,
  orders: {
    ...byTimes<ShareRow>('h'),
    expiresAt: { column: Prisma.sql`h.expires_at`, type: 'timestamptz', value: (row) => row.expiresAt },
  },
  policy: canReadShares,
});

export const shareById = byId(shares);

/** What time it is by the database's clock, which says when shares end; by the share that it is asked for. */
export const timeOfShare = defineLoader(async (ctx, ids) => {
  const rows = await ctx.db.query<{ id: string; time: Date }>(Prisma.sql`
    SELECT h.id, clock_timestamp() AS time FROM ${shares.from} WHERE ${ctx.db.owns('h')} AND h.id = ANY(${[...ids]}::text[])`);
  return new Map(rows.map(({ id, time }) => [id, time]));
});

export const accesses = tableOf<ShareAccessRow>({
  name: 'share_accesses',
  alias: 'a',
  fields: Prisma.ShareAccessScalarFieldEnum,
  orders: { createdAt: { column: Prisma.sql`a.created_at`, type: 'timestamptz', value: (row) => row.createdAt } },
  policy: canReadShares,
});
