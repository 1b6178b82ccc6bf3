import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { contentHeaders, planDownload } from '../file/serve.js';
import { contextOf } from '../http/context.js';
import { findPreview } from './link.service.js';
import { previewEtag, renderPreview } from './rendition.service.js';

const params = z.object({ id: z.string() });
/** What is no number, or no link, is for the service to refuse. */
const number = z.coerce.number().optional().catch(Number.NaN);
const query = z.object({ token: z.string().optional().catch(''), page: number, width: number });

/** `GET /files/{id}/preview`: a picture of a page, by bearer token or by the signed link of `File.previewUrl`. */
export const renditionRoutes: FastifyPluginAsync = async (app) => {
  app.get('/files/:id/preview', async (request, reply) => {
    const { id } = params.parse(request.params);
    const { token, ...wanted } = query.parse(request.query);
    const { ctx, file } = await findPreview(await contextOf(request), id, token);
    const etag = previewEtag(file, wanted);
    const { status, headers } = planDownload({ method: 'HEAD', size: 0, etag, headers: { ifNoneMatch: request.headers['if-none-match'] } });
    if (status === 304) return reply.status(304).headers(headers).send();
    const { bytes, contentType } = await renderPreview(ctx, file, wanted);
    reply.headers(contentHeaders({ name: `${file.name}.webp`, contentType, disposition: 'inline' })).header('etag', etag);
    return reply.send(bytes);
  });
};
