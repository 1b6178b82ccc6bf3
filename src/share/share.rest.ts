import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { sendFile } from '../file/send.rest.js';
import { outsiderContext } from '../http/context.js';
import { grantOf } from './grant.rest.js';
import { chargeDownload, openSharedFile } from './open.service.js';
import { answerErrorByAccept } from './page.error.rest.js';

const params = z.object({ token: z.string(), id: z.string() });
const query = z.object({ grant: z.string().optional() });

/** `GET /s/{token}/files/{id}`: a file of a share, without a bearer token. */
export const shareRoutes: FastifyPluginAsync = async (app) => {
  app.setErrorHandler(answerErrorByAccept);
  app.get('/s/:token/files/:id', async (request, reply) => {
    const { token, id } = params.parse(request.params);
    const { grant } = query.parse(request.query);
    const { ctx, share, file } = await openSharedFile(outsiderContext(request), token, id, grant ?? grantOf(request));
    return sendFile(request, reply, { ctx, file, disposition: 'attachment', beforeBytes: () => chargeDownload(ctx, share) });
  });
};
