import { randomUUID } from 'node:crypto';
import { HeadObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { StorageError } from '../errors.js';
import { type S3Bucket, soon } from './s3-client.js';
import { headFault } from './s3-faults.js';

/*
 * Objects are created and never replaced. PutObject and, at Amazon, CopyObject and CompleteMultipartUpload obey
 * `If-None-Match: *`; other stores ignore it on the latter two (Ceph does). So these also look whether the key is free,
 * as late as can be. Two that race for one key could still pass; but a key holds the id of the one upload it was made for.
 *
 * Each object carries a mark of its writer: when the answer to a write was lost and the repeated request is refused
 * because the key is taken, the mark tells that it was taken by ourselves.
 */

const MARK = 'docgate-write';

export const newMark = () => ({ [MARK]: randomUUID() });
export type Mark = ReturnType<typeof newMark>;

export async function headS3(place: S3Bucket, key: string): Promise<HeadObjectCommandOutput> {
  return place.client.send(new HeadObjectCommand({ Bucket: place.bucket, Key: key }), soon(place)).catch(async (error: unknown) => {
    throw await headFault(place, error, 's3:GetObject');
  });
}

const headIfThere = (place: S3Bucket, key: string) =>
  headS3(place, key).catch((error: unknown) => {
    if (error instanceof StorageError && error.reason === 'NOT_FOUND') return null;
    throw error;
  });

export async function assertFree(place: S3Bucket, key: string): Promise<void> {
  if (await headIfThere(place, key)) throw taken();
}

/** Whether the object at the key is the one of this write. */
export async function isOurs(place: S3Bucket, key: string, mark: Mark): Promise<boolean> {
  return (await headIfThere(place, key))?.Metadata?.[MARK] === mark[MARK];
}

/** Judges a write that was refused because of what is at the key. @throws StorageError unless it is our own object */
export async function settle(place: S3Bucket, key: string, mark: Mark, fault: StorageError): Promise<void> {
  if (fault.reason !== 'ALREADY_EXISTS') throw fault;
  const found = await headIfThere(place, key);
  if (found?.Metadata?.[MARK] === mark[MARK]) return;
  throw found ? taken() : contended();
}

const taken = () => new StorageError('ALREADY_EXISTS', 'The storage already holds an object of this name.');
const contended = () => new StorageError('UNKNOWN', 'The storage was busy with another write to this name. Try again.');
