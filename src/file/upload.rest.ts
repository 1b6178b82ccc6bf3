import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { file } from '../document/document.wire.rest.js';
import { formFiles, takeForms } from '../rest/form.js';
import { idParams, operation, writing } from '../rest/operation.js';
import { uploadFiles } from './upload.service.js';
import { wireFile } from './wire.rest.js';

const form = z.object({ files: formFiles });

/** `POST /documents/{id}/files/`: files for a document, all of them or none. */
export const uploadRoutes: FastifyPluginAsyncZod = async (app) => {
  app.removeContentTypeParser('application/json');
  takeForms(app, {});
  app.post(
    '/documents/:id/files/',
    {
      schema: operation({
        id: 'uploadFiles',
        summary: 'Upload Files',
        tag: 'Document',
        params: idParams,
        body: form,
        form,
        ok: { 201: z.array(file) },
        errors: writing,
      }),
    },
    async ({ ctx, params: { id }, body, keep }, reply) => {
      const { files } = await uploadFiles(ctx, id, body.files, null, async (tx, stored) => keep?.(tx, stored.map(wireFile)));
      reply.status(201);
      return files.map(wireFile);
    },
  );
};
