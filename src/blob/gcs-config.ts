import { z } from 'zod';

const label = /^[a-z0-9_-]{0,63}$/;
const storageClass = z.enum(['STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE']);
const days = z.number().int().min(0);

const cors = z.strictObject({
  origin: z.array(z.string()).min(1),
  method: z.array(z.string()).min(1),
  responseHeader: z.array(z.string()).optional(),
  maxAgeSeconds: z.number().int().min(0).optional(),
});

const rule = z.strictObject({
  action: z.discriminatedUnion('type', [
    z.strictObject({ type: z.enum(['Delete', 'AbortIncompleteMultipartUpload']) }),
    z.strictObject({ type: z.literal('SetStorageClass'), storageClass }),
  ]),
  condition: z
    .strictObject({
      age: days.optional(),
      isLive: z.boolean().optional(),
      daysSinceNoncurrentTime: days.optional(),
      numNewerVersions: z.number().int().min(0).optional(),
      matchesPrefix: z.array(z.string()).optional(),
    })
    .refine((given) => Object.keys(given).length > 0, 'must say when'),
});

/** What Docgate sets up on a bucket of Google Cloud Storage, in the words of its JSON API; anything else is refused by name. */
export const gcsConfig = z.strictObject({
  location: z.string().min(1).max(64).optional(),
  storageClass: storageClass.optional(),
  labels: z
    .record(
      z
        .string()
        .regex(/^[a-z]/)
        .regex(label),
      z.string().regex(label),
    )
    .optional(),
  cors: z.array(cors).min(1).optional(),
  lifecycle: z.strictObject({ rule: z.array(rule).min(1).max(100) }).optional(),
  versioning: z.strictObject({ enabled: z.boolean() }).optional(),
  iamConfiguration: z
    .strictObject({
      uniformBucketLevelAccess: z.strictObject({ enabled: z.boolean() }).optional(),
      publicAccessPrevention: z.enum(['enforced', 'inherited']).optional(),
    })
    .optional(),
  encryption: z.strictObject({ defaultKmsKeyName: z.string().min(1) }).optional(),
  retentionPolicy: z.strictObject({ retentionPeriod: z.number().int().min(1) }).optional(),
  softDeletePolicy: z.strictObject({ retentionDurationSeconds: z.number().int().min(0) }).optional(),
  logging: z.strictObject({ logBucket: z.string().min(3).max(222), logObjectPrefix: z.string().max(900).optional() }).optional(),
});
export type GcsBucketConfig = z.infer<typeof gcsConfig>;
