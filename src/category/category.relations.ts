import { Prisma } from '../db/generated/client.js';
import { contains, type DateRange, equalsId, within } from '../filters.js';
import { found, list, listByParent, one } from '../relation/relation.js';
import { categories, categoryById } from './category.loader.js';

export interface CategoryFilter {
  /** Children of this category; null: roots only; absent: all. */
  parentId?: string | null;
  /** Part of the name or the description. */
  search?: string | null;
  createdAt?: DateRange | null;
}

function categoryConditions(filter: CategoryFilter | null | undefined): Prisma.Sql[] {
  return [
    ...(filter?.parentId === null ? [Prisma.sql`c.parent_id IS NULL`] : equalsId('c.parent_id', filter?.parentId, 'filter.parentId')),
    ...contains(filter?.search, 'c.name', 'c.description'),
    ...within(filter?.createdAt, 'c.created_at', 'filter.createdAt'),
  ];
}

export const categoryOfId = found(categoryById);
export const categoryList = list(categories, (_, filter: CategoryFilter | null | undefined) => categoryConditions(filter));
export const categoryParent = one(categoryById, 'parentId');
export const categoryChildren = listByParent(categories, Prisma.sql`c.parent_id`, () => []);
