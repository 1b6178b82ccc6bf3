import { authorize } from '../auth/policy.js';
import { inTransaction, type RequestContext } from '../context.js';
import { type StorageMove as MoveRow, Prisma } from '../db/generated/client.js';
import { isId } from '../db/id.js';
import { changedRow, lockRow, newRow } from '../db/rows.js';
import { documentConditions } from '../document/document.filter.js';
import { ConflictError, type FieldIssue, invalid, notFound } from '../errors.js';
import { parseInput } from '../input.js';
import { countRows, listPage, type Order, type PageArgs } from '../paging.js';
import { storageById } from '../storage/storage.loader.js';
import { type ChangeMoveInput, changeMoveInput, type MoveStorageInput, moveStorageInput } from './move.input.js';
import { type MoveProgress, moveById, moves, progressOfMove } from './move.loader.js';
import { canMoveStorage, canReadMoves } from './move.policy.js';

export type { MoveProgress, MoveRow };

const MAX_FAILURES = 100;

export async function getMove(ctx: RequestContext, id: string): Promise<MoveRow> {
  authorize(ctx, canReadMoves);
  const row = isId(id) ? await moveById(ctx).load(id) : null;
  if (!row) throw notFound('Move');
  return row;
}

export async function listMoves(ctx: RequestContext, query: { order: Order; page: PageArgs }) {
  authorize(ctx, canReadMoves);
  const page = await listPage(ctx, moves, { ...query, where: [] });
  return { ...page, total: () => countRows(ctx, moves, []) };
}

export async function progressOf(ctx: RequestContext, move: MoveRow): Promise<MoveProgress> {
  const progress = await progressOfMove(ctx).load(move.id);
  if (!progress) throw new Error(`move ${move.id} has no progress`);
  return progress;
}

export type MoveStatus = 'RUNNING' | 'DONE' | 'FAILED' | 'CANCELLED';

/** How a move stands: it runs while a document is left; then the worst end of its documents is its own. */
export function statusOf({ pending, failed, cancelled }: MoveProgress): MoveStatus {
  if (pending > 0) return 'RUNNING';
  if (failed > 0) return 'FAILED';
  return cancelled > 0 ? 'CANCELLED' : 'DONE';
}

export interface MoveFailure {
  documentId: string;
  message: string;
}

/** Which documents stay where they are and why, and which wait for another try; at most 100. */
export function listFailures(ctx: RequestContext, move: MoveRow): Promise<MoveFailure[]> {
  authorize(ctx, canReadMoves);
  return ctx.db.query<MoveFailure>(Prisma.sql`
    SELECT p.document_id AS "documentId", p.error AS message FROM move_documents p
     WHERE ${ctx.db.owns('p')} AND p.move_id = ${move.id} AND p.error <> '' ORDER BY p.id LIMIT ${MAX_FAILURES}`);
}

/**
 * Orders the files of documents to another storage. Answers at once; the documents follow in the background, are read all
 * the while, and keep their ids and shares. A document takes part in one move at a time.
 */
export async function moveStorage(ctx: RequestContext, raw: MoveStorageInput): Promise<MoveRow> {
  authorize(ctx, canMoveStorage);
  const { toStorageId, documentIds, filter } = parseInput(moveStorageInput, raw, await storageIssues(ctx, raw.toStorageId));
  const wanted = documentIds ? await existing(ctx, documentIds) : documentConditions(ctx, filter);
  return inTransaction(ctx, async (tx) => {
    const move = await tx.db.storageMove.create({ data: { ...newRow(tx), toStorageId } });
    await addDocuments(tx, move, wanted);
    return move;
  });
}

async function storageIssues(ctx: RequestContext, id: string): Promise<FieldIssue[]> {
  const found = isId(id) ? await storageById(ctx).load(id) : null;
  return found ? [] : [{ path: 'toStorageId', message: 'no such storage' }];
}

async function existing(ctx: RequestContext, ids: string[]): Promise<Prisma.Sql[]> {
  const wanted = ids.filter(isId);
  const condition = Prisma.sql`d.id = ANY(${wanted}::text[])`;
  const found = await ctx.db.query<{ id: string }>(Prisma.sql`SELECT d.id FROM documents d WHERE ${ctx.db.owns('d')} AND ${condition}`);
  const known = new Set(found.map(({ id }) => id));
  const missing = ids.findIndex((id) => !known.has(id));
  if (missing >= 0) throw invalid(`documentIds.${missing}`, 'no such document');
  return [condition];
}

/** Those that have something elsewhere. Without any the order is a mistake. */
async function addDocuments(ctx: RequestContext, { id, toStorageId, createdAt }: MoveRow, wanted: Prisma.Sql[]): Promise<void> {
  const elsewhere = Prisma.sql`(d.storage_id <> ${toStorageId} OR EXISTS (
    SELECT FROM files f WHERE f.tenant_id = d.tenant_id AND f.document_id = d.id AND f.storage_id <> ${toStorageId} AND f.state <> 'DELETED'))`;
  const chosen = Prisma.sql`documents d WHERE ${Prisma.join([ctx.db.owns('d'), elsewhere, ...wanted], ' AND ')}`;
  const added = await ctx.db.query<{ added: number; wanted: number }>(Prisma.sql`
    WITH chosen AS (SELECT d.tenant_id, d.id FROM ${chosen}),
    added AS (
      INSERT INTO move_documents (tenant_id, id, move_id, document_id, due_at, updated_at)
      SELECT tenant_id, ${`${id}-`} || id, ${id}, id, ${createdAt}, ${createdAt} FROM chosen ON CONFLICT DO NOTHING RETURNING 1)
    SELECT (SELECT count(*) FROM added)::int AS added, (SELECT count(*) FROM chosen)::int AS wanted`);
  const [count = { added: 0, wanted: 0 }] = added;
  if (count.wanted === 0) throw invalid('', 'There is nothing to move: all of these documents are there already, or none matches.');
  if (count.added === count.wanted) return;
  throw new ConflictError(`${count.wanted - count.added} of the documents are in another move. Wait for it or cancel it.`);
}

/** The documents that nobody has begun with stay where they are. */
export async function cancelMove(ctx: RequestContext, id: string, raw: ChangeMoveInput): Promise<MoveRow> {
  return changeMove(ctx, id, raw, 'PENDING', { state: 'CANCELLED' });
}

/** Tries the documents that failed again, and those that wait for another try at once. */
export async function retryMove(ctx: RequestContext, id: string, raw: ChangeMoveInput): Promise<MoveRow> {
  return changeMove(ctx, id, raw, 'FAILED', { state: 'PENDING', dueAt: ctx.now(), attempts: 0 });
}

async function changeMove(
  ctx: RequestContext,
  id: string,
  raw: ChangeMoveInput,
  from: 'PENDING' | 'FAILED',
  to: Prisma.MoveDocumentUncheckedUpdateManyInput,
): Promise<MoveRow> {
  authorize(ctx, canMoveStorage);
  const { expectedVersion } = parseInput(changeMoveInput, raw);
  return inTransaction(ctx, async (tx) => {
    const before = await lockRow(tx, moves, id, { what: 'Move', expectedVersion });
    const { count } = await tx.db.moveDocument.updateMany({ where: { moveId: id, state: from }, data: { ...to, updatedAt: tx.now() } });
    if (count === 0) throw new ConflictError(`The move has no ${from.toLowerCase()} documents.`, before.version);
    const [after = before] = await tx.db.storageMove.updateManyAndReturn({ where: { id }, data: changedRow(tx) });
    return after;
  });
}
