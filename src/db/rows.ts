import { type RequestContext, viewerOf } from '../context.js';
import { notFound, versionConflict } from '../errors.js';
import { isAnyOf } from '../filters.js';
import type { ListSource } from '../paging.js';
import { columnOf } from './columns.js';
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

/** The rows with these ids, in no order, in one statement. Ids of other tenants find nothing. */
export function findByIds<Row extends { id: string }>(
  ctx: RequestContext,
  source: ListSource<Row>,
  ids: readonly string[],
  where: Prisma.Sql[] = [],
): Promise<Row[]> {
  const wanted = isAnyOf(Prisma.sql`${Prisma.raw(source.alias)}.id`, ids);
  const conditions = Prisma.join([ctx.db.owns(source.alias), wanted, ...where], ' AND ');
  return ctx.db.query<Row>(Prisma.sql`SELECT ${source.columns} FROM ${source.from} WHERE ${conditions}`);
}

/**
 * Writes a new row in one statement and returns it, with the defaults of its columns. Values that PostgreSQL cannot tell
 * by their column come as SQL.
 */
export async function insertRow<Row extends { id: string }>(
  ctx: RequestContext,
  { from, columns }: ListSource<Row>,
  values: Partial<Record<keyof Row & string, unknown>> & { tenantId: string },
): Promise<Row> {
  const names = Prisma.raw(Object.keys(values).map(columnOf).join(', '));
  const [row] = await ctx.db.query<Row>(
    Prisma.sql`INSERT INTO ${from} (${names}) VALUES (${Prisma.join(Object.values(values))}) RETURNING ${columns}`,
  );
  if (!row) throw new Error('the database returned no row');
  return row;
}
