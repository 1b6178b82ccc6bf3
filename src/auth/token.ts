import { createSecretKey } from 'node:crypto';
import jwt from 'jsonwebtoken';
import type { Role } from './viewer.js';

export interface TokenInput {
  issuer: string;
  audience: string;
  /** UUID; becomes `sub`. */
  userId: string;
  /** UUID; becomes `tenant_id`. */
  tenantId: string;
  roles?: readonly Role[];
  /** Scopes with spaces between: "documents:read shares:read". */
  scope?: string;
  /** Whole seconds from now; negative for a token that has expired. */
  expiresIn: number;
}

/**
 * A bearer token (HS256) for the demo start screen and for tests; in production the issuer makes them.
 * @throws Error from jsonwebtoken when `expiresIn` is not a whole number
 */
export function signToken(secret: string, { issuer, audience, userId, tenantId, roles, scope, expiresIn }: TokenInput): string {
  const options = { algorithm: 'HS256', issuer, audience, subject: userId, expiresIn } as const;
  return jwt.sign({ tenant_id: tenantId, roles, scope }, createSecretKey(Buffer.from(secret)), options);
}
