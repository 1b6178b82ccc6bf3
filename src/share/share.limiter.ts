import type { RequestContext } from '../context.js';
import { Prisma, type Share as ShareRow } from '../db/generated/client.js';
import { RateLimitedError } from '../errors.js';
import { visitorOf } from './share.visitor.js';

/** Wrong passwords that a visitor, and all visitors together, can try on one share within the window. */
const MAX_OF_VISITOR = 10;
const MAX_OF_ALL = 100;
const WINDOW = Prisma.sql`interval '15 minutes'`;

interface Count {
  attempts: number;
  /** Seconds to the end of the window. */
  wait: number;
}

/**
 * Counts an attempt at a share's password, before anything is computed for it: in the database, so that all doors and all
 * copies count together. @throws RateLimitedError when there were too many
 */
export async function countAttempt(ctx: RequestContext, share: ShareRow): Promise<void> {
  const counted = (id: string, from: Prisma.Sql) => Prisma.sql`
    INSERT INTO share_attempts AS t (tenant_id, share_id, id, attempts, since)
    SELECT ${ctx.db.tenantId}::uuid, ${share.id}, ${id}, 1, clock_timestamp() ${from}
    ON CONFLICT (tenant_id, id) DO UPDATE SET
      attempts = CASE WHEN t.since < clock_timestamp() - ${WINDOW} THEN 1 ELSE t.attempts + 1 END,
      since = CASE WHEN t.since < clock_timestamp() - ${WINDOW} THEN clock_timestamp() ELSE t.since END
    RETURNING t.attempts, ceil(extract(epoch FROM t.since + ${WINDOW} - clock_timestamp()))::int AS wait`;
  // Whoever is over the limit already does not use up what is left to others.
  const rows = await ctx.db.query<Count & { mine: boolean }>(Prisma.sql`
    WITH mine AS (${counted(attemptsOf(share, visitorOf(ctx)), Prisma.empty)}),
         everyone AS (${counted(attemptsOfAll(share), Prisma.sql`FROM mine WHERE mine.attempts <= ${MAX_OF_VISITOR}`)})
    SELECT attempts, wait, true AS mine FROM mine UNION ALL SELECT attempts, wait, false AS mine FROM everyone`);
  const over = rows.find(({ attempts, mine }) => attempts > (mine ? MAX_OF_VISITOR : MAX_OF_ALL));
  if (over) throw tooManyAttempts(ctx, Math.max(1, over.wait));
}

/** Takes back the visitor's own attempt, and no other, because its password was right. */
export async function forgiveAttempt(ctx: RequestContext, share: ShareRow): Promise<void> {
  await ctx.db.execute(Prisma.sql`
    UPDATE share_attempts t SET attempts = greatest(0, t.attempts - 1)
     WHERE ${ctx.db.owns('t')} AND t.id IN (${attemptsOf(share, visitorOf(ctx))}, ${attemptsOfAll(share)})`);
}

/** @param retryAfter in seconds */
export function tooManyAttempts(ctx: RequestContext, retryAfter: number): RateLimitedError {
  ctx.hints.retryAfter = retryAfter;
  return new RateLimitedError('Too many attempts at the password of this link. Wait before you try again.', retryAfter);
}

const attemptsOf = (share: ShareRow, visitor: Uint8Array) => `${share.id} ${Buffer.from(visitor).toString('base64url')}`;
const attemptsOfAll = (share: ShareRow) => `${share.id} all`;
