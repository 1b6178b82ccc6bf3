import { type StorageMove as MoveRow, Prisma } from '../db/generated/client.js';
import { defineLoader, indexBy } from '../loader.js';
import { byTimes } from '../paging.js';
import { byId } from '../relation/relation.js';
import { tableOf } from '../relation/table.js';
import { canReadMoves } from './move.policy.js';

export const moves = tableOf<MoveRow>({
  name: 'storage_moves',
  alias: 'm',
  fields: Prisma.StorageMoveScalarFieldEnum,
  orders: byTimes<MoveRow>('m'),
  policy: canReadMoves,
});

export const moveById = byId(moves);

/** How far a move has come, in documents; files and bytes are those that have arrived. */
export interface MoveProgress {
  moveId: string;
  documents: number;
  pending: number;
  done: number;
  failed: number;
  cancelled: number;
  files: number;
  bytes: bigint;
  /** When the last document was finished; null while some are pending. */
  finishedAt: Date | null;
}

export const progressOfMove = defineLoader(async (ctx, ids) => {
  const rows = await ctx.db.query<MoveProgress>(Prisma.sql`
    SELECT m.id AS "moveId", count(p.id)::int AS documents, count(p.id) FILTER (WHERE p.state = 'PENDING')::int AS pending,
           count(p.id) FILTER (WHERE p.state = 'DONE')::int AS done, count(p.id) FILTER (WHERE p.state = 'FAILED')::int AS failed,
           count(p.id) FILTER (WHERE p.state = 'CANCELLED')::int AS cancelled,
           coalesce(sum(p.files_moved), 0)::int AS files, coalesce(sum(p.bytes_moved), 0)::bigint AS bytes,
           CASE WHEN count(p.id) FILTER (WHERE p.state = 'PENDING') = 0 THEN coalesce(max(p.updated_at), m.created_at) END AS "finishedAt"
      FROM storage_moves m LEFT JOIN move_documents p ON p.tenant_id = m.tenant_id AND p.move_id = m.id
     WHERE ${ctx.db.owns('m')} AND m.id = ANY(${[...ids]}::text[]) GROUP BY m.tenant_id, m.id`);
  return indexBy(rows, (row) => row.moveId);
});
