import jwt from 'jsonwebtoken';
import { z } from 'zod';
import type { VerifyKey } from './keys.js';
import { roles, type Scope, scopes, type Viewer } from './viewer.js';

/** How far the issuer's clock may be from ours, in seconds. */
const clockTolerance = 5;
const maxHeaderLength = 8 * 1024;

const bearer = /^Bearer +([\w-]+\.[\w-]+\.([\w-]+))$/i;

/** The token in an Authorization header. @throws Error when it is not the only and well-formed one */
export function bearerToken(authorization: string): string {
  if (authorization.length > maxHeaderLength) throw new Error(`longer than ${maxHeaderLength} bytes`);
  const [, token, signature] = bearer.exec(authorization) ?? [];
  if (!token || !signature) throw new Error('not of the form "Bearer header.payload.signature"');
  // The last character has bits to spare, so that one signature could be written in several ways.
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) throw new Error('the signature is not canonical base64url');
  return token;
}

/** `jwk`, `jku`, `x5c` and the like are never read: keys come from the configuration alone. */
export const headerSchema = z.object({
  alg: z.string(),
  typ: z
    .string()
    .regex(/^(application\/)?(at\+)?jwt$/i)
    .optional(),
  kid: z.string().min(1).max(256).optional(),
  crit: z.never().optional(),
});

/** Seconds since 1970 up to the year 9999, which refuses milliseconds: such a token would live for 50 000 years. */
const instant = z.number().nonnegative().max(253_402_300_799);
const past = instant.refine((at) => at <= Date.now() / 1000 + clockTolerance, 'in the future');
const nil = '00000000-0000-0000-0000-000000000000';
/** The nil UUID is what an unset id looks like: it would put all of an issuer's broken tokens into one tenant. */
const uuid = z
  .guid()
  .toLowerCase()
  .refine((id) => id !== nil, 'the nil UUID');

const claimsSchema = z.object({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: instant,
  iat: past.optional(),
  nbf: instant.optional(),
  jti: z.string().optional(),
  sub: uuid,
  tenant_id: uuid,
  scope: z.string().optional(),
  roles: z.union([z.string(), z.array(z.string()).max(20)]).optional(),
});

/** Whom a token names, once its signature and every claim hold. @throws Error, of many kinds, when one does not */
export function readToken(
  token: string,
  { key, algorithm }: VerifyKey,
  { issuer, audience }: { issuer: string; audience: string },
): Viewer {
  const { header, payload } = jwt.verify(token, key, { algorithms: [algorithm], issuer, audience, clockTolerance, complete: true });
  headerSchema.parse(header);
  const claims = claimsSchema.parse(payload);
  return { userId: claims.sub, tenantId: claims.tenant_id, scopes: allowedScopes(claims) };
}

// Maps, not objects: names such as "constructor" must lead nowhere.
const scopeByName = new Map<string, Scope>(scopes.map((scope) => [scope, scope]));
const scopesByRole = new Map<string, readonly Scope[]>(Object.entries(roles));

function allowedScopes({ scope = '', roles = [] }: z.infer<typeof claimsSchema>): Set<Scope> {
  const allowed = new Set<Scope>();
  for (const name of scope.split(' ')) {
    const known = scopeByName.get(name);
    if (known) allowed.add(known);
  }
  for (const role of typeof roles === 'string' ? [roles] : roles) {
    for (const bundled of scopesByRole.get(role) ?? []) allowed.add(bundled);
  }
  return allowed;
}
