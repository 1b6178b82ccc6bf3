import type { RequestContext } from '../context.js';
import { type DocumentStatus, Prisma } from '../db/generated/client.js';
import { isId } from '../db/id.js';
import { invalid } from '../errors.js';
import { contains, type DateRange, equals, equalsId, within } from '../filters.js';
import { CARRIES } from './document.loader.js';

export interface DocumentFilter {
  status?: DocumentStatus[] | null;
  categoryId?: string | null;
  /** With `categoryId`: the categories below it as well. */
  includeDescendants?: boolean | null;
  storageId?: string | null;
  /** Documents that carry every one of these tags. */
  tagsAll?: string[] | null;
  /** Documents that carry at least one of these tags. */
  tagsAny?: string[] | null;
  createdBy?: string | null;
  createdAt?: DateRange | null;
  updatedAt?: DateRange | null;
  /** Part of the name. */
  search?: string | null;
  /** True: those in the trash instead. */
  deleted?: boolean | null;
}

/** The filter as conditions on `documents d`. */
export function documentConditions(ctx: RequestContext, filter: DocumentFilter | null | undefined): Prisma.Sql[] {
  return [
    filter?.deleted ? Prisma.sql`d.deleted_at IS NOT NULL` : Prisma.sql`d.deleted_at IS NULL`,
    ...statusIs(filter?.status),
    ...inCategory(ctx, filter),
    ...equalsId('d.storage_id', filter?.storageId, 'filter.storageId'),
    ...tagged('@>', filter?.tagsAll, 'filter.tagsAll'),
    ...tagged('&&', filter?.tagsAny, 'filter.tagsAny'),
    ...equals('d.created_by', filter?.createdBy, '::uuid'),
    ...within(filter?.createdAt, 'd.created_at', 'filter.createdAt'),
    ...within(filter?.updatedAt, 'd.updated_at', 'filter.updatedAt'),
    ...contains(filter?.search, 'd.name'),
  ];
}

/** A single status keeps the order of the (status, createdAt) index; a list does not. */
function statusIs(statuses: DocumentStatus[] | null | undefined): Prisma.Sql[] {
  if (!statuses) return [];
  if (statuses.length === 1) return equals('d.status', statuses[0], '::document_status');
  return [Prisma.sql`d.status = ANY(${statuses}::document_status[])`];
}

function inCategory(ctx: RequestContext, filter: DocumentFilter | null | undefined): Prisma.Sql[] {
  const id = filter?.categoryId;
  if (id == null || !filter?.includeDescendants) return equalsId('d.category_id', id, 'filter.categoryId');
  if (!isId(id)) throw invalid('filter.categoryId', 'is not an id');
  return [
    Prisma.sql`d.category_id IN (
      WITH RECURSIVE tree AS (
        SELECT c.id FROM categories c WHERE ${ctx.db.owns('c')} AND c.id = ${id}
        UNION ALL
        SELECT c.id FROM tree JOIN categories c ON ${ctx.db.owns('c')} AND c.parent_id = tree.id)
      SELECT id FROM tree)`,
  ];
}

function tagged(operator: '@>' | '&&', tags: string[] | null | undefined, argument: string): Prisma.Sql[] {
  if (!tags || tags.length === 0) return [];
  if (tags.length > 50) throw invalid(argument, 'at most 50 tags');
  if (tags.some((tag) => tag.includes('\0') || !tag.isWellFormed())) throw invalid(argument, 'must be well-formed Unicode without NUL');
  // All of one tag and any of one tag are the same, and are counted.
  if (tags.length === 1) return [Prisma.sql`${Prisma.raw(CARRIES)}${tags[0]}]`];
  return [Prisma.sql`d.tags ${Prisma.raw(operator)} ${tags}::text[]`];
}
