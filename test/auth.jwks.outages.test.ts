import type { RequestListener } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { good, hours, jwk, minutes, next, rsa, rsaToken, seconds, token, useKeys, userId } from './auth.jwks.world.js';

const { publish, down, pass, outcome, answerWith, requests, authenticate, failures } = useKeys();

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
    answerWith(broken);
    await expect(authenticate(rsaToken())).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503, cause: expect.anything() });
    expect(failures()).toHaveLength(1);
    publish(good);
    expect(await outcome(rsaToken()), 'no request during the cool-down').toBe('UNAVAILABLE');
    expect(requests().filter((url) => url === '/keys')).toHaveLength(1);
    expect(requests()).not.toContain('/elsewhere');
    pass(10 * seconds);
    expect(await outcome(rsaToken())).toBe(userId);
  });

  test.each(outages)('%s: known keys go on working', async (_, broken) => {
    expect(await outcome(rsaToken())).toBe(userId);
    answerWith(broken);
    pass(11 * minutes);
    expect(await outcome(rsaToken())).toBe(userId);
    expect(await outcome(token(next.privateKey, 'rsa-2')), 'unknown').toBe('UNAVAILABLE');
    expect(await outcome(rsaToken().replace(/.{8}$/, 'AAAAAAAA')), 'known, but forged').toBe('TOKEN_INVALID');
  });

  test('an endpoint that hangs or drips: 503 after 5 s, and known keys wait for it once at most', async () => {
    expect(await outcome(rsaToken())).toBe(userId);
    answerWith(async (_, response) => {
      while (!response.destroyed) {
        response.write(' ');
        await sleep(100);
      }
    });
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
    expect(failures()).toHaveLength(1);
    publish(good);
    pass(10 * seconds);
    expect(await outcome(rsaToken())).toBe(userId);
  });

  test('while it is down there is one request in 10 s, whoever asks', async () => {
    down();
    for (let i = 0; i < 100; i++) expect(await outcome(token(rsa.privateKey, `rsa-${i}`))).toBe('UNAVAILABLE');
    expect(requests().length).toBeLessThanOrEqual(2); // fetch may retry once on a kept connection
    expect(failures()).toHaveLength(1);
  });
});
