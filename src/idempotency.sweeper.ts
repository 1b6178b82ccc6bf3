import { asSystem, type RequestContext } from './context.js';

/** Removes answers that were kept long enough. @returns how many */
export async function sweepAnswers(ctx: RequestContext): Promise<number> {
  const { count } = await asSystem(ctx).idempotencyKey.deleteMany({ where: { expiresAt: { lte: ctx.now() } } });
  return count;
}
