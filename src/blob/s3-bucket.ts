import {
  CreateBucketCommand,
  DeleteBucketCorsCommand,
  DeleteBucketEncryptionCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketTaggingCommand,
  DeletePublicAccessBlockCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutBucketCorsCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketLoggingCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { StorageError } from '../errors.js';
import type { S3BucketConfig } from './bucket-config.js';
import type { S3Credentials } from './credentials.js';
import { closeIdle, type HostGuard } from './hosts.js';
import { usualPatience } from './patience.js';
import { createS3Client } from './s3-client.js';
import { s3Fault } from './s3-faults.js';

type Key = keyof S3BucketConfig;

/** How one key of the configuration is set and unset, and the right that both take. */
interface Setting<K extends Key> {
  right: string;
  set: (client: S3Client, Bucket: string, value: NonNullable<S3BucketConfig[K]>) => Promise<unknown>;
  unset: (client: S3Client, Bucket: string) => Promise<unknown>;
}

const settings: { [K in Key]-?: Setting<K> } = {
  Tags: {
    right: 's3:PutBucketTagging',
    set: (client, Bucket, TagSet) => client.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } })),
    unset: (client, Bucket) => client.send(new DeleteBucketTaggingCommand({ Bucket })),
  },
  CORSConfiguration: {
    right: 's3:PutBucketCORS',
    set: (client, Bucket, CORSConfiguration) => client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration })),
    unset: (client, Bucket) => client.send(new DeleteBucketCorsCommand({ Bucket })),
  },
  LoggingConfiguration: {
    right: 's3:PutBucketLogging',
    set: (client, Bucket, { DestinationBucketName: TargetBucket, LogFilePrefix: TargetPrefix }) =>
      client.send(new PutBucketLoggingCommand({ Bucket, BucketLoggingStatus: { LoggingEnabled: { TargetBucket, TargetPrefix } } })),
    unset: (client, Bucket) => client.send(new PutBucketLoggingCommand({ Bucket, BucketLoggingStatus: {} })),
  },
  LifecycleConfiguration: {
    right: 's3:PutLifecycleConfiguration',
    set: (client, Bucket, { Rules }) =>
      client.send(
        new PutBucketLifecycleConfigurationCommand({
          Bucket,
          LifecycleConfiguration: { Rules: Rules.map(({ Prefix, ...rule }) => ({ ...rule, Filter: { Prefix } })) },
        }),
      ),
    unset: (client, Bucket) => client.send(new DeleteBucketLifecycleCommand({ Bucket })),
  },
  // Given when the bucket is created, and then for good.
  ObjectLockConfiguration: { right: 's3:PutBucketObjectLockConfiguration', set: async () => {}, unset: async () => {} },
  VersioningConfiguration: {
    right: 's3:PutBucketVersioning',
    set: (client, Bucket, VersioningConfiguration) => client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration })),
    unset: (client, Bucket) => client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Suspended' } })),
  },
  PublicAccessBlockConfiguration: {
    right: 's3:PutBucketPublicAccessBlock',
    set: (client, Bucket, PublicAccessBlockConfiguration) =>
      client.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration })),
    unset: (client, Bucket) => client.send(new DeletePublicAccessBlockCommand({ Bucket })),
  },
  ServerSideEncryptionConfiguration: {
    right: 's3:PutEncryptionConfiguration',
    set: (client, Bucket, ServerSideEncryptionConfiguration) =>
      client.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration })),
    unset: (client, Bucket) => client.send(new DeleteBucketEncryptionCommand({ Bucket })),
  },
};

interface Wanted {
  bucket: string;
  credentials: S3Credentials;
  config: S3BucketConfig;
  /** What was applied before; null: the bucket is to be created. */
  before: S3BucketConfig | null;
}

/**
 * Creates a bucket, or takes over an empty one, and applies the difference between two configurations. What fails may
 * leave the rest applied; to apply it again does no harm.
 *
 * @throws StorageError ALREADY_EXISTS for a bucket with objects: its configuration is not ours to change
 */
export async function provisionS3({ bucket, credentials, config, before }: Wanted, hosts: HostGuard): Promise<void> {
  if (credentials.endpoint) hosts.check(credentials.endpoint);
  const agents = hosts.agents({ keepAlive: true, maxSockets: 1 });
  const client = createS3Client(credentials, agents, usualPatience);
  try {
    if (before === null) await createBucket(client, bucket, credentials.region, config);
    else if (Boolean(before.ObjectLockConfiguration) !== Boolean(config.ObjectLockConfiguration)) throw lockIsFixed();
    for (const key of Object.keys(settings) as Key[]) await applyKey(client, bucket, key, config, before ?? {});
  } finally {
    client.destroy();
    closeIdle(agents);
  }
}

async function applyKey(client: S3Client, bucket: string, key: Key, config: S3BucketConfig, before: S3BucketConfig) {
  const [value, old] = [config[key], before[key]];
  if (JSON.stringify(value) === JSON.stringify(old)) return;
  const { right, set, unset } = settings[key];
  // Each key's setting takes the value of that very key.
  await (value === undefined ? unset(client, bucket) : set(client, bucket, value as never)).catch(refused(right, key));
}

async function createBucket(client: S3Client, Bucket: string, region: string, config: S3BucketConfig): Promise<void> {
  if (await exists(client, Bucket)) return requireEmpty(client, Bucket);
  const place = region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region as never } }; // any region that the store knows
  const ObjectLockEnabledForBucket = config.ObjectLockConfiguration !== undefined;
  await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket, ...place })).catch(refused('s3:CreateBucket'));
}

const exists = (client: S3Client, Bucket: string): Promise<boolean> =>
  client.send(new HeadBucketCommand({ Bucket })).then(
    () => true,
    (error: unknown) => {
      const fault = s3Fault(error, 's3:ListBucket');
      if (fault.reason === 'NOT_FOUND' || fault.reason === 'NO_BUCKET') return false;
      throw fault;
    },
  );

async function requireEmpty(client: S3Client, Bucket: string): Promise<void> {
  const { KeyCount } = await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1 })).catch(refused('s3:ListBucket'));
  if (KeyCount) throw bucketInUse();
}

const refused =
  (right: string, key?: Key) =>
  (error: unknown): never => {
    const fault = s3Fault(error, right);
    if (!key || fault.code !== 'STORAGE_REFUSED' || fault.reason === 'UNAUTHENTICATED') throw fault;
    throw new StorageError(fault.reason, `The storage refused config.${key}: ${fault.message}`, { cause: fault.cause });
  };

const bucketInUse = () =>
  new StorageError(
    'ALREADY_EXISTS',
    'There is such a bucket and it holds objects. Name another one, or use it as it is: send managed as false.',
  );
const lockIsFixed = () =>
  new StorageError(
    'UNSUPPORTED',
    'config.ObjectLockConfiguration is given when a bucket is created, and then for good. Create another storage.',
  );
