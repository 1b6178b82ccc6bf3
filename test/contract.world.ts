import { generateKeyPairSync } from 'node:crypto';
import type { InjectOptions } from 'fastify';
import { beforeEach } from 'vitest';
import { inDays, restCaller } from './rest.caller.js';
import { type Actor, useWorld } from './world.js';

export const ulid = /^[0-9A-HJKMNP-TV-Z]{26}$/;
export const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const s3 = {
  name: 'KYC files',
  provider: 'aws_s3',
  bucket: 'kyc-files',
  credentials: { region: 'ap-south-1', aws_access_key_id: 'AKIAIOSFODNN7EXAMPLE', aws_secret_access_key: 'wJalrXUtnFEMI/K7MDENG' },
};
export const rsaKey = () =>
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
/** The documented keys, each with a value. */
export const config = {
  Tags: [{ Key: 'team', Value: 'lending' }],
  CORSConfiguration: { CORSRules: [{ AllowedMethods: ['GET'], AllowedOrigins: ['*'] }] },
  LoggingConfiguration: { LogFilePrefix: 'log/', DestinationBucketName: 'kyc-logs' },
  LifecycleConfiguration: { Rules: [{ ID: 'old', Prefix: 'tmp/', Status: 'Enabled', Expiration: { Days: 30 } }] },
  ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled' },
  VersioningConfiguration: { Status: 'Enabled' },
  PublicAccessBlockConfiguration: {
    BlockPublicAcls: true,
    IgnorePublicAcls: true,
    BlockPublicPolicy: true,
    RestrictPublicBuckets: true,
  },
  ServerSideEncryptionConfiguration: { Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }] },
};
export const kyc = { name: 'KYC', description: 'All KYC Documents', parent: '' };

/** An admin of their own for each test, who calls REST. */
export function useContract() {
  const world = useWorld();

  let admin: Actor;
  beforeEach(() => {
    admin = world().actor('admin');
  });

  const call = (method: NonNullable<InjectOptions['method']>, url: string, payload?: object, who: Actor | null = admin) =>
    restCaller(world(), who)(method, url, payload);

  /** One object of each kind, as POST answered it, and where it is. */
  async function created(): Promise<{ url: string; body: Record<string, unknown> }[]> {
    const document = (await call('POST', '/documents/', { name: 'Passport' })).body;
    const shares = `/documents/${document.id}/shares/`;
    const made = [
      ['/storages/', (await call('POST', '/storages/', s3)).body],
      ['/categories/', (await call('POST', '/categories/', kyc)).body],
      ['/documents/', document],
      [shares, (await call('POST', shares, { expires_at: inDays(1) })).body],
    ] as const;
    return made.map(([list, body]) => ({ url: `${list}${body.id}/`, body }));
  }
  return { world, call, created, admin: () => admin };
}
