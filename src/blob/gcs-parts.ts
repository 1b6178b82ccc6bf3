import type { Readable } from 'node:stream';
import { StorageError } from '../errors.js';
import { type GcsBucket, objectPath, uploadPath } from './gcs-client.js';
import { failAsGcs, gcsFault } from './gcs-faults.js';
import { type GcsObject, listGcs, type Mark, newMark, settle } from './gcs-objects.js';
import { contentTypeOf, nameOfUpload, newUploadId } from './noted-uploads.js';
import { expiryOf } from './signed.js';
import type { MultipartUploads, PartInfo, SignedRequest } from './store.js';
import { sendExactly, sending } from './streams.js';

/** How many objects one request composes. */
const FAN = 32;

/*
 * Each part is an object of its own, and all are composed into one at the end: unlike Google's uploads in parts, that
 * obeys `ifGenerationMatch: 0` and so never replaces an object. A part that a client sends by a signed request after the
 * end stays behind under `<key>.parts/`; aborting again removes it.
 */
export function gcsParts(place: GcsBucket): MultipartUploads {
  return {
    limits: { minSize: 1, maxSize: 5 * 1024 ** 4, maxParts: FAN * FAN },
    create: async (_, options) => newUploadId(options?.contentType),
    putPart: (key, uploadId, number, body, { size, signal }) =>
      sending(body, signal, gcsFault, () => putPart(place, keyOfPart(key, uploadId, number), number, body, size)),
    presignPart: (key, uploadId, number, { expiresIn }) => presignPart(place, keyOfPart(key, uploadId, number), expiresIn),
    listParts: (key, uploadId) => listParts(place, folderOf(key, uploadId)),
    complete: (key, uploadId, parts) => complete(place, key, uploadId, parts),
    abort: (key, uploadId) => clear(place, folderOf(key, uploadId)),
  };
}

const folderOf = (key: string, uploadId: string) => `${key}.parts/${nameOfUpload(uploadId)}/`;

const keyOfPart = (key: string, uploadId: string, number: number) => `${folderOf(key, uploadId)}${String(number).padStart(5, '0')}`;

function putPart(place: GcsBucket, name: string, number: number, body: Readable, size: number): Promise<PartInfo> {
  return sendExactly(body, { size, patience: place.patience.transfer }, async (exact, signal) => {
    const { data } = await place.send<GcsObject>({
      method: 'POST',
      path: uploadPath(place),
      params: { uploadType: 'media', name },
      headers: { 'content-length': String(size), 'content-type': 'application/octet-stream' },
      data: exact,
      signal,
    });
    return { number, size, etag: data.generation };
  });
}

async function presignPart({ bucket }: GcsBucket, name: string, expiresIn: number): Promise<SignedRequest> {
  const expiresAt = expiryOf(expiresIn);
  const [url] = await bucket.file(name).getSignedUrl({ version: 'v4', action: 'write', expires: expiresAt }).catch(failAsGcs);
  return { method: 'PUT', url, headers: {}, expiresAt };
}

async function listParts(place: GcsBucket, folder: string): Promise<PartInfo[]> {
  const parts: PartInfo[] = [];
  for await (const { key, size, version } of listGcs(place, folder)) {
    const number = Number(key.slice(folder.length));
    // What a completion that was cut left of its steps is no part.
    if (Number.isInteger(number)) parts.push({ number, size, etag: version });
  }
  return parts.sort((a, b) => a.number - b.number);
}

interface Source {
  name: string;
  generation: string;
}

async function complete(place: GcsBucket, key: string, uploadId: string, parts: PartInfo[]): Promise<void> {
  const sources = parts.map(({ number, etag }) => ({ name: keyOfPart(key, uploadId, number), generation: etag }));
  const folder = folderOf(key, uploadId);
  const few = sources.length > FAN ? await composeSteps(place, folder, sources) : sources;
  const mark = newMark();
  const destination = { contentType: contentTypeOf(uploadId) ?? 'application/octet-stream', metadata: mark };
  await compose(place, key, few, destination, 0).catch((fault: StorageError) => settle(place, key, mark, fault));
  // The object is there. What stays of its parts goes with the next abort.
  await clear(place, folder).catch(() => undefined);
}

/** Makes larger parts of the parts, few enough for the last step. */
function composeSteps(place: GcsBucket, folder: string, sources: Source[]): Promise<Source[]> {
  const steps = Array.from({ length: Math.ceil(sources.length / FAN) }, async (_, i) => {
    const name = `${folder}step-${String(i).padStart(2, '0')}`;
    return { name, generation: await compose(place, name, sources.slice(i * FAN, (i + 1) * FAN), {}) };
  });
  return Promise.all(steps);
}

/** @returns the generation of what it made */
async function compose(
  place: GcsBucket,
  key: string,
  sources: Source[],
  destination: { contentType?: string; metadata?: Mark },
  ifGenerationMatch?: number,
): Promise<string> {
  const request = place.send<GcsObject>({
    method: 'POST',
    path: `${objectPath(place, key)}/compose`,
    params: { ifGenerationMatch },
    data: { destination, sourceObjects: sources },
    patience: place.patience.transfer,
  });
  const { data } = await request.catch((error: unknown) => {
    const fault = gcsFault(error);
    if (fault.reason !== 'NOT_FOUND') throw fault;
    throw new StorageError('CHANGED', 'A part is missing or changed meanwhile. List the parts again.', { cause: fault.cause });
  });
  return data.generation;
}

async function clear(place: GcsBucket, folder: string): Promise<void> {
  for await (const { key } of listGcs(place, folder)) {
    await place.send({ method: 'DELETE', path: objectPath(place, key) }).catch((error: unknown) => {
      const fault = gcsFault(error);
      if (fault.reason !== 'NOT_FOUND') throw fault;
    });
  }
}
