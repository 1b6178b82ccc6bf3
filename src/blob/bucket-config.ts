import { z } from 'zod';
import type { StorageProvider } from '../db/generated/client.js';
import { ValidationError } from '../errors.js';
import { azureConfig } from './azure-config.js';
import { gcsConfig } from './gcs-config.js';

const status = z.enum(['Enabled', 'Disabled']);

/** What Docgate sets up on a bucket of S3, in the words of its API; anything else is refused by name. */
const s3 = z.strictObject({
  Tags: z
    .array(z.strictObject({ Key: z.string().min(1).max(128), Value: z.string().max(256) }))
    .max(50)
    .optional(),
  CORSConfiguration: z
    .strictObject({
      CORSRules: z
        .array(
          z.strictObject({
            ID: z.string().max(255).optional(),
            AllowedHeaders: z.array(z.string()).optional(),
            AllowedMethods: z.array(z.enum(['GET', 'PUT', 'HEAD', 'POST', 'DELETE'])).min(1),
            AllowedOrigins: z.array(z.string()).min(1),
            ExposeHeaders: z.array(z.string()).optional(),
            MaxAgeSeconds: z.number().int().min(0).optional(),
          }),
        )
        .min(1)
        .max(100),
    })
    .optional(),
  LoggingConfiguration: z
    .strictObject({ LogFilePrefix: z.string().max(512).default(''), DestinationBucketName: z.string().min(3).max(63) })
    .optional(),
  LifecycleConfiguration: z
    .strictObject({
      Rules: z
        .array(
          z.strictObject({
            ID: z.string().max(255).optional(),
            Prefix: z.string().max(1024).default(''),
            Status: status,
            Expiration: z.strictObject({ Days: z.number().int().min(1) }),
          }),
        )
        .min(1)
        .max(1000),
    })
    .optional(),
  ObjectLockConfiguration: z.strictObject({ ObjectLockEnabled: z.literal('Enabled') }).optional(),
  VersioningConfiguration: z.strictObject({ Status: z.enum(['Enabled', 'Suspended']) }).optional(),
  PublicAccessBlockConfiguration: z
    .strictObject({
      BlockPublicAcls: z.boolean().optional(),
      IgnorePublicAcls: z.boolean().optional(),
      BlockPublicPolicy: z.boolean().optional(),
      RestrictPublicBuckets: z.boolean().optional(),
    })
    .optional(),
  ServerSideEncryptionConfiguration: z
    .strictObject({
      Rules: z
        .array(
          z.strictObject({
            ApplyServerSideEncryptionByDefault: z.strictObject({
              SSEAlgorithm: z.enum(['AES256', 'aws:kms', 'aws:kms:dsse']),
              KMSMasterKeyID: z.string().optional(),
            }),
            BucketKeyEnabled: z.boolean().optional(),
          }),
        )
        .length(1),
    })
    .optional(),
});
export type S3BucketConfig = z.infer<typeof s3>;

/** A folder has nothing to set up. */
const nothing = z.strictObject({});
const schemas = { AWS_S3: s3, AZURE_BLOB: azureConfig, LOCAL_FS: nothing, GCP_STORAGE: gcsConfig };

/** The `config` of a bucket that Docgate manages. @throws ValidationError that names each key that it cannot apply */
export function parseBucketConfig<Provider extends StorageProvider>(
  provider: Provider,
  config: object,
): z.infer<(typeof schemas)[Provider]> {
  const parsed = schemas[provider].safeParse(config);
  // The schema of this provider gives its own type.
  if (parsed.success) return parsed.data as z.infer<(typeof schemas)[Provider]>;
  throw new ValidationError(
    parsed.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({
            path: ['config', ...issue.path, key].join('.'),
            message: `is nothing that Docgate sets up on ${provider}`,
          }))
        : [{ path: ['config', ...issue.path].join('.'), message: issue.message }],
    ),
  );
}
