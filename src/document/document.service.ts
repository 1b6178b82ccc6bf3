import type { z } from 'zod';
import { changes, historyBySubject, historyLengthBySubject, recordEvent } from '../audit/audit.service.js';
import { authorize } from '../auth/policy.js';
import { inTransaction, type RequestContext, retentionStart } from '../context.js';
import { type Document as DocumentRow, Prisma } from '../db/generated/client.js';
import { isId, newId } from '../db/id.js';
import { changedRow, lockRow, newRow } from '../db/rows.js';
import { ConflictError, invalid, notFound } from '../errors.js';
import { contains } from '../filters.js';
import { parseInput } from '../input.js';
import type { NumberedQuery } from '../numbered.js';
import type { Order, PageArgs } from '../paging.js';
import type { Columns } from '../relation/table.js';
import { defaultStorage } from '../storage/storage.service.js';
import type { DocumentFilter } from './document.filter.js';
import {
  type CreateDocumentInput,
  createDocumentInput,
  type TransitionInput,
  transitionInput,
  type UpdateDocumentInput,
  updateDocumentInput,
} from './document.input.js';
import { documentById, documents } from './document.loader.js';
import { canReadDocuments, canWriteDocuments } from './document.policy.js';
import { categoryDocuments, documentList, storageDocuments } from './document.relations.js';

export type { DocumentRow };

export interface DocumentQuery {
  filter?: DocumentFilter | null;
  order: Order;
  page: PageArgs;
  columns?: Columns;
}

const shown = ['name', 'description', 'categoryId', 'storageId', 'tags', 'metadata'] as const;
const outOfTrash = Prisma.sql`d.deleted_at IS NULL`;

export async function getDocument(ctx: RequestContext, id: string): Promise<DocumentRow> {
  authorize(ctx, canReadDocuments);
  const row = isId(id) ? await documentById(ctx).load(id) : null;
  if (!row) throw notFound('Document');
  return row;
}

export async function listDocuments(ctx: RequestContext, query: DocumentQuery) {
  authorize(ctx, canReadDocuments);
  return documentList.load(ctx, query);
}

export async function listDocumentsByNumber(ctx: RequestContext, query: NumberedQuery<DocumentFilter>) {
  authorize(ctx, canReadDocuments);
  return documentList.numbered(ctx, query);
}

const documentsOf = { category: categoryDocuments, storage: storageDocuments };

/** The documents of a category or a storage. */
export async function listDocumentsOf(ctx: RequestContext, parent: keyof typeof documentsOf, id: string, query: DocumentQuery) {
  authorize(ctx, canReadDocuments);
  return documentsOf[parent].load(ctx, id, query);
}

export async function countDocumentsOf(ctx: RequestContext, parent: keyof typeof documentsOf, id: string) {
  authorize(ctx, canReadDocuments);
  return documentsOf[parent].count(ctx, id);
}

export interface TagCount {
  name: string;
  count: number;
}

/** The tags in use, by name, with the number of documents that carry each. */
export async function listTags(ctx: RequestContext, query: { search?: string | null }): Promise<TagCount[]> {
  authorize(ctx, canReadDocuments);
  const where = Prisma.join([ctx.db.owns('d'), outOfTrash, ...contains(query.search, 'd.tags[1]')], ' AND ');
  return ctx.db.query<TagCount>(Prisma.sql`
    SELECT d.tags[1] AS name, sum(d.delta)::int AS count FROM document_tag_counts AS d
     WHERE ${where} GROUP BY 1 HAVING sum(d.delta) > 0 ORDER BY 1`);
}

export async function createDocument(ctx: RequestContext, raw: CreateDocumentInput): Promise<DocumentRow> {
  authorize(ctx, canWriteDocuments);
  const input = parseInput(createDocumentInput, raw);
  return inTransaction(ctx, async (tx) => insertDocument(tx, await planned(tx, input)));
}

/** A document that may be created as it stands. */
export type DocumentPlan = Awaited<ReturnType<typeof planned>>;

/** Checks all that can be wrong with a new document, before there is anything of it. */
export async function planDocument(ctx: RequestContext, raw: Partial<CreateDocumentInput>): Promise<DocumentPlan> {
  authorize(ctx, canWriteDocuments);
  return planned(ctx, parseInput(createDocumentInput, raw));
}

/** The same of what is known of it so far, and its storage: the rest may be yet to come. */
export async function planStorage(ctx: RequestContext, raw: Partial<CreateDocumentInput>): Promise<string> {
  authorize(ctx, canWriteDocuments);
  return plannedStorage(ctx, parseInput(createDocumentInput.partial(), raw));
}

async function planned(ctx: RequestContext, input: z.output<typeof createDocumentInput>) {
  return {
    id: newId(),
    name: input.name,
    description: input.description ?? '',
    categoryId: input.categoryId ?? null,
    storageId: await plannedStorage(ctx, input),
    tags: input.tags ?? [],
    metadata: input.metadata ?? {},
  };
}

async function plannedStorage(ctx: RequestContext, input: References): Promise<string> {
  await requireReferences(ctx, input);
  return input.storageId ?? (await defaultStorage(ctx)).id;
}

/** Call it in a transaction. The caller has established the right to do it. */
export async function insertDocument(tx: RequestContext, plan: DocumentPlan): Promise<DocumentRow> {
  const row = await tx.db.document.create({ data: { ...newRow(tx), ...plan } });
  await recordDocumentEvent(tx, row.id, 'document.created', { after: Object.fromEntries(shown.map((field) => [field, row[field]])) });
  return row;
}

export async function updateDocument(ctx: RequestContext, id: string, raw: UpdateDocumentInput): Promise<DocumentRow> {
  authorize(ctx, canWriteDocuments);
  const { expectedVersion, ...input } = parseInput(updateDocumentInput, raw);
  return inTransaction(ctx, async (tx) => {
    const before = await lockForChange(tx, id, expectedVersion);
    await requireReferences(tx, input);
    if (input.storageId && input.storageId !== before.storageId) await requireNoFiles(tx, id);
    const [after = before] = await tx.db.document.updateManyAndReturn({
      where: { id },
      data: {
        ...(input.name != null && { name: input.name }),
        ...(input.description != null && { description: input.description }),
        ...(input.categoryId !== undefined && { categoryId: input.categoryId }),
        ...(input.storageId != null && { storageId: input.storageId }),
        ...(input.tags != null && { tags: input.tags }),
        ...(input.metadata != null && { metadata: input.metadata }),
        ...changedRow(tx),
      },
    });
    const difference = changes(before, after, shown);
    if (difference) await recordDocumentEvent(tx, id, 'document.updated', difference);
    return after;
  });
}

/** Into the trash: its shares die at once, its files go after the retention time. Also for INACTIVE documents. */
export async function deleteDocument(ctx: RequestContext, id: string, raw: TransitionInput): Promise<DocumentRow> {
  authorize(ctx, canWriteDocuments);
  const { expectedVersion } = parseInput(transitionInput, raw);
  return inTransaction(ctx, async (tx) => {
    const before = await lockDocument(tx, id, expectedVersion);
    return setDeleted(tx, before, tx.now(), 'document.deleted');
  });
}

/** Out of the trash, as it was. NOT_FOUND once the retention time is over, even if the sweeper has not come by yet. */
export async function restoreDocument(ctx: RequestContext, id: string): Promise<DocumentRow> {
  authorize(ctx, canWriteDocuments);
  return inTransaction(ctx, async (tx) => {
    const kept = Prisma.sql`d.deleted_at >= ${retentionStart(tx)}`;
    const before = await lockRow(tx, documents, id, { what: 'Deleted document', where: [kept] });
    return setDeleted(tx, before, null, 'document.restored');
  });
}

async function setDeleted(ctx: RequestContext, row: DocumentRow, deletedAt: Date | null, action: 'document.deleted' | 'document.restored') {
  const [after = row] = await ctx.db.document.updateManyAndReturn({ where: { id: row.id }, data: { deletedAt, ...changedRow(ctx) } });
  await recordDocumentEvent(ctx, row.id, action, { before: { deletedAt: row.deletedAt }, after: { deletedAt } });
  return after;
}

/** The document, kept from changing until the transaction ends. */
export const lockDocument = (ctx: RequestContext, id: string, expectedVersion?: number | null, strength?: 'SHARE') =>
  lockRow(ctx, documents, id, { what: 'Document', expectedVersion, strength, where: [outOfTrash] });

/** The same, for a change: an INACTIVE document is read-only. */
export async function lockForChange(ctx: RequestContext, id: string, expectedVersion?: number | null): Promise<DocumentRow> {
  const row = await lockDocument(ctx, id, expectedVersion);
  if (row.status === 'INACTIVE') throw new ConflictError('The document is inactive and read-only. Reactivate it first.', row.version);
  return row;
}

export const recordDocumentEvent = (
  ctx: RequestContext,
  id: string,
  action: Extract<Parameters<typeof recordEvent>[1]['action'], `document.${string}`>,
  states: { before?: object | null; after?: object | null },
) => recordEvent(ctx, { action, subjectId: id, entity: { type: 'Document', id }, ...states });

interface References {
  categoryId?: string | null;
  storageId?: string | null;
}

async function requireReferences(ctx: RequestContext, { categoryId, storageId }: References): Promise<void> {
  const select = { id: true };
  if (categoryId && !(await ctx.db.category.findFirst({ where: { id: categoryId }, select })))
    throw invalid('categoryId', 'no such category');
  if (storageId && !(await ctx.db.storage.findFirst({ where: { id: storageId }, select }))) throw invalid('storageId', 'no such storage');
}

async function requireNoFiles(ctx: RequestContext, documentId: string): Promise<void> {
  if (await ctx.db.file.findFirst({ where: { documentId }, select: { id: true } })) {
    throw invalid('storageId', 'is fixed once a file is stored; create another document');
  }
}

export async function listHistory(ctx: RequestContext, document: DocumentRow, page: PageArgs) {
  authorize(ctx, canReadDocuments);
  const events = await historyBySubject(ctx, page).load(document.id);
  return events && { ...events, total: async () => (await historyLengthBySubject(ctx, null).load(document.id)) ?? 0 };
}
