import { type JwtKey, SettingsError } from '../env.js';
import { DomainError, tokenInvalid } from '../errors.js';
import { bearerToken, readToken } from './claims.js';
import { KeySet, keyOfHeader } from './jwks.js';
import { publicKey, secretKey, type VerifyKey } from './keys.js';
import type { Viewer } from './viewer.js';

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

type KeyFor = (token: string) => VerifyKey | Promise<VerifyKey>;

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
