import { Readable } from 'node:stream';
import { ByteLengthQueuingStrategy } from 'node:stream/web';
import { Server } from '@tus/server';
import { type Locker, TUS_RESUMABLE } from '@tus/utils';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { RequestContext } from '../context.js';
import { DomainError } from '../errors.js';
import { outsiderContext } from '../http/context.js';
import { answerError, expectedError } from '../rest/errors.js';
import { getOrderedUpload } from './append.service.js';
import { UploadBusyError } from './lease.js';
import { createTusLocks } from './tus.locks.rest.js';
import { TusStore } from './tus.store.rest.js';
import { getUpload } from './upload.service.js';
import { wireUpload } from './wire.rest.js';

const PATH = '/uploads';
/** What is held of a body that the store is slower to take, in bytes. */
const HELD = 256 * 1024;
/** How long a request goes on when another wants its upload, in milliseconds. */
const DRAIN = 500;

const params = z.object({ id: z.string().optional() });

/**
 * The tus protocol (https://tus.io/protocols/resumable-upload), beside the uploads in parts that it shares its rows with:
 * `POST /uploads/` creates, `HEAD` and `PATCH /uploads/{id}/` resume. GET and DELETE there are those of REST.
 */
export const tusRoutes: FastifyPluginAsync = async (app) => {
  const locker = createTusLocks();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  const schema = { hide: true };
  const handler = (request: FastifyRequest, reply: FastifyReply) => answer(request, reply, request.ctx, locker);
  app.post(`${PATH}/`, { schema }, handler);
  app.patch(`${PATH}/:id/`, { schema }, handler);
  app.head(`${PATH}/:id/`, { schema }, (request, reply) =>
    request.headers['tus-resumable'] === undefined ? headOfRest(request) : handler(request, reply),
  );
};

/** As GET has it: Fastify leaves the body out. */
async function headOfRest({ ctx, params: given }: FastifyRequest): Promise<object> {
  const { id = '' } = params.parse(given);
  return wireUpload(ctx, await getUpload(ctx, id));
}

/** What the protocol can do here, for whoever asks; nobody needs a token for that. */
export const tusDiscovery: FastifyPluginAsync = async (app) => {
  const locker = createTusLocks();
  const allow = 'POST, OPTIONS';
  app.options(`${PATH}/`, { schema: { hide: true } }, (request, reply) =>
    answer(request, reply.header('allow', allow), outsiderContext(request), locker),
  );
};

/** Requests of tus are answered with its version. */
export async function echoTus(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (request.headers['tus-resumable'] !== undefined) reply.header('tus-resumable', TUS_RESUMABLE);
}

/** The library speaks the protocol; one of its servers for each request knows who asks. Errors leave as all of REST do. */
async function answer(request: FastifyRequest, reply: FastifyReply, ctx: RequestContext, locker: Locker) {
  let failure: Error | undefined;
  const { id } = params.parse(request.params);
  const server = new Server({
    path: PATH,
    datastore: new TusStore(ctx),
    locker,
    lockDrainTimeout: DRAIN,
    // Announced to who asks; what is created obeys the limit of the service, and hears of it as over other doors.
    maxSize: (_, upload) => (upload === null ? ctx.services.limits.maxFileSize : 0),
    getFileIdFromRequest: () => id,
    generateUrl: (_, created) => `${ctx.baseUrl}${PATH}/${created.id}/`,
    // Before the lock: who may not see an upload must not be able to hold it up.
    onIncomingRequest: async () => {
      if (id !== undefined) await getOrderedUpload(ctx, id);
    },
    onResponseError: (_, error) => {
      if (error instanceof Error && !('status_code' in error)) failure = error;
      return undefined;
    },
  });
  const response = await server.handleWeb(webRequest(request));
  discardRest(request);
  if (failure) return answerError(asTus(failure, request), request, reply.header('tus-resumable', TUS_RESUMABLE));
  return send(response, reply);
}

function webRequest({ raw, url, method, headers }: FastifyRequest): Request {
  const single = Object.entries(headers).flatMap(([name, value]): [string, string][] => (typeof value === 'string' ? [[name, value]] : []));
  const strategy = new ByteLengthQueuingStrategy({ highWaterMark: HELD });
  const body = method === 'POST' || method === 'PATCH' ? (Readable.toWeb(raw, { strategy }) as ReadableStream) : null;
  return new Request(new URL(url, 'http://localhost'), { method, headers: single, body, duplex: 'half' } as RequestInit);
}

/** Reads on, to nowhere: the connection of a client that is still sending would never be free again. */
function discardRest({ raw }: FastifyRequest): void {
  if (raw.readableEnded || raw.destroyed) return;
  // The web stream's own, which stops reading when its queue is full.
  raw.removeAllListeners('data');
  raw.resume();
}

/**
 * Clients of tus take any refusal of HEAD but 423 for the loss of the upload, and begin anew: what passes is 423 there.
 */
function asTus(error: Error, request: FastifyRequest): Error {
  if (error instanceof UploadBusyError) return new DomainError('LOCKED', error.message);
  const { code, message } = request.method === 'HEAD' ? expectedError(error, request) : { code: null, message: '' };
  return code === 'UNAVAILABLE' ? new DomainError('LOCKED', message) : error;
}

async function send(response: Response, reply: FastifyReply) {
  const text = await response.text();
  reply.status(response.status);
  for (const [name, value] of response.headers) {
    // CORS is the application's affair. A client that is still sending reads a refusal only while its connection lives.
    const isOurs =
      name.startsWith('access-control-') ||
      name === 'content-length' ||
      (name === 'connection' && response.status >= 400) ||
      (name === 'content-type' && text === '');
    if (!isOurs) reply.header(name, value);
  }
  return response.status >= 400
    ? reply.type('application/json; charset=utf-8').send(JSON.stringify({ detail: text.trim() }))
    : reply.send(text);
}
