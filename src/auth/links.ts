import jwt from 'jsonwebtoken';
import { z } from 'zod';

const ISSUER = 'docgate links';

/** What a link may be good for; one made for one purpose is never accepted for another. */
export type LinkPurpose = 'download' | 'preview' | 'share password' | 'upload part';

/**
 * Signs the claims of a link that works without a bearer token for a short time.
 *
 * @param keys the first signs
 * @param expiresIn in seconds
 */
export const signLink = (keys: Buffer[], purpose: LinkPurpose, claims: Record<string, string>, expiresIn: number): string =>
  jwt.sign(claims, first(keys), { algorithm: 'HS256', issuer: ISSUER, audience: purpose, expiresIn });

/** The claims of a link that some key signed for this purpose and that has not expired; null otherwise. */
export function verifyLink<Claims>(keys: Buffer[], purpose: LinkPurpose, schema: z.ZodType<Claims>, link: string): Claims | null {
  for (const key of keys) {
    try {
      return schema.parse(jwt.verify(link, key, { algorithms: ['HS256'], issuer: ISSUER, audience: purpose }));
    } catch (error) {
      if (!(error instanceof jwt.JsonWebTokenError || error instanceof z.ZodError)) throw error;
    }
  }
  return null;
}

function first(keys: Buffer[]): Buffer {
  const [key] = keys;
  if (!key) throw new Error('no key to sign links with');
  return key;
}
