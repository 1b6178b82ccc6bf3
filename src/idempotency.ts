import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { inTransaction, type RequestContext, viewerOf } from './context.js';
import { Prisma } from './db/generated/client.js';
import { ConflictError } from './errors.js';

/** How long an answer is kept, in milliseconds. */
const KEPT = 24 * 60 * 60 * 1000;
/** How long a request waits for the same one that is running, in milliseconds, and between looks. */
const PATIENCE = 10_000;
const PAUSE = 50;
const table = 'idempotency_keys';

/** What was answered. */
export interface Answer {
  status: number;
  /** Its media type. */
  type: string;
  body: string;
  /** Of the object that was made, where it has one. */
  etag?: string;
}

/** A request that may be sent again. */
export interface RepeatableRequest {
  /** Stands for its user, route and key. */
  id: string;
  /** Another one whenever what is asked for is another thing. */
  fingerprint: string;
}

/** The key came with another request before. */
export class KeyReusedError extends ConflictError {}

/** The same request is running. */
export class InProgressError extends ConflictError {}

/** Ends a transaction that would do again what another has done meanwhile. */
export class AnsweredError extends Error {
  constructor(readonly answer: Answer) {
    super('the request has been answered');
  }
}

export const requestId = (ctx: RequestContext, route: string, key: string): string => digestOf([viewerOf(ctx).userId, route, key]);

/** SHA-256 of a value as JSON, in hexadecimal. */
export const digestOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/**
 * Does a thing once, however often and at however many places at once it is asked for: effect and answer are one
 * transaction, so that a crash leaves both or neither. Others wait for the one that runs, and hold no connection meanwhile.
 *
 * @param work acts in the transaction that it is given
 * @throws KeyReusedError, InProgressError
 */
export async function once(
  ctx: RequestContext,
  request: RepeatableRequest,
  work: (tx: RequestContext) => Promise<Answer>,
): Promise<Answer> {
  for (const until = Date.now() + PATIENCE; Date.now() < until; await sleep(PAUSE)) {
    const answer = await inTransaction(ctx, async (tx) => {
      if (!(await tryLock(tx, request))) return null;
      const known = await findAnswer(tx, request);
      if (known) return known;
      const made = await work(tx);
      await insert(tx, request, made);
      return made;
    });
    if (answer) return answer;
  }
  throw new InProgressError('The same request is still running. Send it again in a moment.');
}

/**
 * Keeps the answer in the transaction of its effect; for effects that take too long to be one transaction from the start.
 *
 * @throws AnsweredError when the same request was faster: let the transaction fail with it
 */
export async function keepAnswer(tx: RequestContext, request: RepeatableRequest, answer: Answer): Promise<void> {
  await tx.db.query(Prisma.sql`SELECT 1 AS one FROM pg_advisory_xact_lock(${lockOf(tx, request)})`);
  const known = await findAnswer(tx, request);
  if (known) throw new AnsweredError(known);
  await insert(tx, request, answer);
}

/** What was answered to this request; null if nothing was. @throws KeyReusedError */
export async function findAnswer(ctx: RequestContext, { id, fingerprint }: RepeatableRequest): Promise<Answer | null> {
  const kept = await find(ctx, id);
  if (kept && kept.fingerprint !== fingerprint)
    throw new KeyReusedError('This Idempotency-Key came with another request before. Use a new key for each request.');
  return kept?.answer ?? null;
}

export const isAnswered = async (ctx: RequestContext, id: string): Promise<boolean> => (await find(ctx, id)) !== null;

async function find(ctx: RequestContext, id: string): Promise<{ fingerprint: string; answer: Answer } | null> {
  const [row] = await ctx.db.query<{ answer: Uint8Array }>(
    Prisma.sql`SELECT k.answer FROM idempotency_keys k WHERE ${ctx.db.owns('k')} AND k.id = ${id} AND k.expires_at > ${ctx.now()}`,
  );
  return row ? JSON.parse(ctx.services.secrets.open(row.answer, { table, tenantId: ctx.db.tenantId, id })) : null;
}

async function insert(ctx: RequestContext, { id, fingerprint }: RepeatableRequest, answer: Answer): Promise<void> {
  const { tenantId } = ctx.db;
  const sealed = ctx.services.secrets.seal(JSON.stringify({ fingerprint, answer }), { table, tenantId, id });
  const expiresAt = new Date(ctx.now().getTime() + KEPT);
  await ctx.db.execute(Prisma.sql`
    INSERT INTO idempotency_keys (tenant_id, id, answer, expires_at) VALUES (${tenantId}::uuid, ${id}, ${sealed}, ${expiresAt})
    ON CONFLICT (tenant_id, id) DO UPDATE SET answer = excluded.answer, expires_at = excluded.expires_at`);
}

async function tryLock(ctx: RequestContext, request: RepeatableRequest): Promise<boolean> {
  const [row] = await ctx.db.query<{ locked: boolean }>(Prisma.sql`SELECT pg_try_advisory_xact_lock(${lockOf(ctx, request)}) AS locked`);
  return row?.locked === true;
}

const lockOf = (ctx: RequestContext, { id }: RepeatableRequest): Prisma.Sql =>
  Prisma.sql`hashtextextended(${ctx.db.tenantId}::text || ${id}::text, 1)`;
