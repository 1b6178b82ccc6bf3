import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConflictError, DomainError, type FieldIssue, RateLimitedError, unavailable, ValidationError } from '../errors.js';
import { isOutage } from '../faults.js';
import { InProgressError } from '../idempotency.js';
import { versionOf } from './etag.js';
import { InvalidPage } from './pages.js';
import { wireName, wirePart } from './wire.js';

type Body = Record<string, unknown>;

/** What the contract's clients know by heart, whatever the reason was. */
const fixed: Partial<Record<DomainError['code'], Body>> = {
  UNAUTHENTICATED: { detail: 'Authentication credentials were not provided.' },
  TOKEN_INVALID: { detail: 'Given token not valid for any token type', code: 'token_not_valid' },
  FORBIDDEN: { detail: 'You do not have permission to perform this action.' },
  NOT_FOUND: { detail: 'Not found.' },
};

const codes: Partial<Record<DomainError['code'], string>> = {
  CONFLICT: 'conflict',
  GONE: 'gone',
  NOT_YET: 'not_yet',
  NO_PREVIEW: 'no_preview',
  PASSWORD_REQUIRED: 'password_required',
  FILE_INFECTED: 'file_infected',
};

/** Answers an error as the contract's clients parse it. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const expected = failedPrecondition(expectedError(error, request), request);
  reply.headers(errorHeaders(expected));
  const { status, type, body } = errorAnswer(expected, request);
  return reply.status(status).type(type).send(body);
}

/** An expected error as status, media type and body. */
export function errorAnswer(error: DomainError, request: FastifyRequest) {
  const body = bodyOf(error);
  const asked = request.headers.accept?.includes('application/problem+json');
  return {
    status: error.status,
    type: asked ? 'application/problem+json' : 'application/json; charset=utf-8',
    body: JSON.stringify(asked ? problem(error, body, request) : body),
  };
}

/** What goes with an error, however its body looks. */
export function errorHeaders(error: DomainError) {
  const seconds = retryAfter(error);
  return { ...(error.status === 401 && { 'www-authenticate': 'Bearer' }), ...(seconds !== null && { 'retry-after': seconds }) };
}

/** Seconds after which a client may try again. */
function retryAfter(error: DomainError): number | null {
  if (error instanceof RateLimitedError) return error.retryAfter;
  if (error instanceof InProgressError) return 1;
  return error.code === 'RATE_LIMITED' ? 60 : error.code === 'UNAVAILABLE' ? 5 : null;
}

/** The error as it may be shown. What is not expected is logged once and masked. */
export function expectedError(error: unknown, request: FastifyRequest): DomainError {
  if (error instanceof DomainError) return error;
  if (isOutage(error)) {
    request.log.error({ err: error }, 'the database is out of reach');
    return unavailable('The service is not available at the moment. Try again shortly.');
  }
  const ofHost = hostError(error, request);
  if (ofHost) return ofHost;
  request.log.error({ err: error }, 'fault');
  return new DomainError('INTERNAL', `Something went wrong on our side. Quote the request id ${request.id}.`);
}

/** What Fastify itself refuses before a route is asked. */
function hostError(error: unknown, request: FastifyRequest): DomainError | null {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : 500;
  if (status === 413) return new DomainError('PAYLOAD_TOO_LARGE', 'The body is larger than 1 MiB. Send less.');
  if (status === 415) {
    const type = request.headers['content-type'] ?? '';
    return new DomainError('UNSUPPORTED_MEDIA_TYPE', `Unsupported media type "${type}" in request.`);
  }
  if (status === 404) return new DomainError('NOT_FOUND', 'Not found.');
  return typeof status === 'number' && status < 500 ? new DomainError('BAD_REQUEST', 'The request cannot be read. Check it.') : null;
}

/** A version that came as If-Match fails as a precondition, one that a transition met as a conflict. */
function failedPrecondition(error: DomainError, request: FastifyRequest): DomainError {
  if (!(error instanceof ConflictError) || error.currentVersion === null) return error;
  const expected = versionOf(request.headers['if-match']);
  if (expected === undefined || expected === error.currentVersion) return error;
  return new DomainError('PRECONDITION_FAILED', 'The object changed meanwhile: If-Match names another version. Read it again and retry.');
}

function bodyOf(error: DomainError): Body {
  if (error instanceof ValidationError) return fieldErrors(error.fields);
  if (error instanceof InvalidPage) return { detail: error.message };
  const code = codes[error.code];
  return fixed[error.code] ?? { detail: error.message, ...(code && { code }) };
}

function fieldErrors(issues: FieldIssue[]): Body {
  const fields = new Map<string, Set<string>>();
  for (const { path, message } of issues) {
    const name = wireName(path);
    const part = wirePart(path);
    const said = part === '' ? message : `${part}: ${message}`;
    fields.set(name, (fields.get(name) ?? new Set()).add(said));
  }
  return Object.fromEntries([...fields].map(([name, said]) => [name, [...said]]));
}

/** RFC 9457. */
const problem = (error: DomainError, body: Body, request: FastifyRequest) => ({
  type: 'about:blank',
  title: error.code.toLowerCase().replaceAll('_', ' '),
  status: error.status,
  detail: error.message,
  instance: `urn:request:${request.id}`,
  code: error.code,
  ...(error instanceof ValidationError && { errors: body }),
});
