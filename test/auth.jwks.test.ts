import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import jwt from 'jsonwebtoken';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Authenticate, createAuthenticator } from '../src/auth/authenticate.js';
import { tokenInvalid } from '../src/errors.js';

const issuer = 'https://id.example.com/';
const audience = 'docgate';
const userId = '7d6f3c58-2f0e-4a8e-9a33-0c4a5b1e2f10';
const claims = { tenant_id: '0f8fad5b-d9cb-469f-a165-70867728950e', roles: ['viewer'] };
const seconds = 1000;
const minutes = 60 * seconds;
const hours = 60 * minutes;

type Pair = ReturnType<typeof newRsa>;
const newRsa = (modulusLength = 2048) => generateKeyPairSync('rsa', { modulusLength });
const newEc = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve });
const rsa = newRsa();
const ec = newEc();
const next = newRsa();
const jwk = (pair: Pair, kid: string, more: object = {}) => ({ ...pair.publicKey.export({ format: 'jwk' }), kid, use: 'sig', ...more });
const good = [jwk(rsa, 'rsa-1'), jwk(ec, 'ec-1')];

function token(key: KeyObject, kid: string | undefined, algorithm: 'RS256' | 'ES256' = 'RS256', header: object = {}): string {
  const options = { algorithm, issuer, audience, subject: userId, expiresIn: '9h', header: { alg: algorithm, kid, ...header } } as const;
  return `Bearer ${jwt.sign(claims, key, { ...options, allowInsecureKeySizes: true })}`;
}
const rsaToken = () => token(rsa.privateKey, 'rsa-1');
const ecToken = () => token(ec.privateKey, 'ec-1', 'ES256');

let answer: RequestListener;
let requests: string[];
let authenticate: Authenticate;
let failures: unknown[];
const publish = (keys: unknown) => {
  answer = (_, response) => response.end(JSON.stringify({ keys }));
};
const down = () => {
  answer = (request) => request.socket.destroy();
};

const server = createServer((request, response) => {
  requests.push(request.url ?? '');
  answer(request, response);
});
beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  // The clocks alone: the network's own timers stay real.
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  requests = [];
  failures = [];
  publish(good);
  // The type is wide because a server may listen on a pipe; this one does not.
  const { port } = server.address() as AddressInfo;
  const key = { kind: 'jwks', url: `http://127.0.0.1:${port}/keys` } as const;
  authenticate = createAuthenticator({ key, issuer, audience, onJwksFailure: (reason) => failures.push(reason) });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (milliseconds: number) => vi.advanceTimersByTime(milliseconds);
const outcome = (header: string) =>
  authenticate(header).then(
    (viewer) => viewer?.userId,
    (error: { code: string }) => error.code,
  );
const expectRefused = (header: string) =>
  expect(authenticate(header)).rejects.toMatchObject({ code: 'TOKEN_INVALID', status: 401, message: tokenInvalid().message });

describe('reading the keys', () => {
  test('RS256 and ES256, each by its key; one request for both', async () => {
    expect(await Promise.all([outcome(rsaToken()), outcome(ecToken()), outcome(rsaToken())])).toEqual([userId, userId, userId]);
    expect(requests).toEqual(['/keys']);
  });

  test('no request before there is a token', async () => {
    expect(await authenticate(undefined)).toBeNull();
    for (const odd of ['Basic x', 'Bearer x', 'Bearer a.b.c', `Bearer ${'x'.repeat(10_000)}`]) await expectRefused(odd);
    expect(requests).toEqual([]);
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
    expect(requests).toEqual([]);
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
    expect(requests).toEqual(['/keys']);
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
    expect(requests).toHaveLength(1);
    pass(0.2 * minutes);
    expect(await outcome(rsaToken())).toBe(userId);
    expect(requests).toHaveLength(2);
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
    expect(requests.length).toBeLessThanOrEqual(7);
    expect(requests.length).toBeGreaterThanOrEqual(5);
    publish([...good, jwk(next, 'rsa-2')]);
    await Promise.all(flood.map(outcome));
    pass(10 * seconds);
    expect(await outcome(token(next.privateKey, 'rsa-2')), 'a new key during the flood').toBe(userId);
  });

  test('while an unknown kid waits for a slow endpoint, a known one does not', async () => {
    expect(await outcome(rsaToken())).toBe(userId);
    pass(1 * minutes);
    let release = () => {};
    answer = (_, response) => {
      release = () => response.end(JSON.stringify({ keys: good }));
    };
    const unknown = outcome(token(next.privateKey, 'random'));
    await vi.waitFor(() => expect(requests).toHaveLength(2));
    expect(await outcome(rsaToken())).toBe(userId);
    release();
    expect(await unknown).toBe('TOKEN_INVALID');
  });
});

describe('when the endpoint fails', () => {
  const text =
    (body: string, status = 200): RequestListener =>
    (_, response) =>
      response.writeHead(status).end(body);
  const outages: [string, RequestListener][] = [
    ['the connection breaks', (request) => request.socket.destroy()],
    ['500', text('{"keys":[]}', 500)],
    ['404', text('{"keys":[]}', 404)],
    ['a redirect', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['no JSON', text('<html>')],
    ['no set', text('{"error":"x"}')],
    ['keys is no list', text('{"keys":{}}')],
    ['nothing', text('')],
    [
      'the body breaks off',
      (_, response) => response.writeHead(200, { 'content-length': 999 }).write('{"keys":', () => response.destroy()),
    ],
    ['a body without end', (_, response) => response.end(JSON.stringify({ keys: good, pad: 'x'.repeat(300_000) }))],
  ];

  test.each(outages)('%s: 503 without a known key, and recovery', async (_, broken) => {
    answer = broken;
    await expect(authenticate(rsaToken())).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503, cause: expect.anything() });
    expect(failures).toHaveLength(1);
    publish(good);
    expect(await outcome(rsaToken()), 'no request during the cool-down').toBe('UNAVAILABLE');
    expect(requests.filter((url) => url === '/keys')).toHaveLength(1);
    expect(requests).not.toContain('/elsewhere');
    pass(10 * seconds);
    expect(await outcome(rsaToken())).toBe(userId);
  });

  test.each(outages)('%s: known keys go on working', async (_, broken) => {
    expect(await outcome(rsaToken())).toBe(userId);
    answer = broken;
    pass(11 * minutes);
    expect(await outcome(rsaToken())).toBe(userId);
    expect(await outcome(token(next.privateKey, 'rsa-2')), 'unknown').toBe('UNAVAILABLE');
    expect(await outcome(rsaToken().replace(/.{8}$/, 'AAAAAAAA')), 'known, but forged').toBe('TOKEN_INVALID');
  });

  test('an endpoint that hangs or drips: 503 after 5 s, and known keys wait for it once at most', async () => {
    expect(await outcome(rsaToken())).toBe(userId);
    answer = async (_, response) => {
      while (!response.destroyed) {
        response.write(' ');
        await sleep(100);
      }
    };
    pass(11 * minutes);
    const timed = async (header: string) => {
      // Date and performance stand still here.
      const start = process.hrtime.bigint();
      return { result: await outcome(header), took: Number(process.hrtime.bigint() - start) / 1e6 };
    };
    const first = await timed(rsaToken());
    expect(first.result).toBe(userId);
    expect(first.took).toBeGreaterThan(4000);
    expect(first.took).toBeLessThan(7000);
    pass(11 * seconds);
    const second = await timed(rsaToken());
    expect(second.result).toBe(userId);
    expect(second.took).toBeLessThan(1000);
    expect((await timed(token(next.privateKey, 'rsa-2'))).result).toBe('UNAVAILABLE');
  });

  test('known keys end after four hours, whether anyone asked meanwhile or not', async () => {
    expect(await outcome(rsaToken())).toBe(userId);
    down();
    pass(3.9 * hours);
    expect(await outcome(rsaToken())).toBe(userId);
    pass(0.2 * hours);
    expect(await outcome(rsaToken())).toBe('UNAVAILABLE');
    publish(good);
    pass(10 * seconds);
    expect(await outcome(rsaToken())).toBe(userId);
  });

  test.each<[string, unknown[]]>([
    ['empty', []],
    ['without a usable key', [jwk(rsa, 'rsa-1', { use: 'enc' })]],
  ])('a set that is %s withdraws all keys: 503, not 401, as nothing can be checked', async (_, keys) => {
    expect(await outcome(rsaToken())).toBe(userId);
    publish(keys);
    pass(11 * minutes);
    expect(await outcome(rsaToken())).toBe('UNAVAILABLE');
    expect(failures).toHaveLength(1);
    publish(good);
    pass(10 * seconds);
    expect(await outcome(rsaToken())).toBe(userId);
  });

  test('while it is down there is one request in 10 s, whoever asks', async () => {
    down();
    for (let i = 0; i < 100; i++) expect(await outcome(token(rsa.privateKey, `rsa-${i}`))).toBe('UNAVAILABLE');
    expect(requests.length).toBeLessThanOrEqual(2); // fetch may retry once on a kept connection
    expect(failures).toHaveLength(1);
  });
});
