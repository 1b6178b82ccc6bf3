import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Authenticate, createAuthenticator } from '../src/auth/authenticate.js';
import type { JwtKey } from '../src/env.js';
import {
  audience,
  base64url,
  byEc,
  byRsa,
  bySecret,
  ec,
  es256,
  expectRefused,
  forge,
  goodClaims,
  hs256,
  issuer,
  otherRsa,
  pem,
  rs256,
  rsa,
  secret,
  tenantId,
  userId,
  withKey,
} from './auth.tokens.js';

describe('the algorithm follows the configured key', () => {
  const es = { alg: 'ES256', typ: 'JWT' };
  const rs = { alg: 'RS256', typ: 'JWT' };
  const hs = { alg: 'HS256', typ: 'JWT' };
  test.each<[string, Authenticate, string]>([
    ['HS256', bySecret, forge()],
    ['RS256', byRsa, forge(goodClaims(), rs, rs256())],
    ['RS256, PKCS #1 PEM', withKey({ kind: 'publicKey', pem: pem(rsa.publicKey, 'pkcs1') }), forge(goodClaims(), rs, rs256())],
    [
      'RS256, PEM in one line',
      withKey({ kind: 'publicKey', pem: pem(rsa.publicKey).replaceAll('\n', '\\n') }),
      forge(goodClaims(), rs, rs256()),
    ],
    ['ES256', byEc, forge(goodClaims(), es, es256())],
  ])('%s', async (_, authenticate, token) => {
    expect(await authenticate(`Bearer ${token}`)).toMatchObject({ userId, tenantId });
  });

  const spki = pem(rsa.publicKey);
  const jwk = otherRsa.publicKey.export({ format: 'jwk' });
  test.each<[string, Authenticate, string]>([
    ['HS256 with the PEM as the secret', byRsa, forge(goodClaims(), hs, hs256(spki))],
    ['HS256 with the trimmed PEM as the secret', byRsa, forge(goodClaims(), hs, hs256(spki.trim()))],
    ['HS256 with the PKCS #1 PEM as the secret', byRsa, forge(goodClaims(), hs, hs256(pem(rsa.publicKey, 'pkcs1')))],
    ['HS256 with the DER as the secret', byRsa, forge(goodClaims(), hs, hs256(rsa.publicKey.export({ format: 'der', type: 'spki' })))],
    ['HS256 with the EC PEM as the secret', byEc, forge(goodClaims(), hs, hs256(pem(ec.publicKey)))],
    ['HS256 bytes under alg RS256', byRsa, forge(goodClaims(), rs, hs256(spki))],
    ['RS256 under alg HS256', bySecret, forge(goodClaims(), hs, rs256())],
    ['RS256 against a secret', bySecret, forge(goodClaims(), rs, rs256())],
    ['ES256 against RSA', byRsa, forge(goodClaims(), es, es256())],
    ['RS256 against EC', byEc, forge(goodClaims(), rs, rs256())],
    ['another secret', bySecret, forge(goodClaims(), hs, hs256('another secret of thirty-two bytes or more'))],
    ['an empty secret', bySecret, forge(goodClaims(), hs, hs256(''))],
    ['another RSA key', byRsa, forge(goodClaims(), rs, rs256(otherRsa.privateKey))],
    ['another RSA key, embedded as jwk', byRsa, forge(goodClaims(), { ...rs, jwk }, rs256(otherRsa.privateKey))],
    ['another RSA key, at its own jku', byRsa, forge(goodClaims(), { ...rs, jku: 'http://127.0.0.1:9/' }, rs256(otherRsa.privateKey))],
    [
      'another RSA key, as x5c',
      byRsa,
      forge(
        goodClaims(),
        { ...rs, x5c: [otherRsa.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')] },
        rs256(otherRsa.privateKey),
      ),
    ],
    ['ES256 of zeros (CVE-2022-21449)', byEc, forge(goodClaims(), es, () => Buffer.alloc(64))],
    ['ES256 in DER', byEc, forge(goodClaims(), es, (text) => sign('sha256', Buffer.from(text), ec.privateKey))],
    ['ES384', byEc, forge(goodClaims(), { ...es, alg: 'ES384' }, es256())],
    ['RS512', byRsa, forge(goodClaims(), { ...rs, alg: 'RS512' }, (text) => sign('sha512', Buffer.from(text), rsa.privateKey))],
    [
      'PS256',
      byRsa,
      forge(goodClaims(), { ...rs, alg: 'PS256' }, (text) =>
        sign('sha256', Buffer.from(text), { key: rsa.privateKey, padding: 6, saltLength: 32 }),
      ),
    ],
    ['HS384', bySecret, forge(goodClaims(), { ...hs, alg: 'HS384' }, (text) => createHmac('sha384', secret).update(text).digest())],
    ['HS512', bySecret, forge(goodClaims(), { ...hs, alg: 'HS512' }, (text) => createHmac('sha512', secret).update(text).digest())],
    ['the header of one token, the rest of another', bySecret, `${base64url({ alg: 'HS256' })}.${forge().split('.').slice(1).join('.')}`],
  ])('%s: 401', async (_, authenticate, token) => {
    await expectRefused(`Bearer ${token}`, authenticate);
  });

  test.each<[string, JwtKey, RegExp]>([
    ['a secret of 31 bytes', { kind: 'secret', secret: 's'.repeat(31) }, /JWT_SECRET: at least 32 bytes/],
    ['a public key as the secret', { kind: 'secret', secret: spki }, /JWT_SECRET: is a PEM/],
    ['a private key', { kind: 'publicKey', pem: rsa.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() }, /is a private key/],
    [
      'a PKCS #1 private key',
      { kind: 'publicKey', pem: rsa.privateKey.export({ format: 'pem', type: 'pkcs1' }).toString() },
      /is a private key/,
    ],
    ['an EC private key', { kind: 'publicKey', pem: ec.privateKey.export({ format: 'pem', type: 'sec1' }).toString() }, /is a private key/],
    [
      'an encrypted private key',
      {
        kind: 'publicKey',
        pem: rsa.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' }).toString(),
      },
      /is a private key/,
    ],
    [
      'a public and a private key',
      { kind: 'publicKey', pem: `${spki}${ec.privateKey.export({ format: 'pem', type: 'sec1' })}` },
      /is a private key/,
    ],
    ['two public keys', { kind: 'publicKey', pem: spki + pem(ec.publicKey) }, /must be one public key/],
    ['a certificate', { kind: 'publicKey', pem: spki.replaceAll('PUBLIC KEY', 'CERTIFICATE') }, /must be one public key/],
    ['no PEM', { kind: 'publicKey', pem: 'BEGIN' }, /must be one public key/],
    ['a damaged PEM', { kind: 'publicKey', pem: spki.replace(/\n.{64}\n/, '\n') }, /is damaged/],
    [
      'RSA of 1024 bits',
      { kind: 'publicKey', pem: pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey) },
      /RSA of at least 2048 bits/,
    ],
    [
      'RSA-PSS',
      { kind: 'publicKey', pem: pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey) },
      /RSA of at least 2048 bits/,
    ],
    ['EC P-384', { kind: 'publicKey', pem: pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey) }, /curve P-256/],
    ['EC secp256k1', { kind: 'publicKey', pem: pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey) }, /curve P-256/],
    ['Ed25519', { kind: 'publicKey', pem: pem(generateKeyPairSync('ed25519').publicKey) }, /curve P-256/],
  ])('%s is refused at start', (_, key, message) => {
    expect(() => withKey(key)).toThrow(message);
  });

  test.each(['issuer', 'audience'])('an empty %s is refused at start, because it would mean "any"', (name) => {
    expect(() => createAuthenticator({ key: { kind: 'secret', secret }, issuer, audience, [name]: '' })).toThrow('must not be empty');
  });
});
