import { GraphQLError } from 'graphql';
import type { Log } from '../context.js';
import { DomainError, unavailable, ValidationError } from '../errors.js';
import { isOutage } from '../faults.js';
import { withoutLiterals } from './quiet.js';

interface Request {
  requestId: string;
  log: Log;
}

/**
 * What a client may know of an error. Expected ones show their code; what is wrong with the operation itself is told as
 * GraphQL tells it; anything else is a fault: logged once, and masked with the id of the request.
 */
export function maskError(error: unknown, { requestId, log }: Request): GraphQLError {
  const cause = error instanceof GraphQLError ? error.originalError : error;
  if (cause instanceof DomainError) return expected(error, cause);
  if (isOutage(cause)) {
    log.error({ err: cause }, 'the database is out of reach');
    return expected(error, unavailable('The service is not available at the moment. Try again shortly.'));
  }
  if (error instanceof GraphQLError && isClientsOwn(error)) return withoutLiterals(withoutOriginal(error));
  log.error({ err: cause ?? error }, 'fault');
  return new GraphQLError(`Something went wrong on our side. Quote the request id ${requestId}.`, {
    ...place(error),
    extensions: { code: 'INTERNAL', requestId },
  });
}

function expected(error: unknown, cause: DomainError): GraphQLError {
  const code = cause.code === 'TOKEN_INVALID' ? 'UNAUTHENTICATED' : cause.code;
  const fields = cause instanceof ValidationError ? { fields: cause.fields } : {};
  // Yoga takes the HTTP status from here and removes it.
  const http = error instanceof GraphQLError && error.extensions.http ? { http: error.extensions.http } : {};
  return new GraphQLError(cause.message, { ...place(error), extensions: { code, ...fields, ...http } });
}

/** Syntax, validation and variables fail before execution, hence without a path. */
const isClientsOwn = (error: GraphQLError) => error.originalError === undefined || error.path === undefined;

/** Yoga tells how its JSON parser failed, in a form of its own; a body that cannot be read is a bad request for every media type. */
function withoutOriginal(error: GraphQLError): GraphQLError {
  const { originalError, http, ...extensions } = error.extensions;
  if (!originalError) return error;
  return new GraphQLError(error.message, { ...place(error), extensions: { ...extensions, http: { status: 400 } } });
}

const place = (error: unknown) =>
  error instanceof GraphQLError ? { nodes: error.nodes, positions: error.positions, path: error.path } : {};
