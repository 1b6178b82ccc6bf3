import { builder } from '../graphql/builder.js';
import { Document } from './document.graphql.js';
import { createDocument, deleteDocument, restoreDocument, updateDocument } from './document.service.js';
import { approve, inactivate, reactivate, reject } from './document.workflow.js';

const CreateDocumentInput = builder.inputType('CreateDocumentInput', {
  description: 'A new document. Its files follow with `uploadFiles`.',
  fields: (t) => ({
    name: t.string({ required: true, description: '1 to 255 characters.' }),
    description: t.string({ description: 'At most 1000 characters.' }),
    categoryId: t.id({ description: 'Where to file it.' }),
    storageId: t.id({ description: "Where to keep its files; the tenant's default storage if absent." }),
    tags: t.stringList({ description: 'At most 50 labels of 1 to 50 characters, none twice.' }),
    metadata: t.field({ type: 'JSON', description: 'A JSON object of at most 16 KiB. Numbers beyond 2^53 go as text: they would change.' }),
  }),
});

const UpdateDocumentInput = builder.inputType('UpdateDocumentInput', {
  description: 'A change of a document. What is left out stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which document.' }),
    name: t.string({ description: '1 to 255 characters.' }),
    description: t.string({ description: 'At most 1000 characters.' }),
    categoryId: t.id({ description: 'Where to file it; `null` files it nowhere.' }),
    storageId: t.id({ description: 'Where to keep its files; fixed once a file is stored.' }),
    tags: t.stringList({ description: 'All of its labels.' }),
    metadata: t.field({ type: 'JSON', description: 'All of its metadata.' }),
    expectedVersion: t.int({ description: 'The version you saw; another one answers ConflictError.' }),
  }),
});

const transitionInput = (name: string, description: string) =>
  builder.inputType(name, {
    description,
    fields: (t) => ({
      id: t.id({ required: true, description: 'Which document.' }),
      expectedVersion: t.int({ description: 'The version you saw; another one answers ConflictError.' }),
    }),
  });

const RejectInput = builder.inputType('RejectInput', {
  description: 'A rejection.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which document.' }),
    reason: t.string({ required: true, description: 'Why, in 1 to 1000 characters; shown to whoever may see the document.' }),
    expectedVersion: t.int({ description: 'The version you saw; another one answers ConflictError.' }),
  }),
});

const RestoreDocumentInput = builder.inputType('RestoreDocumentInput', {
  description: 'A return from the trash.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Which document.' }) }),
});

builder.mutationFields((t) => ({
  createDocument: t.field({
    type: Document,
    errors: {},
    description: 'Adds a document, PENDING. Needs the scope `documents:write`.',
    args: { input: t.arg({ type: CreateDocumentInput, required: true, description: 'The document.' }) },
    resolve: (_, { input }, ctx) => createDocument(ctx, input),
  }),
  updateDocument: t.field({
    type: Document,
    errors: {},
    description: 'Changes what is known of a document. Needs the scope `documents:write`.',
    args: { input: t.arg({ type: UpdateDocumentInput, required: true, description: 'The change.' }) },
    resolve: (_, { input: { id, ...input } }, ctx) => updateDocument(ctx, id, input),
  }),
  deleteDocument: t.field({
    type: Document,
    errors: {},
    description: 'Moves a document into the trash. Its shares stop opening at once. Needs the scope `documents:write`.',
    args: {
      input: t.arg({ type: transitionInput('DeleteDocumentInput', 'A move into the trash.'), required: true, description: 'Which one.' }),
    },
    resolve: (_, { input: { id, ...input } }, ctx) => deleteDocument(ctx, id, input),
  }),
  restoreDocument: t.field({
    type: Document,
    errors: {},
    description: 'Takes a document out of the trash, as it was. Needs the scope `documents:write`.',
    args: { input: t.arg({ type: RestoreDocumentInput, required: true, description: 'Which one.' }) },
    resolve: (_, { input }, ctx) => restoreDocument(ctx, input.id),
  }),
  approve: t.field({
    type: Document,
    errors: {},
    description: 'PENDING or REJECTED becomes APPROVED. Needs the scope `documents:review`.',
    args: { input: t.arg({ type: transitionInput('ApproveInput', 'An approval.'), required: true, description: 'Which document.' }) },
    resolve: (_, { input: { id, ...input } }, ctx) => approve(ctx, id, input),
  }),
  reject: t.field({
    type: Document,
    errors: {},
    description: 'PENDING or APPROVED becomes REJECTED, with a reason; its shares stop opening. Needs the scope `documents:review`.',
    args: { input: t.arg({ type: RejectInput, required: true, description: 'Which document, and why.' }) },
    resolve: (_, { input: { id, ...input } }, ctx) => reject(ctx, id, input),
  }),
  inactivate: t.field({
    type: Document,
    errors: {},
    description: 'Any state becomes INACTIVE: read-only, and its shares stop opening. Needs the scope `documents:write`.',
    args: {
      input: t.arg({ type: transitionInput('InactivateInput', 'An inactivation.'), required: true, description: 'Which document.' }),
    },
    resolve: (_, { input: { id, ...input } }, ctx) => inactivate(ctx, id, input),
  }),
  reactivate: t.field({
    type: Document,
    errors: {},
    description: 'INACTIVE becomes PENDING. Needs the scope `documents:write`.',
    args: {
      input: t.arg({ type: transitionInput('ReactivateInput', 'A reactivation.'), required: true, description: 'Which document.' }),
    },
    resolve: (_, { input: { id, ...input } }, ctx) => reactivate(ctx, id, input),
  }),
}));
