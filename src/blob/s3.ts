import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { StorageError } from '../errors.js';
import type { S3Credentials } from './credentials.js';
import { closeIdle, type HostGuard } from './hosts.js';
import { type Patience, usualPatience } from './patience.js';
import { askingFirst, probeStore } from './probe.js';
import { createS3Client, type S3Bucket, soon } from './s3-client.js';
import { copyS3 } from './s3-copy.js';
import { assertFree, headS3, isOurs, newMark, settle } from './s3-create.js';
import { notS3, s3Fault } from './s3-faults.js';
import { s3PartLimits, s3Parts } from './s3-parts.js';
import { expiryOf, fetchSigned } from './signed.js';
import type { ByteRange, ObjectInfo, PutOptions, RemoteStore, SignedRequest, SignGetOptions, SignPutOptions } from './store.js';
import { badRange, checkRange, hasRange, received, sending } from './streams.js';

/** In bytes. Held in memory until the store has it, as many as PARALLEL of them. */
const PART = 5 * 1024 ** 2;
const PARALLEL = 4;

/** A bucket of Amazon S3, or of anything that speaks its protocol. */
export function createS3Store(
  bucket: string,
  credentials: S3Credentials,
  {
    hosts,
    patience = usualPatience,
    copyPiece,
    isGoogle,
  }: { hosts: HostGuard; patience?: Patience; copyPiece?: number; isGoogle?: boolean },
): RemoteStore {
  if (credentials.endpoint) hosts.check(credentials.endpoint);
  const agents = hosts.agents({ keepAlive: true, maxSockets: 64 });
  const client = createS3Client(credentials, agents, patience, isGoogle);
  const place: S3Bucket = { client, bucket, patience };
  const store: RemoteStore = {
    presigns: true,
    multipart: s3Parts(place),
    put: (key, body, options) => put(place, key, body, options),
    get: (key, options) => get(place, key, options?.range, options?.signal),
    head: async (key) => infoOf(key, await headS3(place, key)),
    delete: (key) => remove(place, key),
    copy: (from, to, options) => copyS3(place, from, to, options?.version, copyPiece),
    list: (prefix) => list(place, prefix),
    presignGet: (key, options) => presignGet(place, key, options),
    presignPut: (key, options) => presignPut(place, key, options),
    probe: () =>
      probeStore(store, {
        ...askingFirst(() => ask(place), ['FORBIDDEN']),
        fetch: (request) => fetchSigned(request, hosts, patience),
      }),
    close: () => closeIdle(agents),
  };
  return store;
}

async function put(place: S3Bucket, key: string, body: Readable, { contentType, signal, size }: PutOptions = {}): Promise<void> {
  const mark = newMark();
  const upload = async () => {
    const params = { Bucket: place.bucket, Key: key, ContentType: contentType, Metadata: mark, IfNoneMatch: '*' };
    const partSize = Math.max(PART, Math.ceil((size ?? 0) / s3PartLimits.maxParts));
    const Body = Readable.from(untilComplete(place, key, body, partSize), { objectMode: false });
    const sent = new Upload({ client: place.client, params: { ...params, Body }, partSize, queueSize: PARALLEL });
    await sent.done();
    if (sent.uploadId && !(await isOurs(place, key, mark))) throw lost();
  };
  await sending(body, signal, forWrite, upload).catch((fault: StorageError) => settle(place, key, mark, fault));
}

/** The bytes of an upload. One in parts ends with a last look at its key, before the store is asked to complete it. */
async function* untilComplete(place: S3Bucket, key: string, body: Readable, partSize: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  // A failure of the store must not look as if the body had been cut.
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    size += chunk.length;
    yield chunk;
  }
  if (size > partSize) await assertFree(place, key);
}

async function get(place: S3Bucket, key: string, range?: ByteRange, signal?: AbortSignal): Promise<Readable> {
  if (range) checkRange(range);
  const wanted = range && `bytes=${range.start}-${range.end}`;
  const command = new GetObjectCommand({ Bucket: place.bucket, Key: key, Range: wanted });
  const { Body, ContentRange } = await place.client.send(command, { ...soon(place), abortSignal: signal }).catch(failRead);
  if (!(Body instanceof Readable)) throw new StorageError('UNKNOWN', 'The storage answered without a body. Try again.');
  if (range && !hasRange(range, ContentRange)) {
    Body.destroy();
    throw badRange();
  }
  return received(Body, place.patience.answer, forRead, signal);
}

async function remove(place: S3Bucket, key: string): Promise<void> {
  await place.client.send(new DeleteObjectCommand({ Bucket: place.bucket, Key: key }), soon(place)).catch((error: unknown) => {
    const fault = s3Fault(error, 's3:DeleteObject');
    if (fault.reason !== 'NOT_FOUND') throw fault;
  });
}

async function* list(place: S3Bucket, prefix: string): AsyncGenerator<ObjectInfo> {
  try {
    const pages = paginateListObjectsV2({ client: place.client }, { Bucket: place.bucket, Prefix: prefix }, soon(place));
    for await (const page of pages) {
      for (const { Key = '', Size, ETag, LastModified } of contentsOf(page)) yield infoOf(Key, { ContentLength: Size, ETag, LastModified });
    }
  } catch (error) {
    throw s3Fault(error, 's3:ListBucket');
  }
}

const infoOf = (key: string, answer: { ContentLength?: number; ETag?: string; LastModified?: Date }): ObjectInfo => ({
  key,
  size: answer.ContentLength ?? 0,
  modifiedAt: answer.LastModified ?? new Date(0),
  version: answer.ETag ?? '',
});

async function presignGet({ client, bucket }: S3Bucket, key: string, options: SignGetOptions): Promise<SignedRequest> {
  const command = new GetObjectCommand({
    Bucket: bucket,
    Key: key,
    ResponseContentType: options.contentType,
    ResponseContentDisposition: options.contentDisposition,
  });
  const expiresAt = expiryOf(options.expiresIn);
  return { method: 'GET', url: await getSignedUrl(client, command, options).catch(failRead), headers: {}, expiresAt };
}

async function presignPut({ client, bucket }: S3Bucket, key: string, { expiresIn, contentType }: SignPutOptions): Promise<SignedRequest> {
  const command = new PutObjectCommand({ Bucket: bucket, Key: key, ContentType: contentType });
  const expiresAt = expiryOf(expiresIn);
  // Where none is asked for, the SDK would sign one of its own, and a client that sends another be refused.
  const signableHeaders = contentType === undefined ? undefined : new Set(['content-type']);
  const url = await getSignedUrl(client, command, { expiresIn, signableHeaders }).catch(failWrite);
  return { method: 'PUT', url, headers: contentType === undefined ? {} : { 'content-type': contentType }, expiresAt };
}

/** The SDK takes a page of HTML, or nothing, for a list of nothing. A list of S3 names its bucket. */
function contentsOf({ Name, Contents = [] }: ListObjectsV2CommandOutput) {
  if (Name === undefined) throw notS3();
  return Contents;
}

async function ask({ client, bucket, patience }: S3Bucket): Promise<void> {
  const command = new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 });
  contentsOf(
    await client.send(command, { requestTimeout: patience.answer }).catch((error: unknown) => {
      throw s3Fault(error, 's3:ListBucket');
    }),
  );
}

const lost = () =>
  new StorageError('ALREADY_EXISTS', 'Another write to this name came in between. The object is not the one that was sent.');
const forRead = (error: unknown) => s3Fault(error, 's3:GetObject');
const forWrite = (error: unknown) => s3Fault(error, 's3:PutObject');
const failRead = (error: unknown): never => {
  throw forRead(error);
};
const failWrite = (error: unknown): never => {
  throw forWrite(error);
};
