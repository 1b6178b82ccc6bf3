import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { SettingsError } from '../env.js';

export type Algorithm = 'HS256' | 'RS256' | 'ES256';

/** A key and the only algorithm that it is used with. */
export interface VerifyKey {
  key: KeyObject;
  algorithm: Algorithm;
}

/** @throws SettingsError when it cannot safely check tokens */
export function secretKey(secret: string): VerifyKey {
  const octets = Buffer.from(secret);
  if (octets.length < 32) throw new SettingsError(['JWT_SECRET: at least 32 bytes']);
  // A public key as the secret would let everyone sign.
  if (secret.includes('-----BEGIN ')) throw new SettingsError(['JWT_SECRET: is a PEM; a public key belongs into JWT_PUBLIC_KEY']);
  return { key: createSecretKey(octets), algorithm: 'HS256' };
}

/** @throws SettingsError when it cannot safely check tokens */
export function publicKey(given: string): VerifyKey {
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
export function algorithmOf(key: KeyObject): Algorithm | null {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048) return 'RS256';
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return 'ES256';
  return null;
}
