import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import type { StorageError } from '../errors.js';
import { changedMeanwhile } from './faults.js';
import { type S3Bucket, soon } from './s3-client.js';
import { assertFree, headS3, type Mark, newMark, settle } from './s3-create.js';
import { s3Fault } from './s3-faults.js';

/** What is copied, and whose bytes it must still have. */
interface Source {
  key: string;
  size: number;
  etag: string;
  contentType: string | undefined;
}

/** In bytes. Also the most that one request copies: it is answered when that is done, within the usual patience. Amazon's limit is 5 GB. */
const PIECE = 256 * 1024 ** 2;
const MAX_PIECES = 10_000;
const PARALLEL = 4;

/** @param piece larger objects are copied in pieces of this size, in bytes */
export async function copyS3(place: S3Bucket, from: string, to: string, version?: string, piece = PIECE): Promise<void> {
  const { ContentLength: size = 0, ETag: etag = '', ContentType: contentType } = await headS3(place, from);
  if (version !== undefined && version !== etag) throw changedMeanwhile();
  await assertFree(place, to);
  const mark = newMark();
  const source = { key: from, size, etag, contentType };
  try {
    await (size <= piece ? copyWhole(place, source, to, mark) : copyPieces(place, source, to, mark, piece));
  } catch (error) {
    const fault = s3Fault(error, 's3:GetObject and s3:PutObject');
    await settle(place, to, mark, fault).catch((refused: StorageError) => {
      // The key is free, so it was the other condition that failed.
      throw fault.reason === 'ALREADY_EXISTS' && refused.reason === 'UNKNOWN' ? changedMeanwhile() : refused;
    });
  }
}

async function copyWhole({ client, bucket }: S3Bucket, source: Source, to: string, mark: Mark): Promise<void> {
  await client.send(
    new CopyObjectCommand({
      ...pinned(bucket, source),
      Bucket: bucket,
      Key: to,
      IfNoneMatch: '*',
      MetadataDirective: 'REPLACE',
      Metadata: mark,
      ContentType: source.contentType,
    }),
  );
}

async function copyPieces(place: S3Bucket, source: Source, to: string, mark: Mark, piece: number): Promise<void> {
  const { client, bucket } = place;
  const target = { Bucket: bucket, Key: to };
  const begun = await client.send(
    new CreateMultipartUploadCommand({ ...target, ContentType: source.contentType, Metadata: mark }),
    soon(place),
  );
  const upload = { ...target, UploadId: begun.UploadId };
  try {
    const parts = await inPieces(source.size, Math.max(piece, Math.ceil(source.size / MAX_PIECES)), async (number, range) => {
      const command = new UploadPartCopyCommand({ ...upload, ...pinned(bucket, source), PartNumber: number, CopySourceRange: range });
      return { PartNumber: number, ETag: (await client.send(command)).CopyPartResult?.ETag };
    });
    await assertFree(place, to);
    await client.send(new CompleteMultipartUploadCommand({ ...upload, IfNoneMatch: '*', MultipartUpload: { Parts: parts } }));
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand(upload), soon(place)).catch(() => undefined);
    throw error;
  }
}

/** Copies piece by piece, a few at a time. After a failure no further one is begun, and none is left running. */
async function inPieces<Part>(size: number, piece: number, copy: (number: number, range: string) => Promise<Part>): Promise<Part[]> {
  const parts: Part[] = [];
  const count = Math.ceil(size / piece);
  let next = 1;
  const worker = async () => {
    while (next <= count) {
      const number = next++;
      const start = (number - 1) * piece;
      parts[number - 1] = await copy(number, `bytes=${start}-${Math.min(size, start + piece) - 1}`).catch((error: unknown) => {
        next = count + 1;
        throw error;
      });
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: PARALLEL }, worker));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
  return parts;
}

const pinned = (bucket: string, { key, etag }: Source) => ({
  CopySource: `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`,
  CopySourceIfMatch: etag,
});
