import { S3Client } from '@aws-sdk/client-s3';
import type { S3Credentials } from './credentials.js';
import type { Agents } from './hosts.js';
import type { Patience } from './patience.js';

/** One bucket, and how to talk to it. */
export interface S3Bucket {
  client: S3Client;
  bucket: string;
  patience: Patience;
}

/** @param isGoogle whether Google answers at the endpoint */
export function createS3Client(
  credentials: S3Credentials,
  agents: Agents,
  patience: Patience,
  isGoogle = isGoogles(credentials.endpoint),
): S3Client {
  const client = new S3Client({
    region: credentials.region,
    credentials: { accessKeyId: credentials.aws_access_key_id, secretAccessKey: credentials.aws_secret_access_key },
    // The environment of this process must not lead a tenant's bytes elsewhere.
    ignoreConfiguredEndpointUrls: true,
    ...(credentials.endpoint && { endpoint: credentials.endpoint, forcePathStyle: true }),
    followRegionRedirects: false,
    maxAttempts: patience.attempts,
    retryMode: 'standard',
    // Not every store knows the newer checksums. Bodies are covered by the signature, which has their SHA-256.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    // It would write to the console.
    logger: silent,
    requestHandler: {
      ...agents,
      connectionTimeout: patience.connect,
      requestTimeout: patience.transfer,
      throwOnRequestTimeout: true,
    },
  });
  if (isGoogle) askAsGoogleDoes(client);
  return client;
}

const isGoogles = (endpoint: string | undefined) => endpoint !== undefined && new URL(endpoint).hostname === 'storage.googleapis.com';

/** Google's XML API knows the condition "only if there is none" by another name than S3's protocol has for it. */
function askAsGoogleDoes(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      // At this step every request is one of HTTP.
      const { headers } = args.request as { headers: Record<string, string> };
      if (headers['if-none-match'] === '*') headers['x-amz-if-generation-match'] = '0';
      return next(args);
    },
    { step: 'build', name: 'askAsGoogleDoes' },
  );
}

const ignore = () => undefined;
const silent = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/** For requests that carry no bytes of an object: they must be answered soon. */
export const soon = ({ patience }: S3Bucket) => ({ requestTimeout: patience.answer });
