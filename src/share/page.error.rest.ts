import type { FastifyReply, FastifyRequest } from 'fastify';
import Negotiator from 'negotiator';
import { outsiderContext } from '../http/context.js';
import { answerError, errorHeaders, expectedError } from '../rest/errors.js';
import { errorView, passwordView } from './page.notice.rest.js';
import { sendPage } from './page.shell.rest.js';

/** Browsers name HTML before anything else; whoever takes anything gets JSON. */
export const wantsPage = (request: FastifyRequest): boolean =>
  new Negotiator(request).mediaType(['application/json', 'text/html']) === 'text/html';

/** What stands before our paths when PUBLIC_URL has a path of its own. */
export const basePath = (baseUrl: string): string => new URL(baseUrl).pathname.replace(/\/$/, '');

/** Says on a page what went wrong; a share that needs its password asks for it. */
export function answerErrorPage(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const expected = expectedError(error, request);
  const base = basePath(outsiderContext(request).baseUrl);
  reply.headers({ ...errorHeaders(expected), vary: 'accept' });
  if (expected.code !== 'PASSWORD_REQUIRED') return sendPage(reply, base, errorView(expected));
  return sendPage(reply, base, passwordView(`${base}/s/${tokenOf(request)}`, expected.status, null));
}

/** The same to browsers, JSON to everyone else. */
export function answerErrorByAccept(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  reply.headers({ vary: 'accept', 'cache-control': 'no-store' });
  return wantsPage(request) ? answerErrorPage(error, request, reply) : answerError(error, request, reply);
}

function tokenOf({ params, query }: FastifyRequest): string {
  const { token } = { ...Object(query), ...Object(params) };
  return encodeURIComponent(String(token));
}
