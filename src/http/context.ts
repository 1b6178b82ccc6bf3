import type { FastifyRequest } from 'fastify';
import type { Authenticate } from '../auth/authenticate.js';
import type { Viewer } from '../auth/viewer.js';
import { createContext, type RequestContext, type Services } from '../context.js';
import { clientOf } from './client.js';

/** What a request needs of the process to become a RequestContext. */
export interface HttpServices {
  services: Services;
  authenticate: Authenticate;
  /** Null: made from the request's host. */
  publicUrl: string | null;
}

declare module 'fastify' {
  interface FastifyInstance {
    docgate: HttpServices;
  }
  interface FastifyRequest {
    /** Set on routes that ask for a bearer token. */
    ctx: RequestContext;
  }
}

/** Who asks and what for. Throws TOKEN_INVALID for a bad bearer token; no token at all is an outsider. */
export async function contextOf(request: FastifyRequest): Promise<RequestContext> {
  return makeContext(request, await request.server.docgate.authenticate(request.headers.authorization));
}

/** For doors that need no bearer token and take no notice of one. */
export const outsiderContext = (request: FastifyRequest): RequestContext => makeContext(request, null);

function makeContext(request: FastifyRequest, viewer: Viewer | null): RequestContext {
  const { services, publicUrl } = request.server.docgate;
  return createContext(services, {
    requestId: request.id,
    viewer,
    log: request.log,
    client: clientOf(request),
    baseUrl: publicUrl ?? `${request.protocol}://${request.host}`,
  });
}
