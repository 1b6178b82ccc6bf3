import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { DomainError } from '../errors.js';
import { outsiderContext } from '../http/context.js';
import { receivePart } from './part.service.js';

const params = z.object({ id: z.string(), part: z.string() });
const query = z.object({ token: z.string().catch('') });

/** `PUT /uploads/{id}/parts/{n}?token=`: where the parts of storages go that clients cannot reach. The link is the right. */
export const partRoutes: FastifyPluginAsync = async (app) => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.put('/uploads/:id/parts/:part', { schema: { hide: true } }, async (request, reply) => {
    const { id, part } = params.parse(request.params);
    const { token } = query.parse(request.query);
    const size = Number(request.headers['content-length']);
    if (!Number.isSafeInteger(size)) throw new DomainError('BAD_REQUEST', 'Send the part with Content-Length.');
    const { etag } = await receivePart(outsiderContext(request), id, part, { token, body: request.raw, size });
    return reply.header('etag', `"${etag}"`).status(200).send();
  });
};
