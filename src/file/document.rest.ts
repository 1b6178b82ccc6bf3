import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { wireCategory } from '../category/category.rest.js';
import { getCategory } from '../category/category.service.js';
import type { RequestContext } from '../context.js';
import { rejectInput, updateDocumentInput } from '../document/document.input.js';
import { type DocumentRow, deleteDocument, listDocumentsByNumber, listTags, updateDocument } from '../document/document.service.js';
import { document, domainNames, statuses } from '../document/document.wire.rest.js';
import { approve, inactivate, reject } from '../document/document.workflow.js';
import { expectedVersion, sendVersioned } from '../rest/etag.js';
import { empty, example, idParams, operation, reading, writing } from '../rest/operation.js';
import { envelope, numbered, pageOf, pageQuery } from '../rest/pages.js';
import { flag } from '../rest/wire.js';
import { wireStorage } from '../storage/storage.rest.js';
import { getStorage } from '../storage/storage.service.js';
import { getDocumentAndFiles } from './file.service.js';
import { documentWithFiles, wireFileColumns } from './wire.rest.js';

const tag = 'Document';
const { name, description, categoryId, storageId, tags, metadata } = updateDocumentInput.shape;
const change = z
  .object({ name, description, category: categoryId, storage: storageId, tags, metadata })
  .meta(example({ tags: ['kyc', 'verified'] }));
const rejection = rejectInput.pick({ reason: true }).meta(example({ reason: 'The photo is blurred.' }));

const expand = z
  .string()
  .optional()
  .meta({ description: 'Names of references to show as objects.', examples: ['category,storage'] });
const one = z.object({ expand });
const query = z.object({
  ...pageQuery('created_at', 'updated_at', 'name'),
  expand,
  category: z.string().optional(),
  include_descendants: flag().optional(),
  storage: z.string().optional(),
  status: z.enum(statuses).optional(),
  tags: z
    .string()
    .optional()
    .meta({ description: 'A list with commas: documents that carry all of them.', examples: ['kyc,income'] }),
  created_by: z.uuid('must be a UUID').optional(),
});
type ListQuery = z.output<typeof query>;
const tagQuery = z.object({ search: z.string().optional(), counts: flag().optional() });
const tagList = z.union([z.array(z.string()), z.array(z.object({ tag: z.string(), count: z.int() }))]).meta({
  id: 'Tags',
  description: 'Names; with counts=true how often each is used.',
  examples: [['income', 'kyc']],
});

export const documentRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/documents/',
    { schema: operation({ id: 'listDocuments', summary: 'List Document', tag, query, ok: { 200: pageOf(document) }, errors: reading }) },
    async ({ ctx, query }) => {
      const { rows, count } = await listDocumentsByNumber(ctx, { filter: filterOf(query), ...numbered(query) });
      const shown = await Promise.all(rows.map((row) => expanded(ctx, row, query.expand)));
      return envelope({ rows: shown, count }, query, (item) => item);
    },
  );
  app.get(
    '/documents/tags/',
    { schema: operation({ id: 'listTags', summary: 'Get all tags', tag, query: tagQuery, ok: { 200: tagList }, errors: reading }) },
    async ({ ctx, query: { search, counts } }) => {
      const found = await listTags(ctx, { search });
      return found.map(({ name, count }) => (counts ? { tag: name, count } : name));
    },
  );
  app.get(
    '/documents/:id/',
    {
      schema: operation({
        id: 'getDocument',
        summary: 'Get Document',
        tag,
        params: idParams,
        query: one,
        ok: { 200: document },
        errors: reading,
      }),
    },
    async (request, reply) => {
      const row = await getDocumentAndFiles(request.ctx, request.params.id, wireFileColumns);
      return sendVersioned(request, reply, row.version, await expanded(request.ctx, row, request.query.expand));
    },
  );
  app.patch(
    '/documents/:id/',
    {
      schema: operation({
        id: 'updateDocument',
        summary: 'Update Document',
        tag,
        params: idParams,
        body: change,
        ok: { 200: document },
        errors: writing,
      }),
    },
    async (request, reply) => {
      const input = { ...domainNames(request.body), expectedVersion: expectedVersion(request) };
      return sendDocument(request, reply, await updateDocument(request.ctx, request.params.id, input));
    },
  );
  app.delete(
    '/documents/:id/',
    { schema: operation({ id: 'deleteDocument', summary: 'Delete Document', tag, params: idParams, ok: { 204: empty }, errors: writing }) },
    async (request, reply) => {
      await deleteDocument(request.ctx, request.params.id, { expectedVersion: expectedVersion(request) });
      return reply.status(204).send();
    },
  );
};

/** `PUT /documents/{id}/…/`: the review. */
export const reviewRoutes: FastifyPluginAsyncZod = async (app) => {
  for (const [path, id, summary, act] of [
    ['inactive', 'inactivateDocument', 'Inactive Document', inactivate],
    ['approve', 'approveDocument', 'Approve Document', approve],
  ] as const) {
    app.put(
      `/documents/:id/${path}/`,
      { schema: operation({ id, summary, tag, params: idParams, ok: { 200: document }, errors: writing }) },
      async (request, reply) =>
        sendDocument(request, reply, await act(request.ctx, request.params.id, { expectedVersion: expectedVersion(request) })),
    );
  }
  app.put(
    '/documents/:id/reject/',
    {
      schema: operation({
        id: 'rejectDocument',
        summary: 'Reject Document',
        tag,
        params: idParams,
        body: rejection,
        ok: { 200: document },
        errors: writing,
      }),
    },
    async (request, reply) => {
      const input = { ...request.body, expectedVersion: expectedVersion(request) };
      return sendDocument(request, reply, await reject(request.ctx, request.params.id, input));
    },
  );
};

const sendDocument = async (request: FastifyRequest, reply: FastifyReply, row: DocumentRow) =>
  sendVersioned(request, reply, row.version, await documentWithFiles(request.ctx, row));

function filterOf({ category, storage, status, tags, ...rest }: ListQuery) {
  return {
    categoryId: category,
    includeDescendants: rest.include_descendants,
    storageId: storage,
    status: status && [status.toUpperCase() as DocumentRow['status']], // one of the four
    tagsAll: tags
      ?.split(',')
      .map((text) => text.trim())
      .filter(Boolean),
    createdBy: rest.created_by,
    createdAt: { from: rest.created_at_after, to: rest.created_at_before },
    search: rest.search,
  };
}

async function expanded(ctx: RequestContext, row: DocumentRow, names = '') {
  const wanted = names.split(',');
  const [shown, category, storage] = await Promise.all([
    documentWithFiles(ctx, row),
    wanted.includes('category') && row.categoryId !== null ? getCategory(ctx, row.categoryId) : null,
    wanted.includes('storage') ? getStorage(ctx, row.storageId) : null,
  ]);
  return { ...shown, ...(category && { category: wireCategory(category) }), ...(storage && { storage: wireStorage(storage) }) };
}
