import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { statuses } from '../document/document.wire.rest.js';
import { outsiderContext } from '../http/context.js';
import { operation } from '../rest/operation.js';
import { wireTime, wireTimeShape } from '../rest/wire.js';
import { type OpenedShare, previewShare, sharedFileUrl } from './open.service.js';

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
      preview_url: null,
      download_url: share.allowDownload ? sharedFileUrl(opened, file) : null,
    })),
    expires_at: wireTime(share.expiresAt),
    allow_download: share.allowDownload,
  };
}

const headers = z.object({ 'x-share-password': z.string().optional().meta({ description: 'For shares with a password.' }) });

const keyOf = (request: { headers: z.output<typeof headers> }) => ({ password: request.headers['x-share-password'] });

/** `GET /documents/preview/{token}/`: opens a share without a bearer token. */
export const previewRoutes: FastifyPluginAsyncZod = async (app) => {
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
  app.get('/documents/preview/:token/', { schema }, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    return wirePreview(await previewShare(outsiderContext(request), request.params.token, keyOf(request)));
  });
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
  app.get('/documents/preview/', { schema: byQuery }, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    return wirePreview(await previewShare(outsiderContext(request), request.query.token, keyOf(request)));
  });
};
