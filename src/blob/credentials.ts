import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';
import type { StorageProvider } from '../db/generated/client.js';
import { type FieldIssue, ValidationError } from '../errors.js';

/** What stands in the place of a secret in every answer; sent back, it means "as it was". */
export const MASK = '********';

const value = (max = 512) => z.string().trim().min(1, 'must not be empty').max(max, `must have at most ${max} characters`);

/** Whether its host may be reached is for the host guard to say. */
const endpoint = value(2048)
  .refine(isPlainAddress, 'must be an address such as https://storage.example.com, without user, query or fragment')
  .optional();

function isPlainAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) && !url.username && !url.password && !/[?#]/.test(text);
}

/** It is sent in headers, which take nothing else. */
const key = value().regex(/^[!-~]*$/, 'must be printable ASCII without spaces');

const s3 = z.strictObject({
  // It becomes part of a host name.
  region: value(64).regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be a region such as eu-central-1'),
  aws_access_key_id: key,
  aws_secret_access_key: key,
  endpoint,
});

/** What a service account's key file has besides. It may be pasted whole, but is not kept: its addresses are not to be trusted. */
const fromKeyFile = z.unknown().optional();

const gcs = z
  .strictObject({
    project_id: value(),
    client_email: value(),
    private_key: value(16 * 1024).refine(isRsaKey, 'must be an RSA private key in PEM format, as in the key file of a service account'),
    endpoint,
    type: z.literal('service_account').optional(),
    private_key_id: fromKeyFile,
    client_id: fromKeyFile,
    auth_uri: fromKeyFile,
    token_uri: fromKeyFile,
    auth_provider_x509_cert_url: fromKeyFile,
    client_x509_cert_url: fromKeyFile,
    universe_domain: z.literal('googleapis.com').optional(),
  })
  .transform(({ project_id, client_email, private_key, endpoint }) => ({
    project_id,
    client_email,
    private_key,
    ...(endpoint !== undefined && { endpoint }),
  }));

function isRsaKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
}

const azureForms = 'send either account_name and account_key, or connection_string';
const azure = z
  .strictObject({
    account_name: value(64)
      .regex(/^[a-z0-9]+$/, 'must be lower-case letters and digits')
      .optional(),
    account_key: value()
      .regex(/^[A-Za-z0-9+/]+=*$/, 'must be base64')
      .optional(),
    connection_string: value(4096).optional(),
    endpoint,
  })
  .refine(
    (given) => (given.connection_string ? !given.account_name && !given.account_key : given.account_name && given.account_key),
    azureForms,
  );

const schemas = { LOCAL_FS: z.strictObject({}), AWS_S3: s3, GCP_STORAGE: gcs, AZURE_BLOB: azure };

export type S3Credentials = z.output<typeof s3>;
export type GcsCredentials = z.output<typeof gcs>;
export type AzureCredentials = z.output<typeof azure>;

/** The keys whose values are never shown. */
export const secretKeys: Record<StorageProvider, readonly string[]> = {
  LOCAL_FS: [],
  AWS_S3: ['aws_access_key_id', 'aws_secret_access_key'],
  GCP_STORAGE: ['private_key'],
  AZURE_BLOB: ['account_key', 'connection_string'],
};

/** Checks credentials of a provider. All that is wrong is told at once, under `credentials`, and without a value. @throws ValidationError */
export function parseCredentials<Provider extends StorageProvider>(
  provider: Provider,
  raw: Record<string, unknown>,
): z.output<(typeof schemas)[Provider]> {
  const parsed = schemas[provider].safeParse(raw);
  // The schema was picked by the provider, which the compiler cannot follow.
  if (parsed.success) return parsed.data as z.output<(typeof schemas)[Provider]>;
  throw new ValidationError(parsed.error.issues.flatMap((issue) => toFieldIssues(provider, issue)));
}

function toFieldIssues(provider: StorageProvider, issue: z.core.$ZodIssue): FieldIssue[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: named.test(key) ? `credentials.${key}` : 'credentials', message: unknownKey(provider) }));
  const missing = issue.code === 'invalid_type' && issue.input === undefined;
  return [{ path: ['credentials', ...issue.path].join('.'), message: missing ? 'is required' : issue.message }];
}

const taken: Record<StorageProvider, string> = {
  LOCAL_FS: 'none; send {}',
  AWS_S3: 'region, aws_access_key_id, aws_secret_access_key and endpoint',
  GCP_STORAGE: 'project_id, client_email, private_key and endpoint',
  AZURE_BLOB: 'account_name and account_key, or connection_string, and endpoint',
};
/** What looks like a name; anything else may be a secret in the wrong place, and is not repeated. */
const named = /^[a-z_]{1,40}$/;
const unknownKey = (provider: StorageProvider) => `is not known: ${provider} takes ${taken[provider]}`;

/** The same credentials as they may be shown. */
export const maskCredentials = (provider: StorageProvider, credentials: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(credentials).map(([key, text]) => [key, secretKeys[provider].includes(key) ? MASK : String(text)]));

/** New credentials in which the mask stands for what is stored: so what was shown can be sent back. @throws ValidationError */
export function mergeCredentials<Given extends Record<string, unknown>>(
  provider: StorageProvider,
  given: Given,
  stored: Record<string, unknown>,
): Given {
  const kept = secretKeys[provider].filter((key) => given[key] === MASK);
  const unknown = kept.filter((key) => stored[key] === undefined);
  if (unknown.length > 0)
    throw new ValidationError(unknown.map((key) => ({ path: `credentials.${key}`, message: 'is the mask, but nothing is stored' })));
  return { ...given, ...Object.fromEntries(kept.map((key) => [key, stored[key]])) };
}
