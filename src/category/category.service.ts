import { changes, recordEvent } from '../audit/audit.service.js';
import { authorize } from '../auth/policy.js';
import { inTransaction, type RequestContext } from '../context.js';
import { type Category as CategoryRow, Prisma } from '../db/generated/client.js';
import { isId } from '../db/id.js';
import { changedRow, lockRow, newRow } from '../db/rows.js';
import { invalid, notFound } from '../errors.js';
import { parseInput } from '../input.js';
import type { NumberedQuery } from '../numbered.js';
import type { Order, PageArgs } from '../paging.js';
import type { Columns } from '../relation/table.js';
import { type CreateCategoryInput, createCategoryInput, type UpdateCategoryInput, updateCategoryInput } from './category.input.js';
import { ancestorsByCategory, categories, categoryById } from './category.loader.js';
import { canReadCategories, canWriteCategories } from './category.policy.js';
import { type CategoryFilter, categoryChildren, categoryList } from './category.relations.js';

export type { CategoryRow };

export interface CategoryQuery {
  filter?: CategoryFilter | null;
  order: Order;
  page: PageArgs;
  columns?: Columns;
}

const audited = ['name', 'description', 'parentId'] as const;

export async function getCategory(ctx: RequestContext, id: string): Promise<CategoryRow> {
  authorize(ctx, canReadCategories);
  const row = isId(id) ? await categoryById(ctx).load(id) : null;
  if (!row) throw notFound('Category');
  return row;
}

export async function listCategories(ctx: RequestContext, query: CategoryQuery) {
  authorize(ctx, canReadCategories);
  return categoryList.load(ctx, query);
}

export async function listCategoriesByNumber(ctx: RequestContext, query: NumberedQuery<CategoryFilter>) {
  authorize(ctx, canReadCategories);
  return categoryList.numbered(ctx, query);
}

export async function listChildren(ctx: RequestContext, category: CategoryRow, query: Omit<CategoryQuery, 'filter'>) {
  authorize(ctx, canReadCategories);
  return categoryChildren.load(ctx, category.id, query);
}

/** From the root down to the parent. */
export async function listAncestors(ctx: RequestContext, category: CategoryRow): Promise<CategoryRow[]> {
  authorize(ctx, canReadCategories);
  if (category.parentId === null) return [];
  return (await ancestorsByCategory(ctx).load(category.id)) ?? [];
}

export async function createCategory(ctx: RequestContext, raw: CreateCategoryInput): Promise<CategoryRow> {
  authorize(ctx, canWriteCategories);
  const { parentId, ...input } = parseInput(createCategoryInput, raw);
  return inTransaction(ctx, async (tx) => {
    if (parentId) await requireParent(tx, parentId);
    const row = await tx.db.category.create({
      data: { ...newRow(tx), name: input.name, description: input.description ?? '', parentId: parentId ?? null },
    });
    const after = { name: row.name, description: row.description, parentId: row.parentId };
    await recordEvent(tx, { action: 'category.created', subjectId: row.id, entity: { type: 'Category', id: row.id }, after });
    return row;
  });
}

export async function updateCategory(ctx: RequestContext, id: string, raw: UpdateCategoryInput): Promise<CategoryRow> {
  authorize(ctx, canWriteCategories);
  const { expectedVersion, parentId, name, description } = parseInput(updateCategoryInput, raw);
  return inTransaction(ctx, async (tx) => {
    // Two moves at once could close a circle that neither sees: moves of a tenant take turns.
    if (parentId) await lockTree(tx);
    const before = await lockRow(tx, categories, id, { what: 'Category', expectedVersion });
    if (parentId) await requireParentOutside(tx, id, parentId);
    const [after = before] = await tx.db.category.updateManyAndReturn({
      where: { id },
      data: {
        ...(name != null && { name }),
        ...(description != null && { description }),
        ...(parentId !== undefined && { parentId }),
        ...changedRow(tx),
      },
    });
    const difference = changes(before, after, audited);
    if (difference) await recordEvent(tx, { action: 'category.updated', subjectId: id, entity: { type: 'Category', id }, ...difference });
    return after;
  });
}

const lockTree = (ctx: RequestContext) =>
  ctx.db.query(Prisma.sql`SELECT pg_advisory_xact_lock(hashtextextended('category tree ' || ${ctx.db.tenantId}, 0))::text`);

async function requireParent(ctx: RequestContext, parent: string): Promise<void> {
  if (!(await ctx.db.category.findFirst({ where: { id: parent }, select: { id: true } }))) throw invalid('parentId', 'no such category');
}

async function requireParentOutside(ctx: RequestContext, id: string, parent: string): Promise<void> {
  await requireParent(ctx, parent);
  const line = await ancestorsByCategory(ctx).load(parent);
  if (parent === id || line?.some((ancestor) => ancestor.id === id)) {
    throw invalid('parentId', 'a category cannot be below itself; choose one that is not among its descendants');
  }
}
