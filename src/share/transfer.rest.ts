import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { sendFile } from '../file/send.rest.js';
import { contentHeaders } from '../file/serve.js';
import { sendWatched } from '../file/watch.rest.js';
import { zipOf } from '../file/zip.service.js';
import { outsiderContext } from '../http/context.js';
import { renderPreview } from '../rendition/rendition.service.js';
import { grantOf } from './grant.rest.js';
import {
  type OpenedShare,
  openSharedFile,
  openSharedPreview,
  openSharedZip,
  type SharedFile,
  transferFile,
  transferZip,
} from './open.service.js';
import { answerErrorByAccept } from './page.error.rest.js';
import { allSettled } from './transfer.service.js';

const zipParams = z.object({ token: z.string() });
const params = z.object({ token: z.string(), id: z.string() });
const query = z.object({ grant: z.string().optional() });

const previewQuery = query.extend({
  page: z.coerce.number().optional().catch(Number.NaN),
  width: z.coerce.number().optional().catch(Number.NaN),
});

/** `GET /s/{token}/files/{id}`, at `/preview` its pictures, and `/s/{token}/files.zip`: the files of a share, without a bearer token. */
export const transferRoutes: FastifyPluginAsync = async (app) => {
  app.setErrorHandler(answerErrorByAccept);
  app.addHook('onClose', async () => void (await allSettled()));
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
    return sendSharedFile(request, reply, await openSharedFile(outsiderContext(request), token, id, grant ?? grantOf(request)));
  });
  app.get('/s/:token/files.zip', async (request, reply) => {
    const { token } = zipParams.parse(request.params);
    const { grant } = query.parse(request.query);
    return sendSharedZip(request, reply, await openSharedZip(outsiderContext(request), token, grant ?? grantOf(request)));
  });
};

/** Sends a file of a share, charged as its first byte is due and given back if it breaks off. */
export const sendSharedFile = (request: FastifyRequest, reply: FastifyReply, shared: SharedFile) =>
  sendFile(request, reply, {
    ctx: shared.ctx,
    file: shared.file,
    disposition: 'attachment',
    beforeBytes: (length) => transferFile(shared, length),
  });

/** The same for all files of a share as one archive, which is one download. */
export async function sendSharedZip(request: FastifyRequest, reply: FastifyReply, shared: OpenedShare) {
  const name = `${shared.document.name}.zip`;
  reply.headers(contentHeaders({ name, contentType: 'application/zip', disposition: 'attachment' }));
  if (request.method === 'HEAD') return reply.send();
  return sendWatched(reply, await transferZip(shared), () => zipOf(shared.ctx, shared.files));
}
