import type { RequestContext } from '../context.js';
import type { StagedUpload as UploadRow } from '../db/generated/client.js';
import { isId } from '../db/id.js';
import { ConflictError, notFound } from '../errors.js';
import { LEASE } from '../file/intake.js';

/**
 * Does something to an open upload that nobody else may do at the same time, in this process or another. A process that
 * dies holds others up for at most a minute.
 */
export async function withLease<Result>(ctx: RequestContext, id: string, work: (upload: UploadRow) => Promise<Result>): Promise<Result> {
  let until = leaseEnd(ctx);
  const upload = await take(ctx, id, until);
  const timer = setInterval(() => {
    const next = leaseEnd(ctx);
    hold(ctx, id, until, next)
      .then(() => {
        until = next;
      })
      .catch((error: unknown) => ctx.log.warn({ err: error }, 'could not renew the lease of an upload'));
  }, LEASE / 3);
  try {
    return await work(upload);
  } finally {
    clearInterval(timer);
    await hold(ctx, id, until, null).catch((error: unknown) => ctx.log.warn({ err: error }, 'could not release an upload'));
  }
}

const leaseEnd = (ctx: RequestContext) => new Date(ctx.now().getTime() + LEASE);

async function take(ctx: RequestContext, id: string, until: Date): Promise<UploadRow> {
  if (!isId(id)) throw notFound('Upload');
  const now = ctx.now();
  const open = { id, state: 'OPEN' as const, expiresAt: { gt: now } };
  const [upload] = await ctx.db.stagedUpload.updateManyAndReturn({
    where: { ...open, OR: [{ leasedUntil: null }, { leasedUntil: { lte: now } }] },
    data: { leasedUntil: until },
  });
  if (upload) return upload;
  if (await ctx.db.stagedUpload.findFirst({ where: open, select: { id: true } })) throw new UploadBusyError();
  throw notFound('Upload');
}

/** Only as long as the lease is still the one that was taken. */
const hold = (ctx: RequestContext, id: string, until: Date, next: Date | null) =>
  ctx.db.stagedUpload.updateMany({ where: { id, leasedUntil: until }, data: { leasedUntil: next } });

/** Someone else has it at the moment. */
export class UploadBusyError extends ConflictError {
  constructor() {
    super('The upload is being written or completed by another request. Try again in a moment.');
  }
}
