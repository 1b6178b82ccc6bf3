import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StorageError } from '../errors.js';
import type { GcsCredentials } from './credentials.js';
import { createGcsBucket, type GcsAnswer, type GcsBucket, objectPath } from './gcs-client.js';
import { failAsGcs, gcsFault, isWorthRepeating } from './gcs-faults.js';
import { copyGcs, headGcs, infoOf, listGcs, newMark, pageOf, settle } from './gcs-objects.js';
import { gcsParts } from './gcs-parts.js';
import { uploadGcs } from './gcs-upload.js';
import { closeIdle, type HostGuard } from './hosts.js';
import { type Patience, usualPatience } from './patience.js';
import { askingFirst, probeStore } from './probe.js';
import { expiryOf, fetchSigned } from './signed.js';
import type { ByteRange, PutOptions, RemoteStore, SignedRequest, SignGetOptions, SignPutOptions } from './store.js';
import { badRange, checkRange, hasRange, received, sending } from './streams.js';

/** A bucket of Google Cloud Storage. */
export function createGcsStore(
  bucket: string,
  credentials: GcsCredentials,
  { hosts, patience = usualPatience }: { hosts: HostGuard; patience?: Patience },
): RemoteStore {
  if (credentials.endpoint) hosts.check(credentials.endpoint);
  const agents = hosts.agents({ keepAlive: true, maxSockets: 64 });
  const place = createGcsBucket(bucket, credentials, agents, patience);
  const store: RemoteStore = {
    presigns: true,
    multipart: gcsParts(place),
    put: (key, body, options) => put(place, key, body, options),
    get: (key, options) => get(place, key, options?.range, options?.signal),
    head: async (key) => infoOf(await headGcs(place, key)),
    delete: (key) => remove(place, key),
    copy: (from, to, options) => copyGcs(place, from, to, options?.version),
    list: (prefix) => listGcs(place, prefix),
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

async function put(place: GcsBucket, key: string, body: Readable, { contentType, signal }: PutOptions = {}): Promise<void> {
  const mark = newMark();
  const about = { contentType: contentType ?? 'application/octet-stream', metadata: mark };
  const upload = () => uploadGcs(place, key, body, about);
  await sending(body, signal, gcsFault, upload).catch((fault: StorageError) => settle(place, key, mark, fault));
}

async function get(place: GcsBucket, key: string, range?: ByteRange, signal?: AbortSignal): Promise<Readable> {
  if (range) checkRange(range);
  const { headers, data } = await open(place, key, range, signal);
  const out = received(data, place.patience.answer, gcsFault, signal);
  if (!range || hasRange(range, headers['content-range'])) return out;
  out.destroy();
  throw badRange();
}

/** As often as patience has it: the SDK repeats no request whose answer is a stream. */
async function open(place: GcsBucket, key: string, range?: ByteRange, signal?: AbortSignal): Promise<GcsAnswer<Readable>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openOnce(place, key, range, signal);
    } catch (error) {
      if (attempt === place.patience.attempts || !isWorthRepeating(error)) throw gcsFault(error);
      await sleep(500 * attempt);
    }
  }
}

async function openOnce(place: GcsBucket, key: string, range?: ByteRange, signal?: AbortSignal): Promise<GcsAnswer<Readable>> {
  const headers = range && { range: `bytes=${range.start}-${range.end}` };
  const answer = await place.send<Readable>({
    path: objectPath(place, key),
    params: { alt: 'media' },
    headers,
    stream: true,
    accepts: () => true,
    signal,
  });
  if (answer.status === 200 || answer.status === 206) return answer;
  const said = await text(received(answer.data, place.patience.answer, gcsFault));
  throw Object.assign(new Error(said), { code: answer.status });
}

async function remove(place: GcsBucket, key: string): Promise<void> {
  await place.send({ method: 'DELETE', path: objectPath(place, key) }).catch((error: unknown) => {
    const fault = gcsFault(error);
    if (fault.reason !== 'NOT_FOUND') throw fault;
  });
}

async function presignGet({ bucket }: GcsBucket, key: string, options: SignGetOptions): Promise<SignedRequest> {
  const expiresAt = expiryOf(options.expiresIn);
  const answer = { responseType: options.contentType, responseDisposition: options.contentDisposition };
  const [url] = await bucket
    .file(key)
    .getSignedUrl({ version: 'v4', action: 'read', expires: expiresAt, ...answer })
    .catch(failAsGcs);
  return { method: 'GET', url, headers: {}, expiresAt };
}

async function presignPut({ bucket }: GcsBucket, key: string, { expiresIn, contentType }: SignPutOptions): Promise<SignedRequest> {
  const expiresAt = expiryOf(expiresIn);
  const [url] = await bucket.file(key).getSignedUrl({ version: 'v4', action: 'write', expires: expiresAt, contentType }).catch(failAsGcs);
  return { method: 'PUT', url, headers: contentType === undefined ? {} : { 'content-type': contentType }, expiresAt };
}

const ask = (place: GcsBucket) => pageOf(place, '', { maxResults: 1 });
