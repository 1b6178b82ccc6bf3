import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { contextOf } from '../http/context.js';
import { findDownload } from './download.service.js';
import { sendFile } from './send.rest.js';

const params = z.object({ id: z.string() });
const query = z.object({ token: z.string().optional(), disposition: z.enum(['inline', 'attachment']).optional().catch(undefined) });

/** `GET /files/{id}`: the bytes of a file, by bearer token or by the signed link of `File.downloadUrl`. */
export const fileRoutes: FastifyPluginAsync = async (app) => {
  app.get('/files/:id', async (request, reply) => {
    const { id } = params.parse(request.params);
    const { token, disposition } = query.parse(request.query);
    const download = await findDownload(await contextOf(request), id, token, disposition);
    return sendFile(request, reply, download);
  });
};
