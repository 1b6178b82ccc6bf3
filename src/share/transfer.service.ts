import { inPlainTransaction, type RequestContext } from '../context.js';
import { Prisma, type Share as ShareRow } from '../db/generated/client.js';
import { newId } from '../db/id.js';
import type { FileRow } from '../file/file.service.js';
import { keptAddress, visitorOf } from './share.visitor.js';

/** How long a transfer may be silent before the sweeper takes it for dead, in milliseconds. Renewed every third of it. */
const LEASE = 60_000;
const lease = Prisma.sql`clock_timestamp() + ${`${LEASE} milliseconds`}::interval`;

/** Bytes of a share that are due. */
interface Due {
  ctx: RequestContext;
  share: ShareRow;
  /** Null: all files, as a zip. */
  file: FileRow | null;
  /** Of all that one download brings, in bytes. */
  size: number;
  /** Of what is asked for now. */
  length: number;
}

/** Bytes that may be sent. */
export interface Transfer {
  /** Tells what became of it. Never throws: what cannot be written is logged, and the sweeper gives back what is due. */
  ended(sent: number, complete: boolean): Promise<void>;
}

/**
 * Takes a download from the budget as its first byte is due. Part of a file is free for who was charged for the file
 * within the hour, as long as all parts together are not more than the file (and what a broken line may repeat).
 *
 * @returns null when the budget, or the state of the share, allows none
 */
export async function startTransfer(due: Due): Promise<Transfer | null> {
  const { ctx, share } = due;
  if (due.length === due.size) return transferOf(due, await charge(ctx, due));
  // Of parts that are asked for at once the first is charged, and the others find its row.
  const known = await continued(ctx, due);
  const id =
    known ??
    (await inPlainTransaction(ctx, async (tx) => {
      await tx.db.query(Prisma.sql`SELECT pg_advisory_xact_lock(hashtextextended(${ctx.db.tenantId} || ${share.id}, 1))::text`);
      return (await continued(tx, due)) ?? charge(tx, due);
    }));
  return transferOf(due, id);
}

/** Whether a visitor of a used-up share may still ask for the rest of what was charged. */
export async function mayContinue(ctx: RequestContext, share: ShareRow, fileId: string): Promise<boolean> {
  const [row] = await ctx.db.query(Prisma.sql`
    SELECT true AS found FROM share_accesses b WHERE ${sessionOf(ctx, share, fileId)} AND b.granted < b.size LIMIT 1`);
  return row !== undefined;
}

const sessionOf = (ctx: RequestContext, share: ShareRow, fileId: string | null) => Prisma.sql`
  ${ctx.db.owns('b')} AND b.share_id = ${share.id} AND b.kind = 'DOWNLOAD' AND b.file_id = ${fileId} AND b.charged
  AND b.visitor = ${visitorOf(ctx)} AND b.user_agent = ${ctx.client.userAgent} AND b.last_at > clock_timestamp() - interval '1 hour'`;

async function continued(ctx: RequestContext, { share, file, length }: Due): Promise<string | null> {
  if (!file) return null;
  // A quarter of the file, at most 4 MiB, is what buffers on the way may hold when a line breaks.
  const fits = (alias: string) =>
    Prisma.sql`${Prisma.raw(`${alias}.granted`)} + ${length}::bigint <= ${Prisma.raw(`${alias}.size + least(${alias}.size / 4, 4194304)`)}`;
  const [row] = await ctx.db.query<{ id: string }>(Prisma.sql`
    UPDATE share_accesses a SET granted = a.granted + ${length}::bigint, running = a.running + 1, outcome = 'RUNNING',
           last_at = clock_timestamp(), lease_until = ${lease}
     WHERE ${ctx.db.owns('a')} AND a.charged AND ${fits('a')} AND a.id = (
       SELECT b.id FROM share_accesses b WHERE ${sessionOf(ctx, share, file.id)} AND ${fits('b')} ORDER BY b.created_at DESC LIMIT 1)
    RETURNING a.id`);
  return row?.id ?? null;
}

/** One conditional statement, exact however many ask at once; the row that says so is written by it. */
async function charge(ctx: RequestContext, { share, file, size, length }: Due): Promise<string | null> {
  const id = newId();
  const open = file
    ? Prisma.sql`(h.file_ids = '{}' OR ${file.id} = ANY(h.file_ids)) AND EXISTS (
        SELECT FROM files f WHERE ${ctx.db.owns('f')} AND f.id = ${file.id} AND f.state = 'READY')`
    : Prisma.sql`true`;
  const count = await ctx.db.execute(Prisma.sql`
    WITH charged AS (
      UPDATE shares h SET download_count = h.download_count + 1
       WHERE ${ctx.db.owns('h')} AND h.id = ${share.id} AND h.revoked_at IS NULL AND h.expires_at > clock_timestamp()
         AND (h.not_before IS NULL OR h.not_before <= clock_timestamp()) AND h.allow_download
         AND (h.max_downloads IS NULL OR h.download_count < h.max_downloads) AND ${open}
         AND EXISTS (SELECT FROM documents d WHERE ${ctx.db.owns('d')} AND d.id = h.document_id
                        AND d.deleted_at IS NULL AND d.status IN ('PENDING', 'APPROVED'))
      RETURNING h.id)
    INSERT INTO share_accesses (tenant_id, id, share_id, created_at, last_at, kind, outcome, file_id, address, user_agent, visitor,
                                charged, size, granted, running, lease_until)
    SELECT ${ctx.db.tenantId}::uuid, ${id}, charged.id, clock_timestamp(), clock_timestamp(), ${file ? 'DOWNLOAD' : 'ZIP'}::share_access_kind,
           'RUNNING', ${file?.id ?? null}::text, ${keptAddress(ctx)}, ${ctx.client.userAgent}, ${visitorOf(ctx)}, true,
           ${size}::bigint, ${length}::bigint, 1, ${lease} FROM charged`);
  return count === 0 ? null : id;
}

function transferOf({ ctx, length }: Due, id: string | null): Transfer | null {
  if (id === null) return null;
  const failed = (error: unknown) => ctx.log.error({ err: error, access: id }, 'a transfer of a share could not be written down');
  const renewal = setInterval(() => renew(ctx, id).catch(failed), LEASE / 3);
  return {
    async ended(sent, complete) {
      clearInterval(renewal);
      const settling = settle(ctx, { id, length, sent, complete }).catch(failed);
      unsettled.add(settling);
      await settling;
      unsettled.delete(settling);
    },
  };
}

const unsettled = new Set<Promise<unknown>>();

/** Before the database is closed. */
export const allSettled = () => Promise.allSettled(unsettled);

const renew = (ctx: RequestContext, id: string) =>
  ctx.db.execute(Prisma.sql`
    UPDATE share_accesses a SET lease_until = ${lease}, last_at = clock_timestamp() WHERE ${ctx.db.owns('a')} AND a.id = ${id} AND a.running > 0`);

interface End {
  id: string;
  length: number;
  sent: number;
  complete: boolean;
}

/**
 * Gives a charge back when all that was sent for it failed. Not without end: failed transfers of a file may carry off
 * as many bytes as its budget, or three whole files, are worth; then they stay charged.
 */
async function settle(ctx: RequestContext, { id, length, sent, complete }: End): Promise<void> {
  await ctx.db.execute(Prisma.sql`
    WITH judged AS (
      SELECT a.id, a.share_id, a.charged, a.running, a.finished,
             NOT ${complete} AND a.charged AND a.finished = 0 AND a.running <= 1 AND a.bytes + ${sent}::bigint + (
               SELECT coalesce(sum(b.bytes), 0) FROM share_accesses b
                WHERE ${ctx.db.owns('b')} AND b.share_id = a.share_id AND b.kind = a.kind AND b.file_id IS NOT DISTINCT FROM a.file_id
                  AND b.outcome = 'FAILED' AND NOT b.charged
             ) <= greatest(3, coalesce((SELECT h.max_downloads FROM shares h WHERE ${ctx.db.owns('h')} AND h.id = a.share_id), 2147483647))::numeric * a.size AS refund
        FROM share_accesses a WHERE ${ctx.db.owns('a')} AND a.id = ${id} FOR UPDATE OF a),
    ended AS (
      UPDATE share_accesses a SET bytes = a.bytes + ${sent}::bigint, granted = a.granted - ${length - sent}::bigint,
             running = greatest(0, j.running - 1), finished = j.finished + ${complete ? 1 : 0}, last_at = clock_timestamp(),
             charged = (j.charged AND NOT j.refund) OR ${complete},
             outcome = CASE WHEN j.running > 1 THEN 'RUNNING' WHEN ${complete} OR j.finished > 0 THEN 'SUCCEEDED' ELSE 'FAILED' END::share_access_outcome,
             lease_until = CASE WHEN j.running > 1 THEN a.lease_until END
        FROM judged j WHERE ${ctx.db.owns('a')} AND a.id = j.id
      RETURNING a.share_id, CASE WHEN j.refund THEN -1 WHEN ${complete} AND NOT j.charged THEN 1 ELSE 0 END AS change)
    UPDATE shares h SET download_count = greatest(0, h.download_count + e.change) FROM ended e
     WHERE ${ctx.db.owns('h')} AND h.id = e.share_id AND e.change <> 0`);
}
