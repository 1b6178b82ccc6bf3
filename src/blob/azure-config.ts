import { z } from 'zod';

const name = /^[a-z][a-z0-9_]{0,127}$/;
const scope = /^[A-Za-z0-9]{3,63}$/;
/** Of all names and values together, in bytes. */
const METADATA_MAX = 8 * 1024;

/** It travels as headers, where names are the same in capitals and values are ASCII. */
const metadata = z
  .record(
    z.string().regex(name, 'must be lower-case letters, digits and underscores, and start with a letter'),
    z.string().regex(/^[!-~]([ -~]*[!-~])?$/, 'must be printable ASCII, without space around it'),
  )
  .refine((given) => Object.entries(given).join('').length <= METADATA_MAX, 'must have at most 8 KiB');

/**
 * What Docgate sets up on a container of Azure Blob Storage, in the words of its API; anything else is refused by name. CORS, logging,
 * versioning, soft delete and lifecycle belong to the whole account there, which is not for one of its containers to change.
 */
export const azureConfig = z
  .strictObject({
    metadata: metadata.optional(),
    defaultEncryptionScope: z.string().regex(scope, 'must be 3 to 63 letters and digits').optional(),
    denyEncryptionScopeOverride: z.boolean().optional(),
  })
  .refine((given) => !given.denyEncryptionScopeOverride || given.defaultEncryptionScope !== undefined, {
    path: ['denyEncryptionScopeOverride'],
    message: 'needs a defaultEncryptionScope',
  });
export type AzureContainerConfig = z.infer<typeof azureConfig>;
