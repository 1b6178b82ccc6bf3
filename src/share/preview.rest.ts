import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { statuses } from '../document/document.wire.rest.js';
import { outsiderContext } from '../http/context.js';
import { operation } from '../rest/operation.js';
import { wireTime, wireTimeShape } from '../rest/wire.js';
import { type OpenedShare, previewShare, sharedFileUrl, sharedPreviewUrl } from './open.service.js';
import { answerErrorByAccept, wantsPage } from './page.error.rest.js';
import { sendSharePage } from './page.rest.js';

const preview = z
  .object({
    document: z.object({ name: z.string(), description: z.string(), status: z.enum(statuses), created_at: wireTimeShape }),
    files: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        content_type: z.string(),
        size: z.int(),
        preview_url: z.string().nullable(),
        download_url: z.string().nullable(),
      }),
    ),
    expires_at: wireTimeShape,
    allow_download: z.boolean(),
  })
  .meta({ id: 'SharePreview', description: 'What whoever holds the token sees.' });

function wirePreview(opened: OpenedShare) {
  const { share, document, files } = opened;
  return {
    document: {
      name: document.name,
      description: document.description,
      status: document.status.toLowerCase(),
      created_at: wireTime(document.createdAt),
    },
    files: files.map((file) => ({
      id: file.id,
      name: file.name,
      content_type: file.contentType,
      size: Number(file.size),
      preview_url: sharedPreviewUrl(opened, file),
      download_url: share.allowDownload ? sharedFileUrl(opened, file) : null,
    })),
    expires_at: wireTime(share.expiresAt),
    allow_download: share.allowDownload,
  };
}

async function sendPreview(request: FastifyRequest, reply: FastifyReply, token: string) {
  const password = request.headers['x-share-password'];
  const opened = await previewShare(outsiderContext(request), token, { password: typeof password === 'string' ? password : null });
  reply.headers({ 'cache-control': 'no-store', vary: 'accept' });
  return wantsPage(request) ? sendSharePage(reply, opened) : wirePreview(opened);
}

const headers = z.object({ 'x-share-password': z.string().optional().meta({ description: 'For shares with a password.' }) });

/** `GET /documents/preview/{token}/`: opens a share without a bearer token; to a browser it is the page. */
export const previewRoutes: FastifyPluginAsyncZod = async (app) => {
  app.setErrorHandler(answerErrorByAccept);
  const schema = {
    ...operation({
      id: 'previewShare',
      summary: 'Preview Shared Document',
      tag: 'Sharing',
      params: z.object({ token: z.string() }),
      ok: { 200: preview },
      errors: [400, 401, 403, 404, 410, 429, 500, 503],
      open: true,
    }),
    headers,
  };
  app.get('/documents/preview/:token/', { schema }, async (request, reply) => sendPreview(request, reply, request.params.token));
  const byQuery = {
    ...operation({
      id: 'previewShareByQuery',
      summary: 'Preview Shared Document',
      tag: 'Sharing',
      query: z.object({ token: z.string('is required') }),
      ok: { 200: preview },
      errors: [400, 401, 403, 404, 410, 429, 500, 503],
      open: true,
    }),
    headers,
  };
  app.get('/documents/preview/', { schema: byQuery }, async (request, reply) => sendPreview(request, reply, request.query.token));
};
