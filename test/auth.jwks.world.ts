import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import jwt from 'jsonwebtoken';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import { type Authenticate, createAuthenticator } from '../src/auth/authenticate.js';
import { tokenInvalid } from '../src/errors.js';

export const issuer = 'https://id.example.com/';
export const audience = 'docgate';
export const userId = '7d6f3c58-2f0e-4a8e-9a33-0c4a5b1e2f10';
export const claims = { tenant_id: '0f8fad5b-d9cb-469f-a165-70867728950e', roles: ['viewer'] };
export const seconds = 1000;
export const minutes = 60 * seconds;
export const hours = 60 * minutes;

export type Pair = ReturnType<typeof newRsa>;
export const newRsa = (modulusLength = 2048) => generateKeyPairSync('rsa', { modulusLength });
export const newEc = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve });
export const rsa = newRsa();
export const ec = newEc();
export const next = newRsa();
export const jwk = (pair: Pair, kid: string, more: object = {}) => ({
  ...pair.publicKey.export({ format: 'jwk' }),
  kid,
  use: 'sig',
  ...more,
});
export const good = [jwk(rsa, 'rsa-1'), jwk(ec, 'ec-1')];

export function token(key: KeyObject, kid: string | undefined, algorithm: 'RS256' | 'ES256' = 'RS256', header: object = {}): string {
  const options = { algorithm, issuer, audience, subject: userId, expiresIn: '9h', header: { alg: algorithm, kid, ...header } } as const;
  return `Bearer ${jwt.sign(claims, key, { ...options, allowInsecureKeySizes: true })}`;
}
export const rsaToken = () => token(rsa.privateKey, 'rsa-1');
export const ecToken = () => token(ec.privateKey, 'ec-1', 'ES256');

/** An endpoint that publishes keys, on a clock that tests turn on. */
export function useKeys() {
  let answer: RequestListener;
  let requests: string[];
  let authenticate: Authenticate;
  let failures: unknown[];
  const answerWith = (listener: RequestListener) => {
    answer = listener;
  };
  const publish = (keys: unknown) => answerWith((_, response) => response.end(JSON.stringify({ keys })));
  const down = () => answerWith((request) => request.socket.destroy());

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

  return {
    publish,
    answerWith,
    down,
    pass,
    outcome,
    expectRefused,
    requests: () => requests,
    authenticate: (header: string | undefined) => authenticate(header),
    failures: () => failures,
  };
}
