import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../errors.js';
import { isOutage } from '../faults.js';

/** Answers an error as the contract's clients parse it. What is not expected is logged once and masked. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  if (error instanceof DomainError) {
    if (error.status === 401) reply.header('www-authenticate', 'Bearer');
    return reply.status(error.status).send({ detail: error.message });
  }
  if (isOutage(error)) {
    request.log.error({ err: error }, 'the database is out of reach');
    return reply.status(503).header('retry-after', '5').send({ detail: 'The service is not available at the moment. Try again shortly.' });
  }
  request.log.error({ err: error }, 'fault');
  return reply.status(500).send({ detail: `Something went wrong on our side. Quote the request id ${request.id}.` });
}
