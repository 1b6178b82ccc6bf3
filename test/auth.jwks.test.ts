import jwt from 'jsonwebtoken';
import { describe, expect, test, vi } from 'vitest';
import {
  audience,
  claims,
  ec,
  ecToken,
  good,
  issuer,
  jwk,
  minutes,
  newEc,
  newRsa,
  next,
  rsa,
  rsaToken,
  seconds,
  token,
  useKeys,
  userId,
} from './auth.jwks.world.js';

const { publish, pass, outcome, expectRefused, answerWith, requests, authenticate } = useKeys();

describe('reading the keys', () => {
  test('RS256 and ES256, each by its key; one request for both', async () => {
    expect(await Promise.all([outcome(rsaToken()), outcome(ecToken()), outcome(rsaToken())])).toEqual([userId, userId, userId]);
    expect(requests()).toEqual(['/keys']);
  });

  test('no request before there is a token', async () => {
    expect(await authenticate(undefined)).toBeNull();
    for (const odd of ['Basic x', 'Bearer x', 'Bearer a.b.c', `Bearer ${'x'.repeat(10_000)}`]) await expectRefused(odd);
    expect(requests()).toEqual([]);
  });

  test.each<[string, () => string]>([
    ['no kid', () => token(rsa.privateKey, undefined)],
    ['kid empty', () => token(rsa.privateKey, '')],
    ['kid too long', () => token(rsa.privateKey, 'k'.repeat(257))],
    ['crit', () => token(rsa.privateKey, 'rsa-1', 'RS256', { crit: ['exp'] })],
    ['HS256 with the PEM as the secret', () => confused('HS256')],
    ['HS512 with the PEM as the secret', () => confused('HS512')],
    ['alg none', () => `Bearer ${jwt.sign(claims, null, { algorithm: 'none', keyid: 'rsa-1' })}`],
    ['alg none with a signature', () => `Bearer ${jwt.sign(claims, null, { algorithm: 'none', keyid: 'rsa-1' })}AAAA`],
    ['PS256', () => `Bearer ${jwt.sign(claims, rsa.privateKey, { algorithm: 'PS256', keyid: 'rsa-1' })}`],
  ])('%s: 401 without a request', async (_, header) => {
    await expectRefused(header());
    expect(requests()).toEqual([]);
  });
  const confused = (algorithm: 'HS256' | 'HS512') => {
    const secret = Buffer.from(rsa.publicKey.export({ format: 'pem', type: 'spki' }).toString());
    return `Bearer ${jwt.sign(claims, secret, { algorithm, issuer, audience, subject: userId, expiresIn: 60, keyid: 'rsa-1' })}`;
  };

  test.each<[string, () => string]>([
    ['a kid of another key', () => token(rsa.privateKey, 'ec-1')],
    ['ES256 with the kid of the RSA key', () => token(ec.privateKey, 'rsa-1', 'ES256')],
    ['another key under a known kid', () => token(next.privateKey, 'rsa-1')],
    ['another key, embedded as jwk', () => token(next.privateKey, 'rsa-1', 'RS256', { jwk: jwk(next, 'rsa-1') })],
    ['another key, at its own jku', () => token(next.privateKey, 'own', 'RS256', { jku: 'http://127.0.0.1:9/' })],
    [
      'another issuer with our key',
      () =>
        `Bearer ${jwt.sign({ ...claims, iss: 'x', aud: audience, sub: userId, exp: 9e9 }, rsa.privateKey, { algorithm: 'RS256', keyid: 'rsa-1' })}`,
    ],
    ...[
      '../../../../dev/null',
      '/dev/null',
      'http://127.0.0.1:9/',
      "' OR 1=1 --",
      '__proto__',
      'constructor',
      'toString',
      'rsa-1\0',
      'RSA-1',
      ' rsa-1',
      '*',
      '|id',
      '👾',
    ].map((kid): [string, () => string] => [`kid ${JSON.stringify(kid)}`, () => token(rsa.privateKey, kid)]),
  ])('%s: 401, after one request to the configured address', async (_, header) => {
    await expectRefused(header());
    expect(requests()).toEqual(['/keys']);
  });
});

describe('only strong signing keys count', () => {
  const weak = newRsa(1024);
  const p384 = newEc('P-384');
  const secret = { kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url'), kid: 'x', use: 'sig', alg: 'HS256' };
  test.each<[string, unknown, string]>([
    ['use enc', jwk(rsa, 'x', { use: 'enc' }), token(rsa.privateKey, 'x')],
    ['no use', jwk(rsa, 'x', { use: undefined }), token(rsa.privateKey, 'x')],
    ['no kid', jwk(rsa, 'x', { kid: undefined }), token(rsa.privateKey, 'undefined')],
    ['alg of another kind', jwk(rsa, 'x', { alg: 'PS256' }), token(rsa.privateKey, 'x')],
    ['alg that does not fit', jwk(rsa, 'x', { alg: 'ES256' }), token(rsa.privateKey, 'x')],
    ['RSA of 1024 bits', jwk(weak, 'x'), token(weak.privateKey, 'x')],
    [
      'EC P-384',
      jwk(p384, 'x'),
      `Bearer ${jwt.sign(claims, p384.privateKey, { algorithm: 'ES384', keyid: 'x', issuer, audience, subject: userId, expiresIn: 60 })}`,
    ],
    ['a private key', { ...rsa.privateKey.export({ format: 'jwk' }), kid: 'x', use: 'sig' }, token(rsa.privateKey, 'x')],
    [
      'a secret',
      secret,
      `Bearer ${jwt.sign(claims, Buffer.alloc(32, 1), { keyid: 'x', issuer, audience, subject: userId, expiresIn: 60 })}`,
    ],
    ['a damaged key', jwk(rsa, 'x', { n: '!' }), token(rsa.privateKey, 'x')],
    ['null', null, token(rsa.privateKey, 'x')],
    ['text', 'x', token(rsa.privateKey, 'x')],
  ])('%s: 401, and the keys beside it work', async (_, key, header) => {
    publish([key, ...good]);
    await expectRefused(header);
    expect(await outcome(rsaToken())).toBe(userId);
    expect(await outcome(ecToken())).toBe(userId);
  });

  test('one kid for an RSA and an EC key: each by its algorithm', async () => {
    publish([jwk(rsa, 'same'), jwk(ec, 'same')]);
    expect(await outcome(token(rsa.privateKey, 'same'))).toBe(userId);
    expect(await outcome(token(ec.privateKey, 'same', 'ES256'))).toBe(userId);
  });
});

describe('the cache', () => {
  test('one request in ten minutes; the next one then', async () => {
    for (let i = 0; i < 50; i++) expect(await outcome(rsaToken())).toBe(userId);
    pass(9.9 * minutes);
    expect(await outcome(rsaToken())).toBe(userId);
    expect(requests()).toHaveLength(1);
    pass(0.2 * minutes);
    expect(await outcome(rsaToken())).toBe(userId);
    expect(requests()).toHaveLength(2);
  });

  test('a new key works with its first token, the old one as long as it is published', async () => {
    expect(await outcome(rsaToken())).toBe(userId);
    publish([...good, jwk(next, 'rsa-2')]);
    pass(1 * minutes);
    expect(await outcome(token(next.privateKey, 'rsa-2'))).toBe(userId);
    expect(await outcome(rsaToken())).toBe(userId);
    publish([jwk(next, 'rsa-2')]);
    pass(11 * minutes);
    await expectRefused(rsaToken());
    expect(await outcome(token(next.privateKey, 'rsa-2'))).toBe(userId);
  });

  test('a key that changes under its kid: the new one counts after ten minutes', async () => {
    expect(await outcome(rsaToken())).toBe(userId);
    publish([jwk(next, 'rsa-1')]);
    pass(11 * minutes);
    expect(await outcome(token(next.privateKey, 'rsa-1'))).toBe(userId);
    await expectRefused(rsaToken());
  });

  test('a flood of random kids: one request in 10 s, and good keys notice nothing', async () => {
    expect(await outcome(rsaToken())).toBe(userId);
    const flood = Array.from({ length: 200 }, (_, i) => token(next.privateKey, `random-${i}`));
    for (let second = 0; second < 60; second += 5) {
      expect(new Set(await Promise.all(flood.map(outcome)))).toEqual(new Set(['TOKEN_INVALID']));
      expect(await outcome(rsaToken())).toBe(userId);
      pass(5 * seconds);
    }
    expect(requests().length).toBeLessThanOrEqual(7);
    expect(requests().length).toBeGreaterThanOrEqual(5);
    publish([...good, jwk(next, 'rsa-2')]);
    await Promise.all(flood.map(outcome));
    pass(10 * seconds);
    expect(await outcome(token(next.privateKey, 'rsa-2')), 'a new key during the flood').toBe(userId);
  });

  test('while an unknown kid waits for a slow endpoint, a known one does not', async () => {
    expect(await outcome(rsaToken())).toBe(userId);
    pass(1 * minutes);
    let release = () => {};
    answerWith((_, response) => {
      release = () => response.end(JSON.stringify({ keys: good }));
    });
    const unknown = outcome(token(next.privateKey, 'random'));
    await vi.waitFor(() => expect(requests()).toHaveLength(2));
    expect(await outcome(rsaToken())).toBe(userId);
    release();
    expect(await unknown).toBe('TOKEN_INVALID');
  });
});
