import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { appendFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { CRC32C } from '@google-cloud/storage';
import type { GcsCredentials } from '../src/blob/credentials.js';
import { bearsToken, isSigned } from './gcs.signatures.js';

/**
 * A double of Google Cloud Storage, since no server of it can be had: as much of its JSON API as Docgate uses, with its
 * bytes on disk. It verifies tokens and V4 signed addresses by the account's public key, and obeys preconditions.
 */
export interface GcsDouble {
  /** "127.0.0.1:41234", as STORAGE_HOSTS takes it. */
  host: string;
  credentials: GcsCredentials;
  /** A new, empty bucket. */
  makeBucket(): string;
  /** What was set up on a bucket. */
  bucket(name: string): BucketResource | undefined;
  /** Rights that the account has not. */
  denied: Set<string>;
  stop(): Promise<void>;
}

export type BucketResource = Record<string, unknown>;

interface Stored {
  file: string;
  size: number;
  crc32c: string;
  generation: number;
  contentType: string;
  metadata: Record<string, string>;
  updated: string;
}

interface About {
  contentType?: string;
  metadata?: Record<string, string>;
  crc32c?: string;
}

interface Session {
  bucket: string;
  key: string;
  condition: string | null;
  about: About;
  file: string;
}

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const email = 'docgate@test.iam.gserviceaccount.com';
/** In bytes: larger objects are copied in two steps, as Google does with much larger ones. */
const LARGE = 1024 ** 2;
const PAGE = 1000;

export async function startGcsDouble(port = 0): Promise<GcsDouble> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const folder = await mkdtemp(join(tmpdir(), 'docgate-gcs-'));
  const buckets = new Map<string, { resource: BucketResource; objects: Map<string, Stored> }>();
  const sessions = new Map<string, Session>();
  const denied = new Set<string>();
  let generation = 1_700_000_000_000_000;
  const newFile = () => join(folder, randomUUID());

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      const { status, message } = error instanceof Refusal ? error : new Refusal(500, String(error));
      // Whatever is still to come of the request is not waited for.
      if (!request.readableEnded) response.setHeader('connection', 'close');
      send(response, status, { error: { code: status, message, errors: [{ message }] } });
    });
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const host = `127.0.0.1:${address.port}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${host}`);
    if (url.searchParams.has('X-Goog-Signature')) return atSignedAddress(request, response, url);
    if (url.pathname.startsWith('/session/')) return takePiece(request, response, url.pathname.slice('/session/'.length));
    if (!bearsToken(request, email, publicKey)) throw new Refusal(401, 'Invalid Credentials');
    const [, upload, name, objects, path] = /^(\/upload)?\/storage\/v1\/b(?:\/([^/]+)(?:\/(o)(?:\/(.+))?)?)?$/.exec(url.pathname) ?? [];
    if (name === undefined) return createBucket(request, response);
    if (upload)
      return url.searchParams.get('uploadType') === 'resumable' ? begin(request, response, url, name) : take(request, response, url, name);
    if (!objects) return atBucket(request, response, name);
    if (path === undefined) return list(response, url, name);
    // "<key>", "<key>/compose" or "<key>/rewriteTo/b/<bucket>/o/<key>", keys encoded.
    const [key = '', verb, , , , target = ''] = path.split('/').map(decodeURIComponent);
    if (request.method === 'DELETE') return remove(response, name, key);
    if (verb === 'rewriteTo') return rewrite(request, response, url, name, { key, target });
    if (verb === 'compose') return compose(request, response, url, name, key);
    allow('storage.objects.get');
    const object = found(name, key);
    if (url.searchParams.get('alt') === 'media') sendBytes(request, response, object);
    else send(response, 200, resourceOf(key, object));
  }

  function allow(right: string): void {
    if (denied.has(right)) throw new Refusal(403, `${email} does not have ${right} access to the Google Cloud Storage object.`);
  }

  function bucketOf(name: string) {
    const bucket = buckets.get(name);
    if (!bucket) throw new Refusal(404, 'The specified bucket does not exist.');
    return bucket;
  }

  function found(bucket: string, key: string, wanted?: string | null): Stored {
    const object = bucketOf(bucket).objects.get(key);
    if (!object || (wanted != null && Number(wanted) !== object.generation)) throw new Refusal(404, `No such object: ${bucket}/${key}`);
    return object;
  }

  function requireFree(bucket: string, key: string, condition: string | null): void {
    const current = bucketOf(bucket).objects.get(key)?.generation ?? 0;
    if (condition !== null && Number(condition) !== current)
      throw new Refusal(412, 'At least one of the pre-conditions you specified did not hold.');
  }

  async function createBucket(request: IncomingMessage, response: ServerResponse): Promise<void> {
    allow('storage.buckets.create');
    const { name, ...resource } = await jsonOf(request);
    if (buckets.has(name)) throw new Refusal(409, 'Your previous request to create the named bucket succeeded and you already own it.');
    buckets.set(name, { resource, objects: new Map() });
    send(response, 200, { name, ...resource });
  }

  async function atBucket(request: IncomingMessage, response: ServerResponse, name: string): Promise<void> {
    const bucket = bucketOf(name);
    if (request.method === 'PATCH') {
      allow('storage.buckets.update');
      bucket.resource = merged(bucket.resource, await jsonOf(request));
    } else allow('storage.buckets.get');
    send(response, 200, { name, ...bucket.resource });
  }

  function list(response: ServerResponse, url: URL, name: string): void {
    allow('storage.objects.list');
    const { objects } = bucketOf(name);
    const prefix = url.searchParams.get('prefix') ?? '';
    const from = Number(url.searchParams.get('pageToken') ?? 0);
    const size = Math.min(Number(url.searchParams.get('maxResults') ?? PAGE), PAGE);
    const names = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
    const items = names.slice(from, from + size).map((key) => resourceOf(key, found(name, key)));
    send(response, 200, { kind: 'storage#objects', items, ...(names.length > from + size && { nextPageToken: String(from + size) }) });
  }

  function remove(response: ServerResponse, bucket: string, key: string): void {
    allow('storage.objects.delete');
    found(bucket, key);
    bucketOf(bucket).objects.delete(key);
    response.writeHead(204).end();
  }

  async function rewrite(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    bucket: string,
    way: { key: string; target: string },
  ) {
    allow('storage.objects.create');
    const source = found(bucket, way.key, url.searchParams.get('sourceGeneration'));
    const about = await jsonOf(request);
    if (source.size > LARGE && url.searchParams.get('rewriteToken') === null)
      return send(response, 200, { done: false, rewriteToken: randomUUID() });
    const made = await store(bucket, way.target, source.file, about, url.searchParams.get('ifGenerationMatch'));
    send(response, 200, { done: true, resource: resourceOf(way.target, made) });
  }

  async function compose(request: IncomingMessage, response: ServerResponse, url: URL, bucket: string, key: string): Promise<void> {
    allow('storage.objects.create');
    const { sourceObjects, destination } = await jsonOf(request);
    if (sourceObjects.length > 32) throw new Refusal(400, 'The number of source components provided exceeds the maximum (32).');
    const sources: Stored[] = sourceObjects.map((source: { name: string; generation?: string }) =>
      found(bucket, source.name, source.generation),
    );
    const file = newFile();
    for (const source of sources) await pipeline(createReadStream(source.file), createWriteStream(file, { flags: 'a' }));
    const made = await store(bucket, key, file, destination ?? {}, url.searchParams.get('ifGenerationMatch'));
    send(response, 200, resourceOf(key, made));
  }

  /** An upload by one request: the bytes alone, or after a JSON that describes them. */
  async function take(request: IncomingMessage, response: ServerResponse, url: URL, bucket: string): Promise<void> {
    allow('storage.objects.create');
    const file = newFile();
    let about: About = { contentType: request.headers['content-type'] };
    if (url.searchParams.get('uploadType') === 'media') await pipeline(request, createWriteStream(file));
    else about = await takeMultipart(request, file);
    const key = url.searchParams.get('name') ?? '';
    const made = await store(bucket, key, file, about, url.searchParams.get('ifGenerationMatch'));
    send(response, 200, resourceOf(key, made));
  }

  async function takeMultipart(request: IncomingMessage, file: string): Promise<About> {
    const [, boundary] = /^multipart\/related; boundary=(\S+)$/.exec(request.headers['content-type'] ?? '') ?? [];
    const body = await buffer(request);
    const head = /^--(\S+)\r\ncontent-type: application\/json[^\r]*\r\n\r\n(.*?)\r\n--\1\r\ncontent-type: [^\r]+\r\n\r\n/is;
    const [start = '', used, about = '{}'] = head.exec(body.subarray(0, 4096).toString('latin1')) ?? [];
    const end = body.length - `\r\n--${boundary}--`.length;
    if (used !== boundary || body.subarray(end).toString() !== `\r\n--${boundary}--`) throw new Refusal(400, 'Bad multipart body.');
    await pipeline(Readable.from([body.subarray(start.length, end)]), createWriteStream(file));
    return JSON.parse(Buffer.from(about, 'latin1').toString());
  }

  async function begin(request: IncomingMessage, response: ServerResponse, url: URL, bucket: string): Promise<void> {
    allow('storage.objects.create');
    const about = await jsonOf(request);
    const [key, condition] = [url.searchParams.get('name') ?? '', url.searchParams.get('ifGenerationMatch')];
    requireFree(bucket, key, condition);
    const file = newFile();
    await appendFile(file, '');
    const id = randomUUID();
    sessions.set(id, { bucket, key, condition, about, file });
    response.writeHead(200, { location: `http://${host}/session/${id}` }).end();
  }

  async function takePiece(request: IncomingMessage, response: ServerResponse, id: string): Promise<void> {
    const session = sessions.get(id);
    if (!session) throw new Refusal(404, 'no such session');
    const range = String(request.headers['content-range']);
    const { size } = await stat(session.file);
    const more = (arrived: number) => response.writeHead(308, arrived > 0 ? { range: `bytes=0-${arrived - 1}` } : {}).end();
    if (range === 'bytes */*') return void more(size);
    const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range) ?? [];
    if (Number(first) !== size) throw new Refusal(400, 'Invalid Content-Range.');
    await pipeline(request, createWriteStream(session.file, { flags: 'a' }));
    const arrived = (await stat(session.file)).size;
    if (arrived !== Number(last) + 1) throw new Refusal(400, 'Another length than announced.');
    if (total === '*') {
      if ((arrived - size) % (256 * 1024) !== 0) throw new Refusal(400, 'Pieces must be multiples of 256 KiB.');
      return void more(arrived);
    }
    if (Number(total) !== arrived) throw new Refusal(400, 'Another size than announced.');
    sessions.delete(id);
    const made = await store(session.bucket, session.key, session.file, session.about, session.condition);
    send(response, 200, resourceOf(session.key, made));
  }

  async function atSignedAddress(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    if (!isSigned(request, url, email, publicKey)) throw new Refusal(403, 'SignatureDoesNotMatch');
    const [, bucket = '', ...path] = url.pathname.split('/').map(decodeURIComponent);
    const key = path.join('/');
    if (request.method === 'GET') return sendBytes(request, response, found(bucket, key), url.searchParams);
    const file = newFile();
    await pipeline(request, createWriteStream(file));
    await store(bucket, key, file, { contentType: request.headers['content-type'] }, null);
    response.writeHead(200).end();
  }

  async function store(bucket: string, key: string, file: string, about: About, condition: string | null): Promise<Stored> {
    const { size } = await stat(file);
    const crc32c = await sumOf(file);
    if (about.crc32c !== undefined && about.crc32c !== crc32c) throw new Refusal(400, 'Provided CRC32C does not match.');
    requireFree(bucket, key, condition);
    generation += 1;
    const { contentType = 'application/octet-stream', metadata = {} } = about;
    const made = { file, size, crc32c, generation, contentType, metadata, updated: new Date().toISOString() };
    bucketOf(bucket).objects.set(key, made);
    return made;
  }

  return {
    host,
    denied,
    credentials: {
      project_id: 'test',
      client_email: email,
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      endpoint: `http://${host}`,
    },
    makeBucket() {
      const name = `t${randomBytes(8).toString('hex')}`;
      buckets.set(name, { resource: {}, objects: new Map() });
      return name;
    },
    bucket: (name) => buckets.get(name)?.resource,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await rm(folder, { recursive: true });
    },
  };
}

function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  { file, size, contentType }: Stored,
  asked = new URLSearchParams(),
): void {
  const disposition = asked.get('response-content-disposition');
  const headers = {
    'content-type': asked.get('response-content-type') ?? contentType,
    ...(disposition && { 'content-disposition': disposition }),
  };
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (first !== undefined && Number(first) >= size) throw new Refusal(416, 'The requested range cannot be satisfied.');
  const start = Number(first ?? 0);
  const end = Math.min(last ? Number(last) : size - 1, size - 1);
  const partial = first !== undefined && { 'content-range': `bytes ${start}-${end}/${size}` };
  response.writeHead(partial ? 206 : 200, { ...headers, ...partial, 'content-length': end - start + 1 });
  if (size === 0) response.end();
  else createReadStream(file, { start, end }).pipe(response);
}

const resourceOf = (name: string, { size, generation, contentType, metadata, updated, crc32c }: Stored) => ({
  name,
  size: String(size),
  generation: String(generation),
  contentType,
  metadata,
  updated,
  crc32c,
});

async function sumOf(file: string): Promise<string> {
  const sum = new CRC32C();
  const count = new Transform({
    transform(chunk: Buffer, _, done) {
      sum.update(chunk);
      done();
    },
  });
  await pipeline(createReadStream(file), count.resume());
  return sum.toString();
}

/** A patch as JSON merges it: null removes, objects are merged, all else is replaced. */
function merged(old: BucketResource, patch: BucketResource): BucketResource {
  const entries = Object.entries(patch).map(([key, value]) => {
    const [before, isObject] = [old[key], typeof value === 'object' && value !== null && !Array.isArray(value)];
    return [
      key,
      isObject ? merged((typeof before === 'object' && before ? before : {}) as BucketResource, value as BucketResource) : value,
    ];
  });
  return Object.fromEntries(Object.entries({ ...old, ...Object.fromEntries(entries) }).filter(([, value]) => value !== null));
}

const jsonOf = async (request: IncomingMessage) => JSON.parse((await buffer(request)).toString() || '{}');

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body));
}
