import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Authenticate, createAuthenticator } from '../src/auth/authenticate.js';
import { signToken } from '../src/auth/token.js';
import { roles, scopes } from '../src/auth/viewer.js';
import type { JwtKey } from '../src/env.js';
import { tokenInvalid } from '../src/errors.js';

const issuer = 'https://id.example.com/';
const audience = 'docgate';
const secret = 'a secret of thirty-two bytes or more';
const userId = '7d6f3c58-2f0e-4a8e-9a33-0c4a5b1e2f10';
const tenantId = '0f8fad5b-d9cb-469f-a165-70867728950e';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const pem = (key: KeyObject, type: 'spki' | 'pkcs1' = 'spki') => key.export({ format: 'pem', type }).toString();
const withKey = (key: JwtKey) => createAuthenticator({ key, issuer, audience });
const bySecret = withKey({ kind: 'secret', secret });
const byRsa = withKey({ kind: 'publicKey', pem: pem(rsa.publicKey) });
const byEc = withKey({ kind: 'publicKey', pem: pem(ec.publicKey) });

const now = () => Math.floor(Date.now() / 1000);
const goodClaims = () => ({ iss: issuer, aud: audience, sub: userId, tenant_id: tenantId, iat: now(), exp: now() + 60 });
const base64url = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

type Sign = (text: string) => Buffer;
const hs256 =
  (key: string | Buffer = secret): Sign =>
  (text) =>
    createHmac('sha256', key).update(text).digest();
const rs256 =
  (key: KeyObject = rsa.privateKey): Sign =>
  (text) =>
    sign('sha256', Buffer.from(text), key);
const es256 =
  (key: KeyObject = ec.privateKey): Sign =>
  (text) =>
    sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });

/** Without a library, so that nothing stands in the way of a bad token. A string goes in as it is. */
function forge(claims: unknown = goodClaims(), header: unknown = { alg: 'HS256', typ: 'JWT' }, signed: Sign = hs256()): string {
  const text = `${base64url(header)}.${base64url(claims)}`;
  return `${text}.${signed(text).toString('base64url')}`;
}
const withClaims = (claims: object) => forge({ ...goodClaims(), ...claims });
const withHeader = (header: object) => forge(goodClaims(), { alg: 'HS256', typ: 'JWT', ...header });
const without = (claim: string) => forge(Object.fromEntries(Object.entries(goodClaims()).filter(([name]) => name !== claim)));

/** One answer for everything: whoever tries cannot learn which check stopped him. */
async function expectRefused(authorization: string, authenticate: Authenticate = bySecret) {
  const error = await authenticate(authorization).then(
    () => expect.fail(`accepted: ${authorization}`),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: 'TOKEN_INVALID', status: 401, message: tokenInvalid().message, cause: expect.anything() });
  expect(Object.keys(error as object).sort()).toEqual(Object.keys(tokenInvalid()).sort());
}

afterEach(() => {
  vi.useRealTimers();
});

describe('the Authorization header', () => {
  test.each([
    ['absent', undefined],
    ['empty', ''],
  ])('%s: nobody', async (_, value) => {
    expect(await bySecret(value)).toBeNull();
  });

  test.each([
    ['Bearer', (t: string) => `Bearer ${t}`],
    ['bearer', (t: string) => `bearer ${t}`],
    ['BEARER', (t: string) => `BEARER ${t}`],
    ['several spaces', (t: string) => `Bearer   ${t}`],
  ])('%s: accepted', async (_, header) => {
    expect(await bySecret(header(forge()))).toMatchObject({ userId, tenantId });
  });

  test.each<[string, (token: string) => string]>([
    ['a space alone', () => ' '],
    ['the scheme alone', () => 'Bearer'],
    ['the scheme and a space', () => 'Bearer '],
    ['the token alone', (t) => t],
    ['no space', (t) => `Bearer${t}`],
    ['a tab', (t) => `Bearer\t${t}`],
    ['a no-break space', (t) => `Bearer\u00a0${t}`],
    ['space before', (t) => ` Bearer ${t}`],
    ['space after', (t) => `Bearer ${t} `],
    ['line break after', (t) => `Bearer ${t}\n`],
    ['NUL after', (t) => `Bearer ${t}\0`],
    ['another scheme', (t) => `Basic ${t}`],
    ['a scheme that begins alike', (t) => `Bearers ${t}`],
    ['DPoP', (t) => `DPoP ${t}`],
    ['the scheme twice', (t) => `Bearer Bearer ${t}`],
    ['two headers joined', (t) => `Bearer ${t}, Bearer ${t}`],
    ['two tokens', (t) => `Bearer ${t} ${t}`],
    ['two tokens with a comma', (t) => `Bearer ${t},${t}`],
    ['quotes', (t) => `Bearer "${t}"`],
    ['a parameter', (t) => `Bearer ${t}; a=b`],
    ['"undefined"', () => 'Bearer undefined'],
    ['padding', (t) => `Bearer ${t}=`],
    ['two parts', (t) => `Bearer ${t.split('.').slice(0, 2).join('.')}`],
    ['four parts', (t) => `Bearer ${t}.e30`],
    ['five parts, as of a JWE', (t) => `Bearer ${t}.e30.e30`],
    ['an empty signature', (t) => `Bearer ${t.slice(0, t.lastIndexOf('.') + 1)}`],
    ['an empty header', (t) => `Bearer ${t.slice(t.indexOf('.'))}`],
    ['an empty payload', (t) => `Bearer ${t.replace(/\..*\./, '..')}`],
  ])('%s: 401', async (_, header) => {
    await expectRefused(header(forge()));
  });

  test('8 KiB at most, however well signed', async () => {
    const padded = (size: number) => `Bearer ${withClaims({ pad: 'x'.repeat(size) })}`;
    const base = padded(0).length;
    const largest = padded(Math.floor(((8192 - base) * 3) / 4) - 2);
    expect(largest.length).toBeGreaterThan(8180);
    expect(await bySecret(largest)).not.toBeNull();
    await expectRefused(padded(Math.ceil(((8192 - base) * 3) / 4) + 4));
    await expectRefused(padded(10_000));
  });

  test('a megabyte is refused before anything is parsed', async () => {
    const value = `Bearer ${'a.'.repeat(500_000)}`;
    const start = performance.now();
    await expectRefused(value);
    expect(performance.now() - start).toBeLessThan(50);
  });
});

describe('the header of the token', () => {
  test.each<[string, object]>([
    ['typ jwt', { typ: 'jwt' }],
    ['typ at+jwt, an access token by RFC 9068', { typ: 'at+jwt' }],
    ['typ application/at+jwt', { typ: 'application/at+jwt' }],
    ['no typ', { typ: undefined }],
    ['a kid, which a fixed key does not need', { kid: '../../../../dev/null' }],
    ['jku, never fetched', { jku: 'http://127.0.0.1:9/keys' }],
    ['x5u, never fetched', { x5u: 'http://127.0.0.1:9/cert' }],
    ['x5t', { x5t: 'AAAA' }],
  ])('%s: no harm', async (_, header) => {
    expect(await bySecret(`Bearer ${withHeader(header)}`)).toMatchObject({ userId });
  });

  test.each<[string, object]>([
    ['crit, empty', { crit: [] }],
    ['crit with exp', { crit: ['exp'] }],
    ['crit with b64', { crit: ['b64'], b64: false }],
    ['crit null', { crit: null }],
    ['typ of a logout token', { typ: 'logout+jwt' }],
    ['typ of a DPoP proof', { typ: 'dpop+jwt' }],
    ['typ an array', { typ: ['JWT'] }],
    ['kid empty', { kid: '' }],
    ['kid a number', { kid: 7 }],
    ['kid an object', { kid: {} }],
    ['kid an array', { kid: ['a'] }],
    ['kid without end', { kid: 'k'.repeat(257) }],
    ['alg absent', { alg: undefined }],
    ['alg null', { alg: null }],
    ['alg an array', { alg: ['HS256'] }],
    ['alg an object', { alg: {} }],
    ['alg in lower case', { alg: 'hs256' }],
    ['alg with a space', { alg: 'HS256 ' }],
    ['alg HS384', { alg: 'HS384' }],
    ['alg HS512', { alg: 'HS512' }],
    ['alg RS256', { alg: 'RS256' }],
    ['alg dir', { alg: 'dir' }],
    ['alg __proto__', { alg: '__proto__' }],
  ])('%s: 401', async (_, header) => {
    await expectRefused(`Bearer ${withHeader(header)}`);
  });

  test.each(['null', '0', '1', '""', '"HS256"', '[]', '{}', '[{"alg":"HS256"}]', '{"alg":"HS256"', '\ufeff{"alg":"HS256"}'])(
    'the header is %s: 401',
    async (header) => {
      await expectRefused(`Bearer ${forge(goodClaims(), header)}`);
    },
  );

  describe.each(['none', 'None', 'NONE', 'nOnE', 'none ', ' none', 'none\0', '', null, false, 0])('alg %j', (alg) => {
    const none: Sign = () => Buffer.alloc(0);
    test.each<[string, Authenticate]>([
      ['secret', bySecret],
      ['RSA', byRsa],
      ['EC', byEc],
    ])('against %s: 401, signed or not', async (_, authenticate) => {
      await expectRefused(`Bearer ${forge(goodClaims(), { alg, typ: 'JWT' }, none)}`, authenticate);
      await expectRefused(`Bearer ${forge(goodClaims(), { alg, typ: 'JWT' }, none).slice(0, -1)}`, authenticate);
      await expectRefused(`Bearer ${forge(goodClaims(), { alg, typ: 'JWT' })}`, authenticate);
    });
  });
});

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

describe('what a token allows', () => {
  const sorted = (list: Iterable<string>) => [...new Set(list)].sort();
  test.each<[string, object, readonly string[]]>([
    ['neither scope nor roles', {}, []],
    ['scope empty', { scope: '' }, []],
    ['scope', { scope: 'documents:read shares:write' }, ['documents:read', 'shares:write']],
    ['scope with odd spaces', { scope: '  documents:read   shares:write ' }, ['documents:read', 'shares:write']],
    ['scope with others between', { scope: 'openid documents:read profile' }, ['documents:read']],
    ['scope names are exact', { scope: 'DOCUMENTS:READ documents:* documents documents:read,shares:read' }, []],
    ['scope splits at spaces only', { scope: 'documents:read\tshares:read\nstorages:read' }, []],
    ['every scope', { scope: scopes.join(' ') }, scopes],
    ['roles: one', { roles: ['viewer'] }, roles.viewer],
    ['roles: two', { roles: ['reviewer', 'editor'] }, [...roles.reviewer, ...roles.editor]],
    ['roles: a string', { roles: 'admin' }, scopes],
    ['roles: a string is one name', { roles: 'viewer editor' }, []],
    ['roles: unknown', { roles: ['root', 'Admin', 'constructor', '__proto__', 'toString'] }, []],
    ['roles: none', { roles: [] }, []],
    ['roles: twenty', { roles: Array(20).fill('viewer') }, roles.viewer],
    ['scope and roles together', { scope: 'documents:review', roles: ['viewer'] }, [...roles.viewer, 'documents:review']],
    ['a scope is no role', { roles: ['documents:read'] }, []],
    ['a role is no scope', { scope: 'admin' }, []],
  ])('%s', async (_, claims, expected) => {
    const viewer = await bySecret(`Bearer ${withClaims(claims)}`);
    expect(sorted(viewer?.scopes ?? ['nobody'])).toEqual(sorted(expected));
  });

  test('no two viewers share a set', async () => {
    const header = `Bearer ${withClaims({ roles: ['admin'] })}`;
    const [first, second] = [await bySecret(header), await bySecret(header)];
    expect(first?.scopes).not.toBe(second?.scopes);
  });
});

describe('signToken', () => {
  const input = { issuer, audience, userId, tenantId, expiresIn: 60 };
  test('makes what the authenticator reads', async () => {
    const token = signToken(secret, { ...input, roles: ['editor'], scope: 'documents:review' });
    expect(await bySecret(`Bearer ${token}`)).toEqual({ userId, tenantId, scopes: new Set([...roles.editor, 'documents:review']) });
  });
  test.each<[string, string]>([
    ['an expired one', signToken(secret, { ...input, expiresIn: -60 })],
    ['another issuer', signToken(secret, { ...input, issuer: 'x' })],
    ['another audience', signToken(secret, { ...input, audience: 'x' })],
    ['another secret', signToken(`${secret}!`, input)],
  ])('%s: 401', async (_, token) => {
    await expectRefused(`Bearer ${token}`);
  });
});

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
