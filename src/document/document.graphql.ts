import { AuditEventConnection } from '../audit/audit.graphql.js';
import { Category } from '../category/category.graphql.js';
import { getCategory } from '../category/category.service.js';
import { builder } from '../graphql/builder.js';
import { connectionCost, listQuery, nameOrder, newestFirst, orderInput, timeOrders, toConnection } from '../graphql/connection.js';
import { Auditable, DateRangeInput, Node } from '../graphql/node.js';
import { orNull } from '../graphql/nullable.js';
import { counts, finds, joins, lists } from '../graphql/plan/declare.js';
import { Storage } from '../storage/storage.graphql.js';
import { getStorage } from '../storage/storage.service.js';
import {
  categoryDocuments,
  documentCategory,
  documentList,
  documentOfId,
  documentStorage,
  storageDocuments,
} from './document.relations.js';
import { countDocumentsOf, getDocument, listDocuments, listDocumentsOf, listHistory, listTags, type TagCount } from './document.service.js';

const DocumentStatusEnum = builder.enumType('DocumentStatus', {
  description: 'Where a document stands in its review.',
  values: {
    PENDING: { description: 'Waiting for review.' },
    APPROVED: { description: 'Approved as it is; a changed file makes it PENDING again.' },
    REJECTED: { description: 'Rejected with a reason; its shares do not open.' },
    INACTIVE: { description: 'Read-only; its shares do not open. Only reactivation and deletion are possible.' },
  } as const,
});

export const Document = builder.prismaObject('Document', {
  description: 'A document: what is known of it, its files, its review and its shares.',
  interfaces: [Node, Auditable],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What people call it.' }),
    description: t.exposeString('description', { description: 'What it is; may be empty.' }),
    categoryId: t.exposeID('categoryId', { nullable: true, description: 'Where it is filed; null: nowhere.' }),
    storageId: t.exposeID('storageId', { description: 'Where its files are kept.' }),
    tags: t.exposeStringList('tags', { description: 'Its labels.' }),
    metadata: t.expose('metadata', { type: 'JSON', description: 'Whatever else is known of it: a JSON object.' }),
    status: t.expose('status', { type: DocumentStatusEnum, description: 'Where it stands in its review.' }),
    rejectionReason: t.exposeString('rejectionReason', {
      nullable: true,
      description: 'Why it was rejected, if it was last; also when it became INACTIVE since.',
    }),
    reviewedBy: t.expose('reviewedBy', { type: 'UUID', nullable: true, description: 'Who approved or rejected it last.' }),
    reviewedAt: t.expose('reviewedAt', { type: 'DateTime', nullable: true, description: 'When that was.' }),
    deletedAt: t.expose('deletedAt', { type: 'DateTime', nullable: true, description: 'Since when it is in the trash; null: it is not.' }),
    category: t.field({
      type: Category,
      nullable: true,
      description: 'Where it is filed; null: nowhere.',
      extensions: joins(documentCategory),
      resolve: (document, _, ctx) => (document.categoryId === null ? null : getCategory(ctx, document.categoryId)),
    }),
    storage: t.field({
      type: Storage,
      description: 'Where its files are kept.',
      extensions: joins(documentStorage),
      resolve: (document, _, ctx) => getStorage(ctx, document.storageId),
    }),
    history: t.field({
      type: AuditEventConnection,
      description: 'Who did what to it, its files and its shares; newest first.',
      args: t.arg.connectionArgs(),
      complexity: connectionCost,
      resolve: async (document, page, ctx) => toConnection(await listHistory(ctx, document, page)),
    }),
  }),
});

const DocumentConnection = builder.connectionObject(
  { type: Document, name: 'DocumentConnection', description: 'A page of documents.' },
  { name: 'DocumentEdge', description: 'A document and its cursor.' },
);

export const DocumentFilterInput = builder.inputType('DocumentFilter', {
  description: 'Which documents. All conditions hold together.',
  fields: (t) => ({
    status: t.field({ type: [DocumentStatusEnum], description: 'In one of these states.' }),
    categoryId: t.id({ description: 'Filed in this category.' }),
    includeDescendants: t.boolean({ description: 'With `categoryId`: or in any category below it.' }),
    storageId: t.id({ description: 'Kept in this storage.' }),
    tagsAll: t.stringList({ description: 'With every one of these tags.' }),
    tagsAny: t.stringList({ description: 'With at least one of these tags.' }),
    createdBy: t.field({ type: 'UUID', description: 'Created by this user.' }),
    createdAt: t.field({ type: DateRangeInput, description: 'Created in this time.' }),
    updatedAt: t.field({ type: DateRangeInput, description: 'Last changed in this time.' }),
    search: t.string({ description: 'Whose name contains this, whatever its case.' }),
    deleted: t.boolean({ description: 'True: those in the trash instead of those that are not.' }),
  }),
});
const DocumentOrder = orderInput('Document', { ...timeOrders, ...nameOrder });
const documentQuery = listQuery(newestFirst);

const Tag = builder.objectRef<TagCount>('Tag').implement({
  description: 'A label in use.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The label.' }),
    count: t.exposeInt('count', { description: 'How many documents carry it.' }),
  }),
});

builder.queryFields((t) => ({
  document: t.field({
    type: Document,
    nullable: true,
    description: 'One document, or null.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    extensions: finds(documentOfId),
    resolve: (_, { id }, ctx) => orNull(getDocument(ctx, id)),
  }),
  documents: t.field({
    type: DocumentConnection,
    description: 'Documents, newest first if not ordered otherwise.',
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: DocumentFilterInput, description: 'Which ones.' }),
      orderBy: t.arg({ type: DocumentOrder, description: 'In which order.' }),
    },
    complexity: connectionCost,
    extensions: lists(documentList, documentQuery),
    resolve: async (_, args, ctx, info) => toConnection(await listDocuments(ctx, documentQuery(args, info))),
  }),
  tags: t.field({
    type: [Tag],
    description: 'The tags in use, by name.',
    args: { search: t.arg.string({ description: 'Those that contain this, whatever its case.' }) },
    resolve: (_, { search }, ctx) => listTags(ctx, { search }),
  }),
}));

builder.prismaObjectFields('Category', (t) => ({
  documents: t.field({
    type: DocumentConnection,
    description: 'The documents filed here, newest first if not ordered otherwise.',
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: DocumentFilterInput, description: 'Which ones.' }),
      orderBy: t.arg({ type: DocumentOrder, description: 'In which order.' }),
    },
    complexity: connectionCost,
    extensions: lists(categoryDocuments, documentQuery),
    resolve: async (category, args, ctx, info) =>
      toConnection(await listDocumentsOf(ctx, 'category', category.id, documentQuery(args, info))),
  }),
  documentCount: t.int({
    description: 'How many documents are filed here, not counting those in categories below.',
    extensions: counts(categoryDocuments),
    resolve: (category, _, ctx) => countDocumentsOf(ctx, 'category', category.id),
  }),
}));

builder.prismaObjectFields('Storage', (t) => ({
  documents: t.field({
    type: DocumentConnection,
    description: 'The documents whose files are kept here, newest first if not ordered otherwise.',
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: DocumentFilterInput, description: 'Which ones.' }),
      orderBy: t.arg({ type: DocumentOrder, description: 'In which order.' }),
    },
    complexity: connectionCost,
    extensions: lists(storageDocuments, documentQuery),
    resolve: async (storage, args, ctx, info) => toConnection(await listDocumentsOf(ctx, 'storage', storage.id, documentQuery(args, info))),
  }),
}));
