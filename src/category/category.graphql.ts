import { builder } from '../graphql/builder.js';
import { byNameFirst, connectionCost, listQuery, nameOrder, orderInput, timeOrders, toConnection } from '../graphql/connection.js';
import { Auditable, Node } from '../graphql/node.js';
import { orNull } from '../graphql/nullable.js';
import { finds, joins, lists } from '../graphql/plan/declare.js';
import { categoryChildren, categoryList, categoryOfId, categoryParent } from './category.relations.js';
import { createCategory, getCategory, listAncestors, listCategories, listChildren, updateCategory } from './category.service.js';

export const Category = builder.prismaObject('Category', {
  description: 'A place in the tree that documents are filed in.',
  interfaces: [Node, Auditable],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What people call it.' }),
    description: t.exposeString('description', { description: 'What belongs here; may be empty.' }),
    parentId: t.exposeID('parentId', { nullable: true, description: 'The category above; null for a root.' }),
  }),
});

const CategoryConnection = builder.connectionObject(
  { type: Category, name: 'CategoryConnection', description: 'A page of categories.' },
  { name: 'CategoryEdge', description: 'A category and its cursor.' },
);

const CategoryOrder = orderInput('Category', { ...timeOrders, ...nameOrder });
const categoryQuery = listQuery(byNameFirst);

builder.prismaObjectFields('Category', (t) => ({
  parent: t.field({
    type: Category,
    nullable: true,
    description: 'The category above; null for a root.',
    extensions: joins(categoryParent),
    resolve: (category, _, ctx) => (category.parentId === null ? null : getCategory(ctx, category.parentId)),
  }),
  ancestors: t.field({
    type: [Category],
    description: 'The way down to this category: from its root to its parent.',
    resolve: (category, _, ctx) => listAncestors(ctx, category),
  }),
  children: t.field({
    type: CategoryConnection,
    description: 'The categories directly below. By name if not ordered otherwise.',
    args: { ...t.arg.connectionArgs(), orderBy: t.arg({ type: CategoryOrder, description: 'In which order.' }) },
    complexity: connectionCost,
    extensions: lists(categoryChildren, categoryQuery),
    resolve: async (category, args, ctx, info) => toConnection(await listChildren(ctx, category, categoryQuery(args, info))),
  }),
}));

const CategoryFilterInput = builder.inputType('CategoryFilter', {
  description: 'Which categories. All conditions hold together.',
  fields: (t) => ({
    parentId: t.id({ description: 'Directly below this one; `null` for roots only.' }),
    search: t.string({ description: 'Whose name or description contains this, whatever its case.' }),
  }),
});

builder.queryFields((t) => ({
  category: t.field({
    type: Category,
    nullable: true,
    description: 'One category, or null.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    extensions: finds(categoryOfId),
    resolve: (_, { id }, ctx) => orNull(getCategory(ctx, id)),
  }),
  categories: t.field({
    type: CategoryConnection,
    description: 'Categories of all levels, or of one. By name if not ordered otherwise.',
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: CategoryFilterInput, description: 'Which ones.' }),
      orderBy: t.arg({ type: CategoryOrder, description: 'In which order.' }),
    },
    complexity: connectionCost,
    extensions: lists(categoryList, categoryQuery),
    resolve: async (_, args, ctx, info) => toConnection(await listCategories(ctx, categoryQuery(args, info))),
  }),
}));

const CreateCategoryInput = builder.inputType('CreateCategoryInput', {
  description: 'A new category.',
  fields: (t) => ({
    name: t.string({ required: true, description: '1 to 100 characters.' }),
    description: t.string({ description: 'At most 255 characters.' }),
    parentId: t.id({ description: 'The category above; none makes it a root.' }),
  }),
});

const UpdateCategoryInput = builder.inputType('UpdateCategoryInput', {
  description: 'A change of a category. What is left out stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which category.' }),
    name: t.string({ description: '1 to 100 characters.' }),
    description: t.string({ description: 'At most 255 characters.' }),
    parentId: t.id({ description: 'The category above; `null` makes it a root. Not itself nor one below it.' }),
    expectedVersion: t.int({ description: 'The version you saw; another one answers ConflictError.' }),
  }),
});

builder.mutationFields((t) => ({
  createCategory: t.field({
    type: Category,
    errors: {},
    description: 'Adds a category. Needs the scope `categories:write`.',
    args: { input: t.arg({ type: CreateCategoryInput, required: true, description: 'The category.' }) },
    resolve: (_, { input }, ctx) => createCategory(ctx, input),
  }),
  updateCategory: t.field({
    type: Category,
    errors: {},
    description: 'Changes or moves a category. Needs the scope `categories:write`.',
    args: { input: t.arg({ type: UpdateCategoryInput, required: true, description: 'The change.' }) },
    resolve: (_, { input: { id, ...input } }, ctx) => updateCategory(ctx, id, input),
  }),
}));
