import { hash } from '@node-rs/argon2';
import type { z } from 'zod';
import { changes, recordEvent } from '../audit/audit.service.js';
import { authorize } from '../auth/policy.js';
import { inPlainTransaction, inTransaction, type RequestContext } from '../context.js';
import { Prisma, type Share as ShareRow } from '../db/generated/client.js';
import { isId } from '../db/id.js';
import { changedRow, insertRow, lockRow, newRow } from '../db/rows.js';
import { documentById } from '../document/document.loader.js';
import { canReadDocuments } from '../document/document.policy.js';
import { type DocumentRow, getDocument, lockDocument } from '../document/document.service.js';
import { ConflictError, notFound, ValidationError } from '../errors.js';
import { documentFiles } from '../file/file.relations.js';
import { parseInput } from '../input.js';
import type { NumberedQuery } from '../numbered.js';
import type { Order, PageArgs } from '../paging.js';
import type { Columns } from '../relation/table.js';
import {
  expiryIssues,
  openingIssues,
  type ShareDocumentInput,
  shareDocumentInput,
  type UpdateShareInput,
  updateShareInput,
} from './share.input.js';
import { shareById, shares, timeOfShare } from './share.loader.js';
import { canReadShares, canWriteShares } from './share.policy.js';
import { documentShares, type ShareFilter, shareList } from './share.relations.js';
import { type ShareStatus, shareStatus } from './share.status.js';
import { newToken, sealToken, tokenHash } from './share.token.js';

export type { ShareRow };

export interface ShareQuery {
  filter?: ShareFilter | null;
  order: Order;
  page: PageArgs;
  columns?: Columns;
}

const audited = ['expiresAt', 'notBefore', 'label', 'watermark', 'allowDownload', 'maxDownloads', 'fileIds', 'revokedAt'] as const;

export async function getShare(ctx: RequestContext, id: string): Promise<ShareRow> {
  authorize(ctx, canReadShares);
  const row = isId(id) ? await shareById(ctx).load(id) : null;
  if (!row) throw notFound('Share');
  return row;
}

export async function listShares(ctx: RequestContext, query: ShareQuery) {
  authorize(ctx, canReadShares);
  return shareList.load(ctx, query);
}

export async function listSharesOf(ctx: RequestContext, documentId: string, query: ShareQuery) {
  authorize(ctx, canReadShares);
  return documentShares.load(ctx, documentId, query);
}

/** The shares of a document that were not revoked. NOT_FOUND without the document. */
export async function listSharesByNumber(ctx: RequestContext, documentId: string, query: NumberedQuery<ShareFilter>) {
  authorize(ctx, canReadShares);
  await getDocument(ctx, documentId);
  return shareList.numbered(ctx, { ...query, filter: { ...query.filter, documentId, revoked: false } });
}

/** A share of just this document that was not revoked. */
export async function getShareOf(ctx: RequestContext, documentId: string, id: string): Promise<ShareRow> {
  const row = await getAnyShareOf(ctx, documentId, id);
  if (row.revokedAt) throw notFound('Share');
  return row;
}

/** A share of just this document, dead or alive. */
export async function getAnyShareOf(ctx: RequestContext, documentId: string, id: string): Promise<ShareRow> {
  const row = await getShare(ctx, id);
  if (row.documentId !== documentId) throw notFound('Share');
  return row;
}

/** The document of a share; null once it is in the trash. */
export async function sharedDocument(ctx: RequestContext, share: ShareRow): Promise<DocumentRow | null> {
  authorize(ctx, canReadDocuments);
  return documentById(ctx).load(share.documentId);
}

/** Tells nothing of the document but whether its share opens: the right to see the share is enough. */
export async function statusOf(ctx: RequestContext, share: ShareRow): Promise<ShareStatus> {
  const [document, time] = await Promise.all([documentById(ctx).load(share.documentId), timeOfShare(ctx).load(share.id)]);
  return shareStatus(share, document, time ?? ctx.now());
}

export async function shareDocument(ctx: RequestContext, documentId: string, raw: ShareDocumentInput): Promise<ShareRow> {
  authorize(ctx, canWriteShares);
  const issues = [...expiryIssues(raw.expiresAt, ctx.now()), ...openingIssues(raw.notBefore, raw.expiresAt)];
  const input = parseInput(shareDocumentInput, raw, issues);
  const passwordHash = input.password ? await hash(input.password) : null;
  return inPlainTransaction(ctx, async (tx) => {
    requireShareable(await lockDocument(tx, documentId, null, 'SHARE'));
    await requireFilesOf(tx, documentId, input.fileIds);
    const audit = newRow(tx);
    const token = newToken();
    const row = await insertRow(tx, shares, {
      ...audit,
      documentId,
      tokenHash: tokenHash(token),
      token: sealToken(tx, audit.id, token),
      passwordHash,
      expiresAt: input.expiresAt,
      label: input.label ?? '',
      allowDownload: input.allowDownload ?? true,
      maxDownloads: input.maxDownloads ?? null,
      notBefore: input.notBefore ?? null,
      watermark: input.watermark ?? '',
      fileIds: Prisma.sql`${input.fileIds ?? []}::text[]`,
    });
    await recordShareEvent(tx, row, 'share.created', { after: { ...shown(row), password: passwordHash !== null } });
    return row;
  });
}

export async function updateShare(ctx: RequestContext, id: string, raw: UpdateShareInput): Promise<ShareRow> {
  authorize(ctx, canWriteShares);
  const { expectedVersion, ...input } = parseInput(updateShareInput, raw, expiryIssues(raw.expiresAt, ctx.now()));
  const passwordHash = input.password ? await hash(input.password) : input.password;
  const { documentId } = await getShare(ctx, id);
  return inTransaction(ctx, async (tx) => {
    const document = await lockDocument(tx, documentId, null, 'SHARE');
    const before = await lockRow(tx, shares, id, { what: 'Share', expectedVersion });
    if (before.revokedAt) throw new ConflictError('The share was revoked. Share the document again.', before.version);
    if (document.status === 'INACTIVE')
      throw new ConflictError('The document is inactive and read-only. Reactivate it first.', before.version);
    await requireFilesOf(tx, documentId, input.fileIds);
    requireOpening({ ...before, ...given(input) });
    const [after = before] = await tx.db.share.updateManyAndReturn({
      where: { id },
      data: {
        ...given(input),
        ...(passwordHash !== undefined && { passwordHash }),
        ...changedRow(tx),
      },
    });
    await recordUpdate(tx, before, after);
    return after;
  });
}

/** Dead at once and for good. @param of finds the share only where it is a live one of this document */
export async function revokeShare(ctx: RequestContext, id: string, expectedVersion?: number | null, of?: string): Promise<ShareRow> {
  authorize(ctx, canWriteShares);
  if (of !== undefined && !isId(of)) throw notFound('Share');
  const where = of === undefined ? [] : [Prisma.sql`h.document_id = ${of} AND h.revoked_at IS NULL`];
  return inTransaction(ctx, async (tx) => {
    const before = await lockRow(tx, shares, id, { what: 'Share', expectedVersion, where });
    if (before.revokedAt) throw new ConflictError('The share was revoked already.', before.version);
    const data = { revokedAt: tx.now(), ...changedRow(tx) };
    const [after = before] = await tx.db.share.updateManyAndReturn({ where: { id }, data });
    await recordShareEvent(tx, after, 'share.revoked', changes(before, after, ['revokedAt']) ?? {});
    return after;
  });
}

/** What a change sets: nulls lift a limit where one can be lifted, and leave the rest. */
const given = (input: Omit<z.output<typeof updateShareInput>, 'expectedVersion' | 'password'>) => ({
  ...(input.expiresAt != null && { expiresAt: input.expiresAt }),
  ...(input.notBefore !== undefined && { notBefore: input.notBefore }),
  ...(input.label != null && { label: input.label }),
  ...(input.watermark != null && { watermark: input.watermark }),
  ...(input.allowDownload != null && { allowDownload: input.allowDownload }),
  ...(input.maxDownloads !== undefined && { maxDownloads: input.maxDownloads }),
  ...(input.fileIds != null && { fileIds: input.fileIds }),
});

function requireOpening({ notBefore, expiresAt }: Pick<ShareRow, 'notBefore' | 'expiresAt'>): void {
  const issues = openingIssues(notBefore, expiresAt);
  if (issues.length > 0) throw new ValidationError(issues);
}

/** A selection names files of this document; whatever else exists looks like what does not. */
async function requireFilesOf(ctx: RequestContext, documentId: string, fileIds: string[] | null | undefined): Promise<void> {
  if (!fileIds?.length) return;
  const files = (await documentFiles.load(ctx).load(documentId)) ?? [];
  const issues = fileIds.flatMap((id, index) =>
    files.some((file) => file.id === id) ? [] : [{ path: `fileIds.${index}`, message: 'is not a file of this document' }],
  );
  if (issues.length > 0) throw new ValidationError(issues);
}

function requireShareable(document: DocumentRow): void {
  if (document.status === 'PENDING' || document.status === 'APPROVED') return;
  throw new ConflictError(`A ${document.status.toLowerCase()} document cannot be shared.`, document.version);
}

async function recordUpdate(ctx: RequestContext, before: ShareRow, after: ShareRow): Promise<void> {
  const difference = changes(before, after, audited);
  const password = before.passwordHash === after.passwordHash ? {} : { password: after.passwordHash !== null };
  if (!difference && !('password' in password)) return;
  await recordShareEvent(ctx, after, 'share.updated', { before: difference?.before, after: { ...difference?.after, ...password } });
}

const shown = (row: ShareRow) => Object.fromEntries(audited.filter((field) => row[field] !== null).map((field) => [field, row[field]]));

const recordShareEvent = (
  ctx: RequestContext,
  row: ShareRow,
  action: 'share.created' | 'share.updated' | 'share.revoked',
  states: { before?: object; after?: object },
) => recordEvent(ctx, { action, subjectId: row.documentId, entity: { type: 'Share', id: row.id }, ...states });
