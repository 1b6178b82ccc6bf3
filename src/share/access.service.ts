import { recordEvent } from '../audit/audit.service.js';
import { authorize } from '../auth/policy.js';
import { inPlainTransaction, type RequestContext } from '../context.js';
import {
  Prisma,
  ShareAccessKind,
  ShareAccessOutcome,
  type ShareAccess as ShareAccessRow,
  type Share as ShareRow,
} from '../db/generated/client.js';
import { newId } from '../db/id.js';
import { DomainError, goneReasons, ShareGoneError } from '../errors.js';
import type { NumberedQuery } from '../numbered.js';
import type { Order, PageArgs } from '../paging.js';
import { canReadShares } from './share.policy.js';
import { type AccessFilter, accessesOfShare, accessList } from './share.relations.js';
import { isPreviewBot, keptAddress, visitorOf } from './share.visitor.js';

export type { ShareAccessRow };

export const accessKinds = Object.values(ShareAccessKind);
export const accessOutcomes = Object.values(ShareAccessOutcome);

/** Why an access was refused. */
export const accessReasons = [
  ...goneReasons,
  ...(['PASSWORD_REQUIRED', 'PASSWORD_WRONG', 'RATE_LIMITED', 'FORBIDDEN', 'NOT_FOUND'] as const),
] as const;

export interface AccessQuery {
  filter?: AccessFilter | null;
  order: Order;
  page: PageArgs;
}

/** What was done with a share, newest first. */
export async function listAccesses(ctx: RequestContext, shareId: string, query: AccessQuery) {
  authorize(ctx, canReadShares);
  return accessesOfShare.load(ctx, shareId, query);
}

export async function listAccessesByNumber(ctx: RequestContext, shareId: string, query: NumberedQuery<AccessFilter>) {
  authorize(ctx, canReadShares);
  return accessList.numbered(ctx, { ...query, filter: { ...query.filter, shareId } });
}

interface Access {
  kind: ShareAccessKind;
  fileId?: string | null;
}

/** Runs `work` for whoever came with a share's token; what it refuses is written down. */
export async function watchRefusals<Result>(
  ctx: RequestContext,
  share: ShareRow,
  access: Access,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError && error.status < 500) await record(ctx, share, { ...access, reason: reasonOf(error, access.kind) });
    throw error;
  }
}

function reasonOf(error: DomainError, kind: ShareAccessKind): string {
  if (error instanceof ShareGoneError) return error.reason;
  return error.code === 'PASSWORD_REQUIRED' && kind === 'PASSWORD' ? 'PASSWORD_WRONG' : error.code;
}

/** Writes down an access that sends no bytes of files. */
export const recordAccess = (ctx: RequestContext, share: ShareRow, access: Access) => record(ctx, share, { ...access, reason: null });

/** What cannot be written down does not keep the share from opening, but it is never lost without a word. */
async function record(ctx: RequestContext, share: ShareRow, access: Access & { reason: string | null }): Promise<void> {
  try {
    if (access.kind === 'OPEN' && access.reason === null && !isPreviewBot(ctx)) return await recordOpening(ctx, share);
    await write(ctx, share, access);
  } catch (error) {
    ctx.log.error({ err: error, shareId: share.id, ...access }, 'an access of a share could not be written down');
  }
}

/** The first opening of a visitor within an hour is a visit: it counts, and the history of the document tells of it. */
function recordOpening(ctx: RequestContext, share: ShareRow): Promise<void> {
  return inPlainTransaction(ctx, async (tx) => {
    const visits = await tx.db.execute(Prisma.sql`
      UPDATE shares h SET open_count = open_count + 1, last_opened_at = clock_timestamp()
       WHERE ${tx.db.owns('h')} AND h.id = ${share.id} AND NOT EXISTS (
         SELECT FROM share_accesses a WHERE ${tx.db.owns('a')} AND a.share_id = ${share.id} AND a.visitor = ${visitorOf(tx)}
            AND a.kind = 'OPEN' AND a.outcome = 'SUCCEEDED' AND a.created_at > clock_timestamp() - interval '1 hour')`);
    await write(tx, share, { kind: 'OPEN', reason: null });
    if (visits === 0) return;
    await recordEvent(tx, { action: 'share.opened', subjectId: share.documentId, entity: { type: 'Share', id: share.id } });
  });
}

/** The same by the same visitor within an hour is one row that counts. */
async function write(ctx: RequestContext, share: ShareRow, { kind, fileId = null, reason }: Access & { reason: string | null }) {
  const outcome = reason === null ? 'SUCCEEDED' : 'REFUSED';
  const { userAgent } = ctx.client;
  await ctx.db.execute(Prisma.sql`
    WITH again AS (
      UPDATE share_accesses a SET times = times + 1, last_at = clock_timestamp()
       WHERE ${ctx.db.owns('a')} AND a.id = (
         SELECT b.id FROM share_accesses b
          WHERE ${ctx.db.owns('b')} AND b.share_id = ${share.id} AND b.created_at > clock_timestamp() - interval '1 hour'
            AND b.kind = ${kind}::share_access_kind AND b.outcome = ${outcome}::share_access_outcome
            AND b.reason IS NOT DISTINCT FROM ${reason}::text AND b.file_id IS NOT DISTINCT FROM ${fileId}::text
            AND b.visitor = ${visitorOf(ctx)} AND b.user_agent = ${userAgent} LIMIT 1)
      RETURNING a.id)
    INSERT INTO share_accesses (tenant_id, id, share_id, created_at, last_at, kind, outcome, reason, file_id, address, user_agent, visitor)
    SELECT ${ctx.db.tenantId}::uuid, ${newId()}, ${share.id}, clock_timestamp(), clock_timestamp(), ${kind}::share_access_kind,
           ${outcome}::share_access_outcome, ${reason}::text, ${fileId}::text, ${keptAddress(ctx)}, ${userAgent}, ${visitorOf(ctx)}
     WHERE NOT EXISTS (SELECT FROM again)`);
}
