import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { expect } from 'vitest';
import { type Authenticate, createAuthenticator } from '../src/auth/authenticate.js';
import type { JwtKey } from '../src/env.js';
import { tokenInvalid } from '../src/errors.js';

export const issuer = 'https://id.example.com/';
export const audience = 'docgate';
export const secret = 'a secret of thirty-two bytes or more';
export const userId = '7d6f3c58-2f0e-4a8e-9a33-0c4a5b1e2f10';
export const tenantId = '0f8fad5b-d9cb-469f-a165-70867728950e';
export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

export const pem = (key: KeyObject, type: 'spki' | 'pkcs1' = 'spki') => key.export({ format: 'pem', type }).toString();
export const withKey = (key: JwtKey) => createAuthenticator({ key, issuer, audience });
export const bySecret = withKey({ kind: 'secret', secret });
export const byRsa = withKey({ kind: 'publicKey', pem: pem(rsa.publicKey) });
export const byEc = withKey({ kind: 'publicKey', pem: pem(ec.publicKey) });

export const now = () => Math.floor(Date.now() / 1000);
export const goodClaims = () => ({ iss: issuer, aud: audience, sub: userId, tenant_id: tenantId, iat: now(), exp: now() + 60 });
export const base64url = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export type Sign = (text: string) => Buffer;
export const hs256 =
  (key: string | Buffer = secret): Sign =>
  (text) =>
    createHmac('sha256', key).update(text).digest();
export const rs256 =
  (key: KeyObject = rsa.privateKey): Sign =>
  (text) =>
    sign('sha256', Buffer.from(text), key);
export const es256 =
  (key: KeyObject = ec.privateKey): Sign =>
  (text) =>
    sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });

/** Without a library, so that nothing stands in the way of a bad token. A string goes in as it is. */
export function forge(claims: unknown = goodClaims(), header: unknown = { alg: 'HS256', typ: 'JWT' }, signed: Sign = hs256()): string {
  const text = `${base64url(header)}.${base64url(claims)}`;
  return `${text}.${signed(text).toString('base64url')}`;
}
export const withClaims = (claims: object) => forge({ ...goodClaims(), ...claims });
export const withHeader = (header: object) => forge(goodClaims(), { alg: 'HS256', typ: 'JWT', ...header });
export const without = (claim: string) => forge(Object.fromEntries(Object.entries(goodClaims()).filter(([name]) => name !== claim)));

/** One answer for everything: whoever tries cannot learn which check stopped him. */
export async function expectRefused(authorization: string, authenticate: Authenticate = bySecret) {
  const error = await authenticate(authorization).then(
    () => expect.fail(`accepted: ${authorization}`),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: 'TOKEN_INVALID', status: 401, message: tokenInvalid().message, cause: expect.anything() });
  expect(Object.keys(error as object).sort()).toEqual(Object.keys(tokenInvalid()).sort());
}
