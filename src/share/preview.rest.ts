import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { statuses } from '../document/document.wire.rest.js';
import { outsiderContext } from '../http/context.js';
import { opening, operation } from '../rest/operation.js';
import { exampleId, exampleTime, wireTime, wireTimeShape } from '../rest/wire.js';
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
  .meta({
    id: 'SharePreview',
    description: 'What whoever holds the token sees.',
    examples: [
      {
        document: { name: 'Passport', description: 'Of the applicant', status: 'approved', created_at: exampleTime },
        files: [
          {
            id: exampleId,
            name: 'passport.pdf',
            content_type: 'application/pdf',
            size: 48213,
            preview_url: `https://docs.example/s/f0a6f0f2-6d0c-4b3a-9c57-3a4a2a3f6c1e/files/${exampleId}/preview`,
            download_url: `https://docs.example/s/f0a6f0f2-6d0c-4b3a-9c57-3a4a2a3f6c1e/files/${exampleId}`,
          },
        ],
        expires_at: '2025-08-01T05:38:35.000000Z',
        allow_download: true,
      },
    ],
  });

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

const byToken = z.object({ token: z.string('is required') });
const headers = z.object({ 'x-share-password': z.string().optional().meta({ description: 'For shares with a password.' }) });

/** `GET /documents/preview/{token}/`: opens a share without a bearer token; to a browser it is the page. */
export const previewRoutes: FastifyPluginAsyncZod = async (app) => {
  app.setErrorHandler(answerErrorByAccept);
  const described = { summary: 'Preview Shared Document', tag: 'Sharing', ok: { 200: preview }, errors: opening, open: true } as const;
  const inPath = { ...operation({ ...described, id: 'previewShare', params: byToken }), headers };
  const inQuery = { ...operation({ ...described, id: 'previewShareByQuery', query: byToken }), headers };
  app.get('/documents/preview/:token/', { schema: inPath }, async (request, reply) => sendPreview(request, reply, request.params.token));
  app.get('/documents/preview/', { schema: inQuery }, async (request, reply) => sendPreview(request, reply, request.query.token));
};
