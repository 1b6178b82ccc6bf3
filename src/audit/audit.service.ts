import type { RequestContext } from '../context.js';
import { columnsOf } from '../db/columns.js';
import { type AuditEvent as AuditEventRow, Prisma } from '../db/generated/client.js';
import { newId } from '../db/id.js';
import { defineLoaderWith } from '../loader.js';
import { countByParent, type ListSource, listPageByParent, type Page, type PageArgs } from '../paging.js';

export type { AuditEventRow };

/** What happened, in the past tense. */
export const auditActions = [
  'storage.created',
  'storage.updated',
  'category.created',
  'category.updated',
  'document.created',
  'document.updated',
  'document.deleted',
  'document.restored',
  'document.approved',
  'document.rejected',
  'document.inactivated',
  'document.reactivated',
  'document.moved',
  'file.uploaded',
  'file.quarantined',
  'file.deleted',
  'share.created',
  'share.updated',
  'share.revoked',
  'share.opened',
] as const;
export type AuditAction = (typeof auditActions)[number];

interface EventInput {
  action: AuditAction;
  /** In whose history it belongs: the document for its files and shares. */
  subjectId: string;
  /** What it is about. */
  entity: { type: 'Storage' | 'Category' | 'Document' | 'File' | 'Share'; id: string };
  before?: object | null;
  after?: object | null;
}

/** Writes who did what. Call it in the transaction of the act: both happen or neither. */
export async function recordEvent(ctx: RequestContext, event: EventInput): Promise<void> {
  const { subjectId, action, entity, before, after } = event;
  await ctx.db.execute(Prisma.sql`
    INSERT INTO audit_events (tenant_id, id, subject_id, action, entity_type, entity_id, actor_id, before, after, request_id, created_at)
    VALUES (${ctx.db.tenantId}::uuid, ${newId()}, ${subjectId}, ${action}, ${entity.type}, ${entity.id}, ${ctx.viewer?.userId ?? null}::uuid,
      ${json(before)}::jsonb, ${json(after)}::jsonb, ${ctx.requestId}, ${ctx.now()})`);
}

/** Dates become ISO texts and bigints numbers, as every door shows them. */
const json = (value: object | null | undefined): string | null =>
  value ? JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? Number(part) : part)) : null;

/** The fields that differ between two states of a row, from the given ones; null when none does. */
export function changes<Row extends object>(before: Row, after: Row, fields: readonly (keyof Row)[]) {
  const changed = fields.filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]));
  if (changed.length === 0) return null;
  const pick = (row: Row) => Object.fromEntries(changed.map((field) => [field, row[field]]));
  return { before: pick(before), after: pick(after) };
}

const events: ListSource<AuditEventRow> = {
  from: Prisma.sql`audit_events AS e`,
  alias: 'e',
  columns: columnsOf(Prisma.AuditEventScalarFieldEnum, 'e'),
  orders: { seq: { column: Prisma.sql`e.seq`, type: 'int', value: (row) => row.seq } },
};
const newestFirst = { field: 'seq', direction: 'DESC' } as const;
const subject = Prisma.sql`e.subject_id`;

/** The history of a subject, newest first. */
export const historyBySubject = defineLoaderWith(
  (ctx, ids, page: PageArgs): Promise<Map<string, Page<AuditEventRow>>> =>
    listPageByParent(ctx, events, subject, ids, { where: [], order: newestFirst, page }),
);

export const historyLengthBySubject = defineLoaderWith((ctx, ids, _: null) => countByParent(ctx, events, subject, ids, []));
