import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { file } from '../document/document.wire.rest.js';
import { wireFile } from '../file/wire.rest.js';
import { empty, example, idParams, operation, reading, writing } from '../rest/operation.js';
import { completeUpload } from './complete.service.js';
import { echoTus } from './tus.rest.js';
import { createUploadInput, signPartsInput } from './upload.input.js';
import { abortUpload, createUpload, getUpload, signUploadParts } from './upload.service.js';
import { signedParts, upload, wireRequest, wireUpload } from './wire.rest.js';

const tag = 'Upload';
const { name, size, contentType, sha256, partSize } = createUploadInput.shape;
const creation = z
  .object({ name, size, content_type: contentType, sha256, part_size: partSize })
  .meta(example({ name: 'passport.pdf', size: 5, content_type: 'application/pdf' }));
const signing = signPartsInput.meta(example({ numbers: [1] }));

/** Uploads in parts, for clients without GraphQL. */
export const stagedUploadRoutes: FastifyPluginAsyncZod = async (app) => {
  app.addHook('onRequest', echoTus);
  app.post(
    '/documents/:id/uploads/',
    {
      schema: operation({
        id: 'createUpload',
        summary: 'Announce a file that comes in parts',
        tag,
        params: idParams,
        body: creation,
        ok: { 201: upload },
        errors: writing,
      }),
    },
    async ({ ctx, params: { id }, body: { content_type, part_size, ...body } }, reply) => {
      const row = await createUpload(ctx, { ...body, documentId: id, contentType: content_type, partSize: part_size });
      reply.status(201);
      return wireUpload(ctx, row);
    },
  );
  app.get(
    '/uploads/:id/',
    {
      schema: operation({
        id: 'getUpload',
        summary: 'What has arrived, what is to come',
        tag,
        params: idParams,
        ok: { 200: upload },
        errors: reading,
      }),
    },
    async ({ ctx, params: { id } }) => wireUpload(ctx, await getUpload(ctx, id)),
  );
  app.post(
    '/uploads/:id/sign/',
    {
      schema: operation({
        id: 'signUploadParts',
        summary: 'Sign requests for parts',
        tag,
        params: idParams,
        body: signing,
        ok: { 200: signedParts },
        errors: writing,
      }),
    },
    async ({ ctx, params: { id }, body }) => ({ requests: (await signUploadParts(ctx, id, body)).map(wireRequest) }),
  );
  app.post(
    '/uploads/:id/complete/',
    {
      config: { idempotent: true },
      schema: operation({
        id: 'completeUpload',
        summary: 'Make a file of the parts',
        tag,
        params: idParams,
        ok: { 200: file },
        errors: writing,
      }),
    },
    async ({ ctx, params: { id } }) => wireFile(await completeUpload(ctx, id)),
  );
  app.delete(
    '/uploads/:id/',
    { schema: operation({ id: 'abortUpload', summary: 'Give an upload up', tag, params: idParams, ok: { 204: empty }, errors: writing }) },
    async ({ ctx, params: { id } }, reply) => {
      await abortUpload(ctx, id);
      return reply.status(204).send();
    },
  );
};
