import { recordEvent } from '../audit/audit.service.js';
import { asSystem, asTenant, inTransaction, type RequestContext } from '../context.js';
import { type File as FileRow, type MoveDocument, Prisma } from '../db/generated/client.js';
import { changedRow, lockRow } from '../db/rows.js';
import { documents } from '../document/document.loader.js';
import { NotFoundError, StorageError } from '../errors.js';
import { storageById } from '../storage/storage.loader.js';
import { storeOf } from '../storage/storage.service.js';
import { filesElsewhere, moveFile, type Target } from './move.files.js';

/** How long a document is left to its worker without a sign of life, in milliseconds. */
const LEASE = 15 * 60_000;
const RENEWAL = 60_000;
/** While a file is still being uploaded to the old storage. */
const ARRIVAL_PAUSE = 5_000;
const MAX_ATTEMPTS = 8;

interface DueDocument extends Pick<MoveDocument, 'tenantId' | 'id' | 'documentId' | 'attempts'> {
  toStorageId: string;
  /** Who ordered the move. */
  userId: string;
}

/**
 * Moves the documents that are due, one after the other, until none is left. Any number of copies may run it at once; what
 * one that died had begun is due again when its lease has run out.
 *
 * @param stopped asked before each document
 * @returns how many documents were worked on
 */
export async function runMoves(ctx: RequestContext, stopped: () => boolean = () => false): Promise<number> {
  let worked = 0;
  for (;;) {
    const due = stopped() ? undefined : await claim(ctx);
    if (!due) return worked;
    await moveDocument(actingFor(ctx, due), due);
    worked += 1;
  }
}

/** At the start of the only process on a database nobody can be at work. */
export async function expireMoveLeases(ctx: RequestContext): Promise<void> {
  await asSystem(ctx).moveDocument.updateMany({ where: { state: 'PENDING' }, data: { dueAt: ctx.now() } });
}

async function claim(ctx: RequestContext): Promise<DueDocument | undefined> {
  const lease = new Date(ctx.now().getTime() + LEASE);
  const [due] = await asSystem(ctx).$queryRaw<DueDocument[]>(Prisma.sql`
    UPDATE move_documents p SET due_at = ${lease}, attempts = p.attempts + 1 FROM storage_moves m
     WHERE m.tenant_id = p.tenant_id AND m.id = p.move_id AND (p.tenant_id, p.id) = (
       SELECT tenant_id, id FROM move_documents WHERE state = 'PENDING' AND due_at <= ${ctx.now()} ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING p.tenant_id AS "tenantId", p.id, p.document_id AS "documentId", p.attempts,
              m.to_storage_id AS "toStorageId", m.created_by AS "userId"`);
  return due;
}

/** Whoever ordered the move is who changes the documents; the right to it was proved then. */
function actingFor(ctx: RequestContext, { tenantId, userId }: DueDocument): RequestContext {
  return { ...asTenant(ctx, tenantId), viewer: { tenantId, userId, scopes: new Set() } };
}

async function moveDocument(ctx: RequestContext, due: DueDocument): Promise<void> {
  const renewal = setInterval(() => {
    const dueAt = new Date(ctx.now().getTime() + LEASE);
    note(ctx, due, { dueAt }).catch((err: unknown) => ctx.log.warn({ err }, 'could not renew the lease of a move'));
  }, RENEWAL);
  try {
    const waiting = await moveFiles(ctx, due);
    const dueAt = new Date(ctx.now().getTime() + ARRIVAL_PAUSE);
    await note(ctx, due, waiting ? { dueAt, attempts: due.attempts - 1 } : { state: 'DONE', error: '' });
  } catch (error) {
    await noteFailure(ctx, due, error);
  } finally {
    clearInterval(renewal);
  }
}

/** A file that fails does not keep the others. @returns whether a file is still on its way to the old storage */
async function moveFiles(ctx: RequestContext, due: DueDocument): Promise<boolean> {
  const storage = await storageById(ctx).load(due.toStorageId);
  if (!storage) throw new Error(`move document ${due.id} has no target`);
  const target = { storage, store: await storeOf(ctx, storage) };
  await redirect(ctx, due.documentId, target);
  const { files, arriving } = await filesElsewhere(ctx, due.documentId, storage.id);
  const failures: unknown[] = [];
  for (const file of files) {
    await moveFile(ctx, file, target, (tx) => countFile(tx, due, file)).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
  return arriving;
}

/** Also when the move was cancelled meanwhile: the file has arrived. */
async function countFile(tx: RequestContext, { id }: DueDocument, { size }: FileRow): Promise<void> {
  const data = { filesMoved: { increment: 1 }, bytesMoved: { increment: size }, updatedAt: tx.now() };
  await tx.db.moveDocument.updateMany({ where: { id }, data });
}

/** From now on new files of the document go to the new storage. */
function redirect(ctx: RequestContext, documentId: string, { storage }: Target): Promise<void> {
  return inTransaction(ctx, async (tx) => {
    const document = await lockRow(tx, documents, documentId, { what: 'Document' });
    if (document.storageId === storage.id) return;
    await tx.db.document.updateMany({ where: { id: documentId }, data: { storageId: storage.id, ...changedRow(tx) } });
    await recordEvent(tx, {
      action: 'document.moved',
      subjectId: documentId,
      entity: { type: 'Document', id: documentId },
      before: { storageId: document.storageId },
      after: { storageId: storage.id },
    });
  });
}

async function note(ctx: RequestContext, { id }: DueDocument, data: Prisma.MoveDocumentUncheckedUpdateManyInput): Promise<void> {
  await ctx.db.moveDocument.updateMany({ where: { id, state: 'PENDING' }, data: { ...data, updatedAt: ctx.now() } });
}

/** After a pause that grows with each failure it is tried again, a few times. A document that was purged needs no move. */
async function noteFailure(ctx: RequestContext, due: DueDocument, error: unknown): Promise<void> {
  if (error instanceof NotFoundError) return note(ctx, due, { state: 'DONE', error: '' });
  ctx.log.warn({ err: error, documentId: due.documentId }, 'could not move a document');
  const pause = Math.min(10 * 60_000, 2 ** due.attempts * 1000);
  await note(ctx, due, {
    error: error instanceof StorageError ? error.message : 'It failed on our side. It is tried again.',
    ...(due.attempts >= MAX_ATTEMPTS ? { state: 'FAILED' } : { dueAt: new Date(ctx.now().getTime() + pause) }),
  });
}
