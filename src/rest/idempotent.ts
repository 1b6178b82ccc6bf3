import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { z } from 'zod';
import type { RequestContext } from '../context.js';
import { DomainError } from '../errors.js';
import {
  type Answer,
  AnsweredError,
  digestOf,
  findAnswer,
  InProgressError,
  isAnswered,
  KeyReusedError,
  keepAnswer,
  once,
  requestId,
} from '../idempotency.js';
import { errorAnswer } from './errors.js';
import type { Form } from './form.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** For a route that takes forms: to be called last in the transaction of its effect, with its answer and that one's ETag. */
    keep: ((tx: RequestContext, body: object, etag?: string) => Promise<void>) | null;
  }
  interface FastifyContextConfig {
    /** The operation itself answers a repetition as it answered before; it takes too long to be one transaction. */
    idempotent?: true;
  }
}

const key = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters');
const headers = z.looseObject({
  'idempotency-key': key.optional().meta({ description: 'Sent again with the same request within 24 hours, it has no second effect.' }),
});

/**
 * Makes every POST of this plugin honour `Idempotency-Key`. A route returns its answer and leaves the sending to Fastify;
 * it reaches the database by `request.ctx` alone, which is a transaction's, or has a form and calls `request.keep`.
 */
export function honourKeys(app: FastifyInstance): void {
  app.decorateRequest('keep', null);
  app.addHook('onRoute', (route) => {
    if (route.method !== 'POST' || route.schema?.hide) return;
    const { handler } = route;
    route.schema = { ...route.schema, headers };
    if (route.config?.idempotent) return;
    route.handler = async function (request, reply) {
      const given = request.headers['idempotency-key'];
      if (typeof given !== 'string') return handler.call(this, request, reply);
      const id = requestId(request.ctx, `POST ${request.routeOptions.url}`, given);
      const run = async () => answerOf(reply, await (handler as RouteHandlerMethod).call(this, request, reply));
      const { status, type, body, etag } = request.form ? await streamed(request, request.form, id, run) : await atomic(request, id, run);
      if (etag !== undefined) reply.header('etag', etag);
      return reply.status(status).type(type).send(body);
    };
  });
}

const json = 'application/json; charset=utf-8';

const answerOf = (reply: FastifyReply, body: unknown): Answer => {
  const etag = reply.getHeader('etag');
  return { status: reply.statusCode, type: json, body: JSON.stringify(body), ...(etag !== undefined && { etag: String(etag) }) };
};

/** The whole request in one transaction. */
async function atomic(request: FastifyRequest, id: string, run: () => Promise<Answer>): Promise<Answer> {
  const { ctx } = request;
  const repeatable = { id, fingerprint: digestOf([request.params, request.query, request.body]) };
  try {
    return await once(ctx, repeatable, (tx) => {
      request.ctx = tx;
      return run();
    });
  } catch (error) {
    if (!isFinal(error)) throw error;
    return await once(ctx, repeatable, async () => errorAnswer(error, request));
  } finally {
    request.ctx = ctx;
  }
}

/** What is wrong with the request itself: it would be wrong again. */
const isFinal = (error: unknown): error is DomainError =>
  error instanceof DomainError &&
  error.status < 500 &&
  error.status !== 429 &&
  !(error instanceof KeyReusedError || error instanceof InProgressError);

/** Bytes arrive first, without a transaction; the one that publishes them keeps the answer. What is refused is judged anew. */
async function streamed(request: FastifyRequest, form: Form, id: string, run: () => Promise<Answer>): Promise<Answer> {
  const { ctx } = request;
  const repeatable = async () => ({ id, fingerprint: digestOf([request.params, await form.fingerprint()]) });
  const known = (await isAnswered(ctx, id)) ? await findAnswer(ctx, await repeatable()) : null;
  if (known) return known;
  request.keep = async (tx, body, etag) =>
    keepAnswer(tx, await repeatable(), { status: 201, type: json, body: JSON.stringify(body), ...(etag !== undefined && { etag }) });
  try {
    return await run();
  } catch (error) {
    if (error instanceof AnsweredError) return error.answer;
    throw error;
  }
}
