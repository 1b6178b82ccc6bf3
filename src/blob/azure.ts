import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { BlobSASPermissions } from '@azure/storage-blob';
import { StorageError } from '../errors.js';
import { type AzureContainer, azureAccount, azureFault, blobOf, createContainerClient, failAsAzure, notAzure } from './azure-client.js';
import { azureParts } from './azure-parts.js';
import { signBlob } from './azure-sign.js';
import type { AzureCredentials } from './credentials.js';
import { changedMeanwhile } from './faults.js';
import { closeIdle, type HostGuard } from './hosts.js';
import { type Patience, usualPatience } from './patience.js';
import { askingFirst, probeStore } from './probe.js';
import { fetchSigned } from './signed.js';
import type { ByteRange, ObjectInfo, PutOptions, RemoteStore, SignedRequest, SignGetOptions, SignPutOptions } from './store.js';
import { badRange, checkRange, hasRange, received, sending } from './streams.js';

/** In bytes. Held in memory until the store has it, as many as PARALLEL of them. */
const BLOCK = 8 * 1024 ** 2;
const PARALLEL = 4;
const MAX_BLOCKS = 50_000;

/** Tells an object that we wrote, when the answer was lost, from one that was there before. */
const MARK = 'docgatewrite';

/** A container of Azure Blob Storage. */
export function createAzureStore(
  container: string,
  credentials: AzureCredentials,
  { hosts, patience = usualPatience }: { hosts: HostGuard; patience?: Patience },
): RemoteStore {
  const account = azureAccount(credentials);
  hosts.check(account.endpoint);
  const agents = hosts.agents({ keepAlive: true, maxSockets: 64, silence: patience.answer });
  const place: AzureContainer = { client: createContainerClient(account, container, agents, patience), account, patience };
  const store: RemoteStore = {
    presigns: true,
    multipart: azureParts(place),
    put: (key, body, options) => put(place, key, body, options),
    get: (key, options) => get(place, key, options?.range, options?.signal),
    head: (key) => head(place, key),
    delete: async (key) => {
      await blobOf(place, key).delete({ deleteSnapshots: 'include' }).catch(unlessMissing);
    },
    copy: (from, to, options) => copy(place, from, to, options?.version),
    list: (prefix) => list(place, prefix),
    presignGet: async (key, options) => presignGet(place, key, options),
    presignPut: async (key, options) => presignPut(place, key, options),
    probe: () =>
      probeStore(store, {
        ...askingFirst(() => ask(place), []),
        fetch: (request) => fetchSigned(request, hosts, patience),
      }),
    close: () => closeIdle(agents),
  };
  return store;
}

async function put(place: AzureContainer, key: string, body: Readable, { contentType, signal, size = 0 }: PutOptions = {}): Promise<void> {
  const mark = randomUUID();
  const options = { blobHTTPHeaders: { blobContentType: contentType }, metadata: { [MARK]: mark }, conditions: { ifNoneMatch: '*' } };
  const upload = async () => {
    // The SDK would wait for ever for a body that closes without an end; iterating it fails then.
    const bytes = Readable.from(chunksOf(body), { objectMode: false });
    await blobOf(place, key).uploadStream(bytes, Math.max(BLOCK, Math.ceil(size / MAX_BLOCKS)), PARALLEL, options);
  };
  await sending(body, signal, azureFault, upload).catch((fault: StorageError) => settle(place, key, mark, fault));
}

async function* chunksOf(body: Readable): AsyncGenerator<Uint8Array> {
  yield* body;
}

/** Judges a write that was refused because the key is taken: a repeated request may have met what the first one wrote. */
async function settle(place: AzureContainer, key: string, mark: string, fault: StorageError): Promise<void> {
  if (fault.reason !== 'ALREADY_EXISTS') throw fault;
  const { metadata } = await blobOf(place, key).getProperties().catch(failAsAzure);
  if (metadata?.[MARK] !== mark) throw fault;
}

async function get(place: AzureContainer, key: string, range?: ByteRange, signal?: AbortSignal): Promise<Readable> {
  if (range) checkRange(range);
  const count = range && range.end - range.start + 1;
  // A body that ends too early is asked for again from there, on the same version.
  const options = { abortSignal: signal, maxRetryRequests: place.patience.attempts };
  const { readableStreamBody, contentRange } = await blobOf(place, key).download(range?.start, count, options).catch(failAsAzure);
  if (!(readableStreamBody instanceof Readable)) throw new StorageError('UNKNOWN', 'The storage answered without a body. Try again.');
  if (range && !hasRange(range, contentRange)) {
    readableStreamBody.destroy();
    throw badRange();
  }
  return received(readableStreamBody, place.patience.answer * 2, brokenOff, signal);
}

/** What became of a body on its way. The SDK takes a connection that broke off for a request that was given up. */
function brokenOff(error: unknown): StorageError {
  const { name, statusCode } = error as { name?: string; statusCode?: number };
  const fault = azureFault(error);
  if (name !== 'AbortError' || statusCode !== undefined) return fault;
  return new StorageError('UNREACHABLE', 'The connection to the storage broke off. Try again.', { cause: fault.cause });
}

async function head(place: AzureContainer, key: string): Promise<ObjectInfo> {
  const { contentLength = 0, lastModified = new Date(0), etag = '' } = await blobOf(place, key).getProperties().catch(failAsAzure);
  return { key, size: contentLength, modifiedAt: lastModified, version: etag };
}

function unlessMissing(error: unknown): void {
  const fault = azureFault(error);
  if (fault.reason !== 'NOT_FOUND') throw fault;
}

async function copy(place: AzureContainer, from: string, to: string, version?: string): Promise<void> {
  const mark = randomUUID();
  const conditions = { ifNoneMatch: '*' };
  try {
    const { url } = blobOf(place, from);
    const started = await blobOf(place, to).beginCopyFromURL(url, {
      conditions,
      sourceConditions: { ifMatch: version },
      metadata: { [MARK]: mark },
    });
    const { copyStatus } = await started.pollUntilDone();
    if (copyStatus !== 'success') throw new StorageError('UNKNOWN', 'The storage gave up copying the object. Try again.');
  } catch (error) {
    const fault = azureFault(error);
    if (fault.reason === 'ALREADY_EXISTS' && version !== undefined && !(await isThere(place, to))) throw changedMeanwhile();
    await settle(place, to, mark, fault);
  }
}

const isThere = (place: AzureContainer, key: string) => blobOf(place, key).exists().catch(failAsAzure);
async function* list(place: AzureContainer, prefix: string): AsyncGenerator<ObjectInfo> {
  try {
    for await (const { name, properties } of place.client.listBlobsFlat({ prefix })) {
      const { contentLength = 0, lastModified, etag } = properties;
      // A listing gives ETags without the quotes that everything else has.
      yield { key: name, size: contentLength, modifiedAt: lastModified, version: etag.startsWith('"') ? etag : `"${etag}"` };
    }
  } catch (error) {
    throw azureFault(error);
  }
}

function presignGet(place: AzureContainer, key: string, { expiresIn, ...answer }: SignGetOptions): SignedRequest {
  return { method: 'GET', headers: {}, ...signBlob(place, key, { ...answer, permissions: BlobSASPermissions.parse('r') }, expiresIn) };
}

function presignPut(place: AzureContainer, key: string, { expiresIn, contentType }: SignPutOptions): SignedRequest {
  const headers = { 'x-ms-blob-type': 'BlockBlob', ...(contentType !== undefined && { 'content-type': contentType }) };
  return { method: 'PUT', headers, ...signBlob(place, key, { permissions: BlobSASPermissions.parse('cw') }, expiresIn) };
}

/** Every answer of the service tells its version. */
async function ask({ client }: AzureContainer): Promise<void> {
  const { version } = await client.getProperties().catch(failAsAzure);
  if (version === undefined) throw notAzure();
}
