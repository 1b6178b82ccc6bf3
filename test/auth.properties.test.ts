import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Authenticate } from '../src/auth/authenticate.js';
import { scopes } from '../src/auth/viewer.js';
import { byEc, byRsa, bySecret, es256, expectRefused, forge, goodClaims, now, rs256, withClaims, withHeader } from './auth.tokens.js';

describe('whatever comes', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\u00e9';
  const character = fc.constantFrom(...alphabet);
  /** Replaces, inserts, drops, cuts or swaps, at any place. */
  const edit = fc.record({ at: fc.nat(), kind: fc.constantFrom('replace', 'insert', 'drop', 'cut', 'swap', 'case'), character });
  const apply = (token: string, { at, kind, character: c }: { at: number; kind: string; character: string }) => {
    const i = at % token.length;
    const [head, here, tail] = [token.slice(0, i), token.charAt(i), token.slice(i + 1)];
    if (kind === 'replace') return head + c + tail;
    if (kind === 'insert') return head + c + here + tail;
    if (kind === 'drop') return head + tail;
    if (kind === 'cut') return head;
    if (kind === 'case') return head + (here === here.toLowerCase() ? here.toUpperCase() : here.toLowerCase()) + tail;
    return head + tail.charAt(0) + here + tail.slice(1);
  };

  test.each<[string, Authenticate, string]>([
    ['HS256', bySecret, forge({ ...goodClaims(), exp: now() + 3600 })],
    ['RS256', byRsa, forge({ ...goodClaims(), exp: now() + 3600 }, { alg: 'RS256', typ: 'JWT' }, rs256())],
    ['ES256', byEc, forge({ ...goodClaims(), exp: now() + 3600 }, { alg: 'ES256', typ: 'JWT' }, es256())],
  ])('no mutation of a good %s token is accepted', async (_, authenticate, token) => {
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        const mutated = edits.reduce(apply, token);
        // A space in front belongs to the header, not to the token.
        fc.pre(mutated.trimStart() !== token);
        await expectRefused(`Bearer ${mutated}`, authenticate);
      }),
      { numRuns: 2000 },
    );
    expect(await authenticate(`Bearer ${token}`)).not.toBeNull();
  });

  test.each<[string, Authenticate, string]>([
    ['HS256', bySecret, forge({ ...goodClaims(), exp: now() + 3600 })],
    ['RS256', byRsa, forge({ ...goodClaims(), exp: now() + 3600 }, { alg: 'RS256', typ: 'JWT' }, rs256())],
    ['ES256', byEc, forge({ ...goodClaims(), exp: now() + 3600 }, { alg: 'ES256', typ: 'JWT' }, es256())],
  ])('no other last character of a good %s token is accepted', async (_, authenticate, token) => {
    for (const last of alphabet) if (last !== token.at(-1)) await expectRefused(`Bearer ${token.slice(0, -1)}${last}`, authenticate);
  });

  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  /** A viewer that is whole, or the one refusal. */
  async function expectEither(authorization: string) {
    const viewer = await bySecret(authorization).catch(() => expectRefused(authorization).then(() => undefined));
    if (!viewer) return;
    expect([viewer.userId, viewer.tenantId]).toEqual([expect.stringMatching(uuid), expect.stringMatching(uuid)]);
    for (const scope of viewer.scopes) expect(scopes).toContain(scope);
  }

  const names = [
    'iss',
    'aud',
    'exp',
    'iat',
    'nbf',
    'jti',
    'sub',
    'tenant_id',
    'scope',
    'roles',
    'crit',
    '__proto__',
    'constructor',
    'toJSON',
  ];
  test('claims of any type never crash', async () => {
    const claims = fc.array(fc.tuple(fc.constantFrom(...names), fc.jsonValue()), { minLength: 1, maxLength: 3 });
    const run = async (some: [string, unknown][]) => expectEither(`Bearer ${withClaims(Object.fromEntries(some))}`);
    await fc.assert(fc.asyncProperty(claims, run), { numRuns: 2000 });
  });

  test('headers of any type never crash', async () => {
    const fields = fc.array(
      fc.tuple(fc.constantFrom('alg', 'typ', 'kid', 'crit', 'b64', 'jwk', 'jku', 'x5c', 'cty', 'zip', 'enc'), fc.jsonValue()),
      {
        maxLength: 3,
      },
    );
    const run = async (some: [string, unknown][]) => expectEither(`Bearer ${withHeader(Object.fromEntries(some))}`);
    await fc.assert(fc.asyncProperty(fields, run), { numRuns: 1000 });
  });

  test('any JSON as header and payload is refused', async () => {
    const run = async (header: unknown, payload: unknown) => expectRefused(`Bearer ${forge(payload, header)}`);
    await fc.assert(fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), run), { numRuns: 1000 });
  });

  test('any text is refused', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }),
      fc.string({ unit: character, minLength: 1, maxLength: 200 }),
    );
    const run = async (some: string) => {
      await expectRefused(some);
      await expectRefused(`Bearer ${some}`);
    };
    await fc.assert(fc.asyncProperty(text, run), { numRuns: 1000 });
  });
});
