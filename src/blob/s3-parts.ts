import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { StorageError } from '../errors.js';
import { type S3Bucket, soon } from './s3-client.js';
import { assertFree, headS3 } from './s3-create.js';
import { s3Fault } from './s3-faults.js';
import { expiryOf } from './signed.js';
import type { MultipartUploads, PartInfo, SignedRequest } from './store.js';
import { sendExactly, sending } from './streams.js';

const MiB = 1024 ** 2;
export const s3PartLimits = { minSize: 5 * MiB, maxSize: 5 * 1024 * MiB, maxParts: 10_000 };

export function s3Parts(place: S3Bucket): MultipartUploads {
  return {
    limits: s3PartLimits,
    create: (key, options) => create(place, key, options?.contentType),
    putPart: (key, uploadId, number, body, { size, signal }) =>
      sending(body, signal, forWrite, () => putPart(place, key, uploadId, number, body, size)),
    presignPart: (key, uploadId, number, { expiresIn }) => presignPart(place, key, uploadId, number, expiresIn),
    listParts: (key, uploadId) => listParts(place, key, uploadId),
    complete: (key, uploadId, parts) => complete(place, key, uploadId, parts),
    abort: (key, uploadId) => abort(place, key, uploadId),
  };
}

async function create(place: S3Bucket, key: string, contentType?: string): Promise<string> {
  const command = new CreateMultipartUploadCommand({ Bucket: place.bucket, Key: key, ContentType: contentType });
  const { UploadId } = await place.client.send(command, soon(place)).catch(failWrite);
  if (!UploadId) throw new StorageError('UNKNOWN', 'The storage began an upload without naming it. Try again.');
  return UploadId;
}

async function putPart(place: S3Bucket, key: string, uploadId: string, number: number, body: Readable, size: number): Promise<PartInfo> {
  return sendExactly(body, { size, patience: place.patience.transfer }, async (exact, abortSignal) => {
    const target = { Bucket: place.bucket, Key: key, UploadId: uploadId, PartNumber: number };
    const command = new UploadPartCommand({ ...target, Body: exact, ContentLength: size });
    // Its length in time depends on the size; sendExactly watches that it moves on.
    const { ETag } = await place.client.send(command, { abortSignal, requestTimeout: 0 });
    return { number, size, etag: ETag ?? '' };
  });
}

async function presignPart(place: S3Bucket, key: string, uploadId: string, number: number, expiresIn: number): Promise<SignedRequest> {
  const command = new UploadPartCommand({ Bucket: place.bucket, Key: key, UploadId: uploadId, PartNumber: number });
  const expiresAt = expiryOf(expiresIn);
  const url = await getSignedUrl(place.client, command, { expiresIn }).catch(failWrite);
  return { method: 'PUT', url, headers: {}, expiresAt };
}

async function listParts(place: S3Bucket, key: string, uploadId: string): Promise<PartInfo[]> {
  const found: PartInfo[] = [];
  // Not by the SDK's paginator, which asks on for ever where a store names a next marker on the last page, as Ceph does.
  for (let marker: string | undefined, more = true; more; ) {
    const command = new ListPartsCommand({ Bucket: place.bucket, Key: key, UploadId: uploadId, PartNumberMarker: marker });
    const page = await place.client.send(command, soon(place)).catch((error: unknown) => {
      throw s3Fault(error, 's3:ListMultipartUploadParts');
    });
    for (const { PartNumber = 0, Size = 0, ETag = '' } of page.Parts ?? []) found.push({ number: PartNumber, size: Size, etag: ETag });
    more = page.IsTruncated === true && page.NextPartNumberMarker !== marker;
    marker = page.NextPartNumberMarker;
  }
  return found;
}

async function complete(place: S3Bucket, key: string, uploadId: string, parts: PartInfo[]): Promise<void> {
  await assertFree(place, key);
  const command = new CompleteMultipartUploadCommand({
    Bucket: place.bucket,
    Key: key,
    UploadId: uploadId,
    IfNoneMatch: '*',
    MultipartUpload: { Parts: parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag })) },
  });
  try {
    await place.client.send(command);
  } catch (error) {
    const fault = s3Fault(error, 's3:PutObject');
    if (fault.reason !== 'NOT_FOUND' || !wasRepeated(error)) throw fault;
    // The key was free a moment ago: the first request did it, and its answer was lost.
    const { ContentLength } = await headS3(place, key);
    if (ContentLength !== parts.reduce((sum, { size }) => sum + size, 0)) throw fault;
  }
}

const wasRepeated = (error: unknown) => ((error as { $metadata?: { attempts?: number } }).$metadata?.attempts ?? 1) > 1;

async function abort(place: S3Bucket, key: string, uploadId: string): Promise<void> {
  const command = new AbortMultipartUploadCommand({ Bucket: place.bucket, Key: key, UploadId: uploadId });
  await place.client.send(command, soon(place)).catch((error: unknown) => {
    const fault = s3Fault(error, 's3:AbortMultipartUpload');
    if (fault.reason !== 'NOT_FOUND') throw fault;
  });
}

const forWrite = (error: unknown) => s3Fault(error, 's3:PutObject');
const failWrite = (error: unknown): never => {
  throw forWrite(error);
};
