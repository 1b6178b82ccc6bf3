import { z } from 'zod';
import { jsonObject, name, version } from '../input.js';

const providers = ['LOCAL_FS', 'AWS_S3', 'GCP_STORAGE', 'AZURE_BLOB'] as const;

const bucket = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/,
    'must be 3 to 63 lower-case letters, digits and hyphens, and start and end with a letter or digit',
  );

const config = jsonObject(64 * 1024);
const credentials = jsonObject(16 * 1024);

export const createStorageInput = z.object({
  name: name(100),
  provider: z.enum(providers),
  bucket,
  config: config.nullish(),
  credentials,
  managed: z.boolean().nullish(),
});
export type CreateStorageInput = z.input<typeof createStorageInput>;

export const updateStorageInput = z.object({
  name: name(100).nullish(),
  config: config.nullish(),
  credentials: credentials.nullish(),
  expectedVersion: version(),
});
export type UpdateStorageInput = z.input<typeof updateStorageInput>;

export const probeInput = z.object({ provider: z.enum(providers), bucket, credentials });
/** Every part is required; the schema says so to whoever leaves one out. */
export type ProbeInput = { [Key in keyof z.input<typeof probeInput>]?: z.input<typeof probeInput>[Key] | null };
