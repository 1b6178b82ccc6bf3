import { createPublicKey, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { JwksClient, JwksError } from 'jwks-rsa';
import { z } from 'zod';
import { unavailable } from '../errors.js';
import { headerSchema } from './claims.js';
import { type Algorithm, algorithmOf, type VerifyKey } from './keys.js';

const seconds = 1000;
const minutes = 60 * seconds;

const jwksHeaderSchema = headerSchema.extend({ alg: z.enum(['RS256', 'ES256']), kid: z.string().min(1).max(256) });

/** The published key that a token names. @throws Error when there is none, UNAVAILABLE when nobody can tell */
export async function keyOfHeader(keys: KeySet, token: string): Promise<VerifyKey> {
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
export class KeySet {
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
