import { parseCookie, stringifySetCookie } from 'cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { basePath } from './page.error.rest.js';

const NAME = 'docgate_grant';

/** What the right password of a share left in the browser, so that no address holds it. */
export const grantOf = (request: FastifyRequest): string | undefined => parseCookie(request.headers.cookie ?? '')[NAME];

/** Sent back to this share's own paths alone, never to a script, never from another site. Ends with the browser. */
export function keepGrant(reply: FastifyReply, baseUrl: string, token: string, grant: string): void {
  const cookie = stringifySetCookie(NAME, grant, {
    path: `${basePath(baseUrl)}/s/${token}`,
    httpOnly: true,
    sameSite: 'strict',
    secure: baseUrl.startsWith('https:'),
  });
  reply.header('set-cookie', cookie);
}
