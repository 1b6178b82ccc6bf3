import { afterEach, describe, expect, test, vi } from 'vitest';
import { audience, bySecret, expectRefused, forge, goodClaims, issuer, now, tenantId, userId, withClaims, without } from './auth.tokens.js';

afterEach(() => {
  vi.useRealTimers();
});

describe('the claims', () => {
  test.each<[string, () => object]>([
    ['aud in a list', () => ({ aud: ['other', audience] })],
    ['no iat', () => ({ iat: undefined })],
    ['iat a little ahead', () => ({ iat: now() + 4 })],
    ['nbf a little ahead', () => ({ nbf: now() + 4 })],
    ['exp just gone', () => ({ exp: now() - 3 })],
    ['exp with a fraction', () => ({ exp: now() + 60.5 })],
    ['claims of others, of any shape', () => ({ realm_access: { roles: ['admin'] }, amr: ['pwd'], nonce: null })],
  ])('%s: accepted', async (_, claims) => {
    expect(await bySecret(`Bearer ${withClaims(claims())}`)).toMatchObject({ userId, tenantId });
  });

  test('UUIDs come out in lower case', async () => {
    const viewer = await bySecret(`Bearer ${withClaims({ sub: userId.toUpperCase(), tenant_id: tenantId.toUpperCase() })}`);
    expect(viewer).toMatchObject({ userId, tenantId });
  });

  test.each(['iss', 'aud', 'exp', 'sub', 'tenant_id'])('no %s: 401', async (claim) => {
    await expectRefused(`Bearer ${without(claim)}`);
  });

  const notText = [null, 0, 1, true, {}, []];
  test.each<[string, unknown[]]>([
    ['iss', [...notText, [issuer], '', 'https://id.example.com', `${issuer} `, issuer.toUpperCase()]],
    [
      'aud',
      [
        ...notText,
        '',
        'docgat',
        'docgate2',
        ['docgate2'],
        [[audience]],
        { 0: audience },
        [audience, 1],
        [audience, null],
        { docgate: true },
      ],
    ],
    ['exp', [null, true, {}, [], '', 0, -1, String(now() + 60), [now() + 60], Date.now() + 60_000, now() - 10]],
    ['iat', [null, true, {}, [], '', -1, String(now()), [now()], Date.now(), now() + 30]],
    ['nbf', [null, true, {}, [], '', -1, String(now()), [now()], Date.now(), now() + 30]],
    ['jti', notText],
    [
      'sub',
      [
        ...notText,
        [userId],
        '',
        'admin',
        ` ${userId}`,
        `${userId}\n`,
        `{${userId}}`,
        userId.replaceAll('-', ''),
        '00000000-0000-0000-0000-000000000000',
      ],
    ],
    [
      'tenant_id',
      [...notText, [tenantId], { $ne: null }, '', '*', `${tenantId}' OR '1'='1`, `${tenantId}\0`, '00000000-0000-0000-0000-000000000000'],
    ],
    ['scope', [null, 0, true, {}, [], ['documents:read']]],
    ['roles', [null, 0, true, {}, { admin: true }, [null], [['admin']], [{}], ['viewer', 1], Array(21).fill('viewer')]],
  ])('%s of a wrong kind or value: 401', async (claim, values) => {
    for (const value of values) await expectRefused(`Bearer ${withClaims({ [claim]: value })}`);
  });

  test.each(['null', '1', '"text"', '[]', '{', '', 'not JSON', '[{"sub":"x"}]'])(
    'the payload is %j: 401, with typ and without',
    async (payload) => {
      await expectRefused(`Bearer ${forge(payload)}`);
      await expectRefused(`Bearer ${forge(payload, { alg: 'HS256' })}`);
    },
  );

  test('exp as Infinity: 401', async () => {
    await expectRefused(`Bearer ${forge(JSON.stringify(goodClaims()).replace(/"exp":\d+/, '"exp":1e999'))}`);
  });

  test('__proto__ supplies no claim: 401', async () => {
    const { tenant_id: _, ...rest } = goodClaims();
    const text = JSON.stringify(rest).replace(/}$/, `,"__proto__":{"tenant_id":"${tenantId}"}}`);
    await expectRefused(`Bearer ${forge(text)}`);
  });

  test('the clocks may differ by 5 s', async () => {
    const start = 1_800_000_000;
    vi.useFakeTimers({ toFake: ['Date'], now: start * 1000 });
    const token = `Bearer ${withClaims({ iat: start, nbf: start, exp: start + 60 })}`;
    const at = (second: number) => vi.setSystemTime((start + second) * 1000);
    for (const second of [-5, 0, 59, 64]) {
      at(second);
      expect(await bySecret(token), `at ${second}`).not.toBeNull();
    }
    for (const second of [-7, 65, 3600]) {
      at(second);
      await expectRefused(token);
    }
  });
});
