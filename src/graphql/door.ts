import { isUtf8 } from 'node:buffer';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../errors.js';
import { contextOf } from '../http/context.js';
import { maskError } from './mask.js';
import { answerPost } from './post.js';
import type { TrustedDocuments } from './trusted.js';
import { createGraphqlHandler, type GraphiqlTabs } from './yoga.js';

const MAX_BODY = 1024 * 1024;

interface DoorOptions {
  graphiql: GraphiqlTabs | null;
  /** Whether queries may be planned; see plan/. */
  plan: boolean;
  /** The only operations that are answered; null: all are. */
  trusted: TrustedDocuments | null;
}

/** `/graphql` on the HTTP host: operations by POST and GET, uploads by multipart, GraphiQL for browsers. */
export const graphqlDoor: FastifyPluginAsync<DoorOptions> = async (app, { graphiql, plan, trusted }) => {
  const yoga = createGraphqlHandler(graphiql, trusted);
  app.removeAllContentTypeParsers();
  // Yoga reads the body: from memory when it is small, from the socket when it is an upload.
  app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null));
  // Nothing else: a form of another site can send text/plain and urlencoded bodies without a preflight.
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: MAX_BODY }, utf8);
  app.setErrorHandler(answerError);
  app.route({
    method: ['GET', 'POST'],
    url: '/graphql',
    handler: async (request, reply) => {
      const docgate = await contextOf(request);
      const { 'content-type': contentType, accept } = request.headers;
      const answer =
        request.method === 'POST'
          ? await answerPost({ contentType, accept, body: request.body }, docgate, { mayPlan: plan, trusted })
          : null;
      if (docgate.hints.retryAfter) reply.header('retry-after', docgate.hints.retryAfter);
      if (answer) return reply.header('content-type', answer.contentType).send(answer.body);
      const url = new URL(request.url, docgate.baseUrl);
      const headers = new Headers(Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]));
      const response = await yoga.fetch(
        url.href,
        { method: request.method, headers, body: Buffer.isBuffer(request.body) ? new Uint8Array(request.body) : undefined },
        { docgate, req: request.raw, res: reply.raw },
      );
      for (const [name, value] of response.headers) reply.header(name, value);
      if (docgate.hints.retryAfter) reply.header('retry-after', docgate.hints.retryAfter);
      drain(request);
      return reply.status(response.status).send(Buffer.from(await response.arrayBuffer()));
    },
  });
};

async function utf8(request: FastifyRequest, body: Buffer): Promise<Buffer> {
  const [, charset] = /;\s*charset="?([^";]*)/i.exec(request.headers['content-type'] ?? '') ?? [];
  if (charset !== undefined && !/^utf-?8$/i.test(charset.trim()))
    throw new DomainError('UNSUPPORTED_MEDIA_TYPE', 'Send the body in UTF-8.');
  // The parser would put U+FFFD for what it cannot read, and it would be stored.
  if (!isUtf8(body)) throw new DomainError('BAD_REQUEST', 'The body is not valid UTF-8.');
  return body;
}

/** What nobody read of an upload: a client that is still sending would never come to read the answer. */
function drain({ raw }: FastifyRequest): void {
  if (raw.readableEnded || raw.destroyed) return;
  raw.unpipe();
  raw.resume();
}

/** What fails before GraphQL begins answers in GraphQL's own shape all the same. */
function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const known = error instanceof DomainError ? error : hostError(error);
  const masked = maskError(known ?? error, { requestId: request.id, log: request.log });
  return reply.status(known?.status ?? 500).send({ errors: [masked] });
}

/** What the HTTP host itself refuses, such as a body that is too large. */
function hostError(error: unknown): DomainError | null {
  if (!(error instanceof Error && 'statusCode' in error)) return null;
  if (error.statusCode === 413)
    return new DomainError('PAYLOAD_TOO_LARGE', `The body is larger than ${MAX_BODY} bytes. Send files as multipart.`);
  if (error.statusCode === 415) return new DomainError('UNSUPPORTED_MEDIA_TYPE', 'Send application/json or multipart/form-data.');
  return typeof error.statusCode === 'number' && error.statusCode < 500 ? new DomainError('BAD_REQUEST', error.message) : null;
}
