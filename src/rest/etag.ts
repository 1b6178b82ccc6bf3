import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../errors.js';

/** The version that an If-Match asks for; undefined where there is none or any will do. @throws PRECONDITION_FAILED for what is no tag of ours */
export function expectedVersion(request: FastifyRequest): number | undefined {
  const tag = request.headers['if-match']?.trim();
  if (tag === undefined || tag === '*') return undefined;
  const version = versionOf(tag);
  if (version === undefined) throw new DomainError('PRECONDITION_FAILED', 'If-Match is not an ETag of this object. Send the one you got.');
  return version;
}

/** The version in a tag of ours; undefined for any other. */
export function versionOf(tag: string | undefined): number | undefined {
  const digits = /^"(\d{1,9})"$/.exec(tag?.trim() ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export const versionTag = (version: number): string => `"${version}"`;

/** Answers an object with its version as ETag; 304 when the client has it already. */
export function sendVersioned(request: FastifyRequest, reply: FastifyReply, version: number, body: object) {
  const tag = versionTag(version);
  reply.header('etag', tag).header('cache-control', 'private, no-cache');
  const known = request.headers['if-none-match']?.split(',').map((part) => part.trim().replace(/^W\//, ''));
  if (request.method === 'GET' && !hasExpansion(request) && known?.some((name) => name === tag || name === '*'))
    return reply.status(304).send();
  return reply.send(body);
}

/** A new object, with its version as ETag: its creator can change it without reading it again. */
export function created<Body extends object>(reply: FastifyReply, version: number, body: Body): Body {
  reply.status(201).header('etag', versionTag(version));
  return body;
}

/** What is expanded has versions of its own. */
const hasExpansion = ({ query }: FastifyRequest) => typeof query === 'object' && query !== null && 'expand' in query;
