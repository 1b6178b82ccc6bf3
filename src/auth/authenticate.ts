import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { JwksClient, JwksError } from 'jwks-rsa';
import { z } from 'zod';
import { type JwtKey, SettingsError } from '../env.js';
import { DomainError, tokenInvalid, unavailable } from '../errors.js';
import { roles, type Scope, scopes, type Viewer } from './viewer.js';

export interface AuthConfig {
  key: JwtKey;
  /** The one accepted `iss`: the keys count for this issuer alone. */
  issuer: string;
  /** Must be the `aud` of a token, or one of them. */
  audience: string;
  /** Told of each failed fetch of the JWKS (at most one in 10 s), because known keys go on working and hide it from everyone else. */
  onJwksFailure?: (reason: unknown) => void;
}

/**
 * The value of the Authorization header → who acts; null when there is none (absent or empty).
 * @throws DomainError TOKEN_INVALID for whatever else is there and is not a good token; always the same, the reason is in `cause`
 * @throws DomainError UNAVAILABLE when the JWKS cannot be had and so nobody can tell whether the token is good
 */
export type Authenticate = (authorization: string | undefined) => Promise<Viewer | null>;

type Algorithm = 'HS256' | 'RS256' | 'ES256';
interface VerifyKey {
  key: KeyObject;
  algorithm: Algorithm;
}
type KeyFor = (token: string) => VerifyKey | Promise<VerifyKey>;

const seconds = 1000;
const minutes = 60 * seconds;
/** How far the issuer's clock may be from ours, in seconds. */
const clockTolerance = 5;
const maxHeaderLength = 8 * 1024;

/** @throws SettingsError when the key cannot safely check tokens */
export function createAuthenticator(config: AuthConfig): Authenticate {
  // jsonwebtoken takes an empty string for "do not check".
  if (!config.issuer) throw new SettingsError(['JWT_ISSUER: must not be empty']);
  if (!config.audience) throw new SettingsError(['JWT_AUDIENCE: must not be empty']);
  const keyFor = keySource(config);
  return async (authorization) => {
    if (authorization === undefined || authorization === '') return null;
    try {
      const token = bearerToken(authorization);
      return readToken(token, await keyFor(token), config);
    } catch (reason) {
      if (reason instanceof DomainError && reason.code === 'UNAVAILABLE') throw reason;
      throw new DomainError('TOKEN_INVALID', tokenInvalid().message, { cause: reason });
    }
  };
}

function keySource({ key, onJwksFailure }: AuthConfig): KeyFor {
  if (key.kind === 'jwks') {
    const keys = new KeySet(key.url, onJwksFailure);
    return (token) => keyOfHeader(keys, token);
  }
  const fixed = key.kind === 'secret' ? secretKey(key.secret) : publicKey(key.pem);
  return () => fixed;
}

// Reading a token

const bearer = /^Bearer +([\w-]+\.[\w-]+\.([\w-]+))$/i;

function bearerToken(authorization: string): string {
  if (authorization.length > maxHeaderLength) throw new Error(`longer than ${maxHeaderLength} bytes`);
  const [, token, signature] = bearer.exec(authorization) ?? [];
  if (!token || !signature) throw new Error('not of the form "Bearer header.payload.signature"');
  // The last character has bits to spare, so that one signature could be written in several ways.
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) throw new Error('the signature is not canonical base64url');
  return token;
}

/** `jwk`, `jku`, `x5c` and the like are never read: keys come from the configuration alone. */
const headerSchema = z.object({
  alg: z.string(),
  typ: z
    .string()
    .regex(/^(application\/)?(at\+)?jwt$/i)
    .optional(),
  kid: z.string().min(1).max(256).optional(),
  crit: z.never().optional(),
});

/** Seconds since 1970 up to the year 9999, which refuses milliseconds: such a token would live for 50 000 years. */
const instant = z.number().nonnegative().max(253_402_300_799);
const past = instant.refine((at) => at <= Date.now() / seconds + clockTolerance, 'in the future');
const nil = '00000000-0000-0000-0000-000000000000';
/** The nil UUID is what an unset id looks like: it would put all of an issuer's broken tokens into one tenant. */
const uuid = z
  .guid()
  .toLowerCase()
  .refine((id) => id !== nil, 'the nil UUID');

const claimsSchema = z.object({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: instant,
  iat: past.optional(),
  nbf: instant.optional(),
  jti: z.string().optional(),
  sub: uuid,
  tenant_id: uuid,
  scope: z.string().optional(),
  roles: z.union([z.string(), z.array(z.string()).max(20)]).optional(),
});

function readToken(token: string, { key, algorithm }: VerifyKey, { issuer, audience }: AuthConfig): Viewer {
  const { header, payload } = jwt.verify(token, key, { algorithms: [algorithm], issuer, audience, clockTolerance, complete: true });
  headerSchema.parse(header);
  const claims = claimsSchema.parse(payload);
  return { userId: claims.sub, tenantId: claims.tenant_id, scopes: allowedScopes(claims) };
}

// Maps, not objects: names such as "constructor" must lead nowhere.
const scopeByName = new Map<string, Scope>(scopes.map((scope) => [scope, scope]));
const scopesByRole = new Map<string, readonly Scope[]>(Object.entries(roles));

function allowedScopes({ scope = '', roles = [] }: z.infer<typeof claimsSchema>): Set<Scope> {
  const allowed = new Set<Scope>();
  for (const name of scope.split(' ')) {
    const known = scopeByName.get(name);
    if (known) allowed.add(known);
  }
  for (const role of typeof roles === 'string' ? [roles] : roles) {
    for (const bundled of scopesByRole.get(role) ?? []) allowed.add(bundled);
  }
  return allowed;
}

// The configured keys

function secretKey(secret: string): VerifyKey {
  const octets = Buffer.from(secret);
  if (octets.length < 32) throw new SettingsError(['JWT_SECRET: at least 32 bytes']);
  // A public key as the secret would let everyone sign.
  if (secret.includes('-----BEGIN ')) throw new SettingsError(['JWT_SECRET: is a PEM; a public key belongs into JWT_PUBLIC_KEY']);
  return { key: createSecretKey(octets), algorithm: 'HS256' };
}

function publicKey(given: string): VerifyKey {
  // Many deployment tools cannot hold line breaks in a variable and write \n.
  const pem = given.replaceAll('\\n', '\n').trim();
  // createPublicKey would quietly derive the public half.
  if (pem.includes('PRIVATE KEY'))
    refusePem('is a private key; give the public one (openssl pkey -pubout) and replace the pair: it was exposed');
  if (!/^-----BEGIN (RSA )?PUBLIC KEY-----[^-]+-----END (RSA )?PUBLIC KEY-----$/.test(pem))
    refusePem('must be one public key in PEM format');
  const key = parsePem(pem);
  const algorithm = algorithmOf(key);
  if (!algorithm) refusePem('must be RSA of at least 2048 bits (RS256) or EC on the curve P-256 (ES256)');
  return { key, algorithm };
}

function parsePem(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch {
    return refusePem('is damaged');
  }
}

function refusePem(problem: string): never {
  throw new SettingsError([`JWT_PUBLIC_KEY: ${problem}`]);
}

/** The one algorithm that a public key checks; null when it is too weak or of another kind. */
function algorithmOf(key: KeyObject): Algorithm | null {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048) return 'RS256';
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return 'ES256';
  return null;
}

// The issuer's published keys

const jwksHeaderSchema = headerSchema.extend({ alg: z.enum(['RS256', 'ES256']), kid: z.string().min(1).max(256) });

async function keyOfHeader(keys: KeySet, token: string): Promise<VerifyKey> {
  const { alg, kid } = jwksHeaderSchema.parse(jwt.decode(token, { complete: true })?.header);
  const key = await keys.find(keyId(alg, kid));
  if (!key) throw new Error(`the issuer publishes no ${alg} key ${JSON.stringify(kid)}`);
  return { key, algorithm: alg };
}

/** With the algorithm in the name, a key is found for its own algorithm only. */
const keyId = (algorithm: Algorithm, kid: string) => `${algorithm} ${kid}`;

/** So old may the set be before it is read again: a withdrawn key dies within this time, while the endpoint answers. */
const freshFor = 10 * minutes;
/** So long known keys work while the endpoint is down. */
const keepFor = 4 * 60 * minutes;
/** Between two requests to the endpoint, whatever tokens arrive. */
const coolDown = 10 * seconds;
const fetchTimeout = 5 * seconds;
const maxJwksSize = 256 * 1024;

/**
 * jwks-rsa reads the keys; it does not hold them: its cache is per kid behind one rate limit, so that a flood of random kids uses the limit up
 * and locks out good keys at their next expiry. Here the whole set is one entry, and a known key never waits for an unknown one.
 */
class KeySet {
  readonly #client: JwksClient;
  #keys = new Map<string, KeyObject>();
  #readAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #failure: unknown;
  #pending: Promise<void> | undefined;

  constructor(
    url: string,
    private readonly onFailure: (reason: unknown) => void = () => {},
  ) {
    this.#client = new JwksClient({ jwksUri: url, fetcher: fetchJwks, cache: false, rateLimit: false });
  }

  /** @throws DomainError UNAVAILABLE when the key is not known and the endpoint is down */
  async find(id: string): Promise<KeyObject | undefined> {
    const known = this.#usable(id);
    if (known && this.#age() < freshFor) return known;
    const refreshed = this.#refresh();
    // While the endpoint is down, who has a known key does not wait for its timeout.
    if (!known || !this.#failure) await refreshed;
    const key = this.#usable(id);
    if (!key && this.#failure) {
      throw unavailable('The keys that check tokens cannot be read now. Keep your token and try again in a minute.', {
        cause: this.#failure,
      });
    }
    return key;
  }

  #age(): number {
    return performance.now() - this.#readAt;
  }

  #usable(id: string): KeyObject | undefined {
    return this.#age() < keepFor ? this.#keys.get(id) : undefined;
  }

  #refresh(): Promise<void> | undefined {
    if (!this.#pending && performance.now() - this.#triedAt >= coolDown) {
      this.#triedAt = performance.now();
      this.#pending = this.#read().finally(() => {
        this.#pending = undefined;
      });
    }
    return this.#pending;
  }

  async #read(): Promise<void> {
    try {
      this.#keys = await publishedKeys(this.#client);
      this.#readAt = performance.now();
      this.#failure = this.#keys.size > 0 ? undefined : new Error('the JWKS holds no key that may check tokens');
    } catch (reason) {
      this.#failure = reason;
    }
    if (this.#failure) this.onFailure(this.#failure);
  }
}

async function publishedKeys(client: JwksClient): Promise<Map<string, KeyObject>> {
  const keys = new Map<string, KeyObject>();
  for (const published of await signingKeys(client)) {
    const key = createPublicKey(published.getPublicKey());
    const algorithm = algorithmOf(key);
    if (algorithm) keys.set(keyId(algorithm, published.kid), key);
  }
  return keys;
}

/** A set that is well-formed and empty is the issuer's word, not an outage: all its keys are withdrawn. */
async function signingKeys(client: JwksClient) {
  try {
    return await client.getSigningKeys();
  } catch (reason) {
    if (reason instanceof JwksError) return [];
    throw reason;
  }
}

const jwksSchema = z.object({ keys: z.array(z.unknown()) });
const signingJwkSchema = z.object({
  use: z.literal('sig'),
  kid: z.string().min(1),
  alg: z.enum(['RS256', 'ES256']).optional(),
});

/** In place of jwks-rsa's own request, which never ends when the body breaks off and reads bodies of any size. */
async function fetchJwks(url: string) {
  const signal = AbortSignal.timeout(fetchTimeout);
  const response = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`the JWKS endpoint answered ${response.status}`);
  const { keys } = jwksSchema.parse(JSON.parse(await readText(response)));
  // One at a time, so that a key of a new kind does not spoil the others.
  return { keys: keys.filter((key) => signingJwkSchema.safeParse(key).success) };
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxJwksSize) throw new Error(`the JWKS is larger than ${maxJwksSize} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
