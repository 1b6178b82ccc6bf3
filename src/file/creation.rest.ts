import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { createDocumentInput } from '../document/document.input.js';
import { createDocument, type DocumentRow } from '../document/document.service.js';
import { document, domainNames, wireDocument } from '../document/document.wire.rest.js';
import { created, versionTag } from '../rest/etag.js';
import { type Form, formFiles, jsonField, listField, takeForms, textField } from '../rest/form.js';
import { example, operation, writing } from '../rest/operation.js';
import { createDocumentWithFiles } from './creation.service.js';
import type { FileRow } from './file.service.js';
import { wireFile } from './wire.rest.js';

const { name, description, categoryId, storageId, tags, metadata } = createDocumentInput.shape;
const shape = { name, description, category: categoryId, storage: storageId, tags, metadata };
const body = z
  .object(shape)
  .meta(example({ name: 'Passport', description: 'Of the applicant', tags: ['kyc'], metadata: { country: 'IN' } }));
const form = z.object({ ...shape, files: formFiles.optional() });

const described = (form: Form) => () => domainNames(form.values() as Partial<z.input<typeof body>>); // the service checks them

/** `POST /documents/`: a document, as JSON; as a form also with its files. */
export const creationRoutes: FastifyPluginAsyncZod = async (app) => {
  takeForms(app, {
    name: textField,
    description: textField,
    category: textField,
    storage: textField,
    tags: listField,
    metadata: jsonField,
  });
  app.post(
    '/documents/',
    {
      schema: operation({
        id: 'createDocument',
        summary: 'Create Document',
        tag: 'Document',
        body,
        json: true,
        form,
        ok: { 201: document },
        errors: writing,
      }),
    },
    async ({ ctx, body, form, keep }, reply) => {
      const shown = (row: DocumentRow, files: FileRow[]) => wireDocument(row, files.map(wireFile));
      const made = form
        ? await createDocumentWithFiles(ctx, described(form), form, async (tx, row, files) =>
            keep?.(tx, shown(row, files), versionTag(row.version)),
          )
        : { document: await createDocument(ctx, domainNames(body)), files: [] };
      return created(reply, made.document.version, shown(made.document, made.files));
    },
  );
};
