import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { StorageError, type StorageFailure } from '../errors.js';
import { connectionFault, foreign, statusFault, trimmed } from './faults.js';
import { type S3Bucket, soon } from './s3-client.js';

type Told = [reason: StorageFailure, message: string];

const credentialsRefused: Told = ['UNAUTHENTICATED', 'The storage does not take these credentials. Check the access key and its secret.'];
const elsewhere: Told = ['MISCONFIGURED', 'The bucket is in another region or at another endpoint. Correct the region or the endpoint.'];
const told = new Map<string, Told>([
  ['InvalidAccessKeyId', credentialsRefused],
  ['SignatureDoesNotMatch', credentialsRefused],
  ['InvalidToken', credentialsRefused],
  ['ExpiredToken', credentialsRefused],
  ['NoSuchBucket', ['NO_BUCKET', 'There is no such bucket. Create it, or correct its name.']],
  ['NoSuchUpload', ['NOT_FOUND', 'The storage knows no such upload: it was completed or given up. Begin a new one.']],
  ['NoSuchKey', ['NOT_FOUND', 'The storage holds no such object.']],
  ['PermanentRedirect', elsewhere],
  ['AuthorizationHeaderMalformed', elsewhere],
  ['RequestTimeTooSkewed', ['MISCONFIGURED', 'The clock of this server differs from that of the storage. Set it right.']],
  ['InvalidPart', ['CHANGED', 'A part changed meanwhile. List the parts again.']],
  ['EntityTooSmall', ['UNSUPPORTED', 'A part is too small: all but the last need at least 5 MiB.']],
  ['QuotaExceeded', ['UNKNOWN', 'The quota of the storage is used up. Raise it or free some space, then try again.']],
]);

/** @param right what the request needs, named when it is missing: `s3:PutObject` */
export function s3Fault(error: unknown, right?: string): StorageError {
  const unanswered = connectionFault(error);
  if (unanswered) return unanswered;
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number; requestId?: string } };
  const fault = { code: name ?? 'unknown', status: $metadata?.httpStatusCode ?? 0, requestId: $metadata?.requestId };
  const cause = trimmed(fault);
  const known = told.get(fault.code);
  if (known) return new StorageError(...known, { cause });
  if (fault.status === 403 && right)
    return new StorageError('FORBIDDEN', `The credentials have no right to do this in the bucket. Grant ${right}, then try again.`, {
      cause,
    });
  // The SDK reports an answer that it cannot read without a status, or with one that says that all is well.
  if (fault.status < 300 && error instanceof Error && '$response' in error) return notS3(cause);
  return statusFault(fault);
}

export const notS3 = (cause?: unknown) => foreign('the S3 protocol', cause);

/** Why a HEAD failed: its answer has no body to say it. The same question is put in a way that has. */
export async function headFault(place: S3Bucket, error: unknown, right: string): Promise<StorageError> {
  const fault = s3Fault(error, right);
  if (fault.code !== 'STORAGE_REFUSED') return fault;
  return place.client.send(new ListObjectsV2Command({ Bucket: place.bucket, MaxKeys: 1 }), soon(place)).then(
    () => fault,
    (why: unknown) => s3Fault(why, 's3:ListBucket'),
  );
}
