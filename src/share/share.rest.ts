import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { sendFile } from '../file/send.rest.js';
import { contentHeaders } from '../file/serve.js';
import { outsiderContext } from '../http/context.js';
import { renderPreview } from '../rendition/rendition.service.js';
import { grantOf } from './grant.rest.js';
import { chargeDownload, openSharedFile, openSharedPreview } from './open.service.js';
import { answerErrorByAccept } from './page.error.rest.js';

const params = z.object({ token: z.string(), id: z.string() });
const query = z.object({ grant: z.string().optional() });

const previewQuery = query.extend({
  page: z.coerce.number().optional().catch(Number.NaN),
  width: z.coerce.number().optional().catch(Number.NaN),
});

/** `GET /s/{token}/files/{id}`: a file of a share, and at `/preview` its pictures, without a bearer token. */
export const shareRoutes: FastifyPluginAsync = async (app) => {
  app.setErrorHandler(answerErrorByAccept);
  app.get('/s/:token/files/:id/preview', async (request, reply) => {
    const { token, id } = params.parse(request.params);
    const { grant, ...wanted } = previewQuery.parse(request.query);
    const { ctx, share, file } = await openSharedPreview(outsiderContext(request), token, id, grant ?? grantOf(request));
    const { bytes, contentType } = await renderPreview(ctx, file, { ...wanted, watermark: share.watermark });
    reply.headers(contentHeaders({ name: `${file.name}.webp`, contentType, disposition: 'inline' })).header('cache-control', 'no-store');
    return reply.send(bytes);
  });
  app.get('/s/:token/files/:id', async (request, reply) => {
    const { token, id } = params.parse(request.params);
    const { grant } = query.parse(request.query);
    const { ctx, share, file } = await openSharedFile(outsiderContext(request), token, id, grant ?? grantOf(request));
    return sendFile(request, reply, { ctx, file, disposition: 'attachment', beforeBytes: () => chargeDownload(ctx, share) });
  });
};
