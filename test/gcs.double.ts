import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { GcsCredentials } from '../src/blob/credentials.js';
import { atBucket, createBucket, listObjects } from './gcs.double.buckets.js';
import { atObject, sendBytes } from './gcs.double.objects.js';
import { type BucketResource, createGcsState, type Exchange, type GcsState, Refusal, send } from './gcs.double.state.js';
import { createGcsUploads } from './gcs.double.uploads.js';
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

const email = 'docgate@test.iam.gserviceaccount.com';

export async function startGcsDouble(port = 0): Promise<GcsDouble> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const folder = await mkdtemp(join(tmpdir(), 'docgate-gcs-'));
  const state = createGcsState(folder, email);
  const uploads = createGcsUploads(state);

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
  state.host = `127.0.0.1:${address.port}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${state.host}`);
    const exchange = { request, response, url };
    if (url.searchParams.has('X-Goog-Signature')) {
      if (!isSigned(request, url, email, publicKey)) throw new Refusal(403, 'SignatureDoesNotMatch');
      return atSignedAddress(state, exchange);
    }
    if (url.pathname.startsWith('/session/')) return uploads.takePiece(exchange, url.pathname.slice('/session/'.length));
    if (!bearsToken(request, email, publicKey)) throw new Refusal(401, 'Invalid Credentials');
    const [, upload, bucket, objects, path] = /^(\/upload)?\/storage\/v1\/b(?:\/([^/]+)(?:\/(o)(?:\/(.+))?)?)?$/.exec(url.pathname) ?? [];
    if (bucket === undefined) return createBucket(state, exchange);
    if (upload) return uploads.begin(exchange, bucket);
    if (!objects) return atBucket(state, exchange, bucket);
    if (path === undefined) return listObjects(state, exchange, bucket);
    return atObject(state, exchange, bucket, path);
  }

  return {
    host: state.host,
    denied: state.denied,
    credentials: {
      project_id: 'test',
      client_email: email,
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      endpoint: `http://${state.host}`,
    },
    makeBucket() {
      const name = `t${randomBytes(8).toString('hex')}`;
      state.buckets.set(name, { resource: {}, objects: new Map() });
      return name;
    },
    bucket: (name) => state.buckets.get(name)?.resource,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await rm(folder, { recursive: true });
    },
  };
}

/** What whoever holds a signed address does, without a token: reads or writes an object. */
async function atSignedAddress({ found, newFile, store }: GcsState, exchange: Exchange): Promise<void> {
  const { request, response, url } = exchange;
  const [, bucket = '', ...path] = url.pathname.split('/').map(decodeURIComponent);
  const key = path.join('/');
  if (request.method === 'GET') return sendBytes(exchange, found(bucket, key));
  const file = newFile();
  await pipeline(request, createWriteStream(file));
  await store(bucket, key, file, { contentType: request.headers['content-type'] }, null);
  response.writeHead(200).end();
}
