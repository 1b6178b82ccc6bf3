import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { created, expectedVersion, sendVersioned } from '../rest/etag.js';
import { example, idParams, operation, reading, writing } from '../rest/operation.js';
import { envelope, numbered, pageOf, pageQuery } from '../rest/pages.js';
import { audit, auditExample, auditShape } from '../rest/wire.js';
import { createCategoryInput, updateCategoryInput } from './category.input.js';
import { type CategoryRow, createCategory, getCategory, listCategoriesByNumber, updateCategory } from './category.service.js';

const category = z.object({ ...auditShape, name: z.string(), description: z.string(), parent: z.string().nullable() }).meta({
  id: 'Category',
  description: 'Where documents are filed.',
  examples: [{ ...auditExample, name: 'KYC', description: 'All KYC Documents', parent: null }],
});

export const wireCategory = (row: CategoryRow) => ({ ...audit(row), name: row.name, description: row.description, parent: row.parentId });

const { name, description, parentId } = createCategoryInput.shape;
const creation = z
  .object({ name, description, parent: parentId })
  .meta(example({ name: 'KYC', description: 'All KYC Documents', parent: '' }));
const change = z
  .object({ name: updateCategoryInput.shape.name, description, parent: parentId })
  .meta(example({ description: 'All KYC documents, by kind' }));
const query = z.object({
  ...pageQuery('created_at', 'updated_at', 'name'),
  parent: z.string().optional().meta({ description: 'Children of this category; empty: roots.' }),
});

export const categoryRoutes: FastifyPluginAsyncZod = async (app) => {
  app.post(
    '/categories/',
    {
      schema: operation({
        id: 'createCategory',
        summary: 'Create Category',
        tag: 'Category',
        body: creation,
        ok: { 201: category },
        errors: writing,
      }),
    },
    async ({ ctx, body: { parent, ...input } }, reply) => {
      const row = await createCategory(ctx, { ...input, parentId: parent });
      return created(reply, row.version, wireCategory(row));
    },
  );
  app.get(
    '/categories/',
    {
      schema: operation({
        id: 'listCategories',
        summary: 'List Category',
        tag: 'Category',
        query,
        ok: { 200: pageOf(category) },
        errors: reading,
      }),
    },
    async ({ ctx, query: { parent, search, ...rest } }) => {
      const createdAt = { from: rest.created_at_after, to: rest.created_at_before };
      const filter = { search, createdAt, ...(parent !== undefined && { parentId: parent || null }) };
      return envelope(await listCategoriesByNumber(ctx, { filter, ...numbered(rest) }), rest, wireCategory);
    },
  );
  app.get(
    '/categories/:id/',
    {
      schema: operation({
        id: 'getCategory',
        summary: 'Get Category',
        tag: 'Category',
        params: idParams,
        ok: { 200: category },
        errors: reading,
      }),
    },
    async (request, reply) => {
      const row = await getCategory(request.ctx, request.params.id);
      return sendVersioned(request, reply, row.version, wireCategory(row));
    },
  );
  app.patch(
    '/categories/:id/',
    {
      schema: operation({
        id: 'updateCategory',
        summary: 'Update Category',
        tag: 'Category',
        params: idParams,
        body: change,
        ok: { 200: category },
        errors: writing,
      }),
    },
    async (request, reply) => {
      const { parent, ...input } = request.body;
      const values = { ...input, parentId: parent, expectedVersion: expectedVersion(request) };
      const row = await updateCategory(request.ctx, request.params.id, values);
      return sendVersioned(request, reply, row.version, wireCategory(row));
    },
  );
};
