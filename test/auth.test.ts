import { describe, expect, test } from 'vitest';
import type { Authenticate } from '../src/auth/authenticate.js';
import { signToken } from '../src/auth/token.js';
import { roles, scopes } from '../src/auth/viewer.js';
import {
  audience,
  byEc,
  byRsa,
  bySecret,
  expectRefused,
  forge,
  goodClaims,
  issuer,
  type Sign,
  secret,
  tenantId,
  userId,
  withClaims,
  withHeader,
} from './auth.tokens.js';

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
