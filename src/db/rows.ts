import { type RequestContext, viewerOf } from '../context.js';
import { notFound, versionConflict } from '../errors.js';
import type { ListSource } from '../paging.js';
import { Prisma } from './generated/client.js';
import { isId, newId } from './id.js';

/** The audit columns of a new row, its id among them. */
export function newRow(ctx: RequestContext) {
  const now = ctx.now();
  return { tenantId: ctx.db.tenantId, id: newId(), createdBy: viewerOf(ctx).userId, createdAt: now, updatedAt: now };
}

/** The audit columns of a changed row. */
export const changedRow = (ctx: RequestContext) => ({
  updatedBy: viewerOf(ctx).userId,
  updatedAt: ctx.now(),
  version: { increment: 1 },
});

interface LockOptions {
  /** What it is called in an error. */
  what: string;
  /** The version that the caller saw; another one is a CONFLICT. */
  expectedVersion?: number | null;
  /** SHARE lets others share the lock, and keeps the row from changing; the default keeps it for one writer. */
  strength?: 'SHARE' | 'NO KEY UPDATE';
  where?: Prisma.Sql[];
}

/** Reads a row and keeps it as it is until the transaction ends. NOT_FOUND also for another tenant's. */
export async function lockRow<Row extends { id: string; version: number }>(
  ctx: RequestContext,
  source: ListSource<Row>,
  id: string,
  { what, expectedVersion, strength = 'NO KEY UPDATE', where = [] }: LockOptions,
): Promise<Row> {
  if (!isId(id)) throw notFound(what);
  const conditions = Prisma.join([ctx.db.owns(source.alias), Prisma.sql`${Prisma.raw(source.alias)}.id = ${id}`, ...where], ' AND ');
  const [row] = await ctx.db.query<Row>(
    Prisma.sql`SELECT ${source.columns} FROM ${source.from} WHERE ${conditions} FOR ${Prisma.raw(strength)}`,
  );
  if (!row) throw notFound(what);
  if (expectedVersion != null && expectedVersion !== row.version) throw versionConflict(expectedVersion, row.version);
  return row;
}
