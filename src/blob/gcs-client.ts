import { Readable } from 'node:stream';
import { type Bucket, Storage } from '@google-cloud/storage';
import { StorageError } from '../errors.js';
import type { GcsCredentials } from './credentials.js';
import { byAgent } from './gcs-transport.js';
import type { Agents } from './hosts.js';
import type { Patience } from './patience.js';

/** One bucket, and how to talk to it. */
export interface GcsBucket {
  /** The SDK's own, which signs addresses. */
  bucket: Bucket;
  /** Sends a request of the JSON API, signed by the account. Rejects with whatever the SDK says, see gcsFault. */
  send<Answer>(request: GcsRequest): Promise<GcsAnswer<Answer>>;
  patience: Patience;
}

export interface GcsRequest {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Of the JSON API: objectPath, uploadPath and so on. */
  path: string;
  params?: Record<string, string | number | undefined>;
  headers?: Record<string, string>;
  /** Bytes, or what is sent as JSON. A stream is sent once, whatever becomes of it, and for as long as it takes. */
  data?: Buffer | Readable | object;
  /** The body of the answer is to be a stream; such a request is sent once. */
  stream?: boolean;
  /** Which answers are none of failure; by default those from 200 to 299. */
  accepts?: (status: number) => boolean;
  signal?: AbortSignal;
  /** In milliseconds, until it is answered; by default as for requests that carry no bytes of an object. */
  patience?: number;
}

export interface GcsAnswer<Answer> {
  status: number;
  headers: Record<string, string>;
  data: Answer;
}

const GOOGLE = 'https://storage.googleapis.com';

/**
 * The SDK sends its requests by a transport that takes no agent, follows redirects, waits for ever for the rest of a body that
 * broke off, and breaks all downloads off when one of them is. So they are sent from here, through its authorised client.
 */
export function createGcsBucket(bucket: string, credentials: GcsCredentials, agents: Agents, patience: Patience): GcsBucket {
  const endpoint = (credentials.endpoint ?? GOOGLE).replace(/\/+$/, '');
  const storage = openStorage(endpoint, credentials);
  const agent = endpoint.startsWith('https:') ? agents.httpsAgent : agents.httpAgent;
  const send: GcsBucket['send'] = ({ path, params, stream, accepts, patience: wait, ...request }) => {
    const isStream = request.data instanceof Readable;
    return storage.authClient.request({
      ...request,
      url: `${endpoint}${path}`,
      params: withoutUndefined(params),
      agent,
      adapter: byAgent,
      responseType: stream ? 'stream' : 'json',
      ...(accepts && { validateStatus: accepts }),
      timeout: isStream ? 0 : (wait ?? patience.answer),
      retryConfig: isStream || stream ? { retry: 0, noResponseRetries: 0 } : repeats(patience),
    });
  };
  return { bucket: storage.bucket(bucket), send, patience };
}

function openStorage(endpoint: string, { project_id, client_email, private_key }: GcsCredentials): Storage {
  const storage = new Storage({
    projectId: project_id,
    credentials: { client_email, private_key },
    apiEndpoint: endpoint,
    universeDomain: 'googleapis.com',
  });
  // That variable in the environment of this process would lead what is signed elsewhere.
  if (storage.baseUrl !== `${endpoint}/storage/v1`)
    throw new StorageError(
      'MISCONFIGURED',
      'The server has STORAGE_EMULATOR_HOST set, which is for no storage. Have its operator unset it.',
    );
  // Requests carry a signature of the account's own key: no token is fetched from anywhere.
  storage.authClient.useJWTAccessWithScope = true;
  return storage;
}

/** Every write says by a precondition, and a mark on what it makes, whether it was done already. */
const repeats = ({ attempts }: Patience) => ({
  retry: attempts - 1,
  noResponseRetries: attempts - 1,
  httpMethodsToRetry: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
  statusCodesToRetry: repeated.map((status) => [status, status]),
  retryDelay: 500,
  maxRetryDelay: 5_000,
});

/** Statuses after which a request is sent again. */
export const repeated = [408, 429, 500, 502, 503, 504];

const withoutUndefined = (params: GcsRequest['params'] = {}) =>
  Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined));

export const bucketPath = (bucket: string) => `/storage/v1/b/${encodeURIComponent(bucket)}`;
export const objectsPath = ({ bucket }: GcsBucket) => `${bucketPath(bucket.name)}/o`;
export const objectPath = (place: GcsBucket, key: string) => `${objectsPath(place)}/${encodeURIComponent(key)}`;
/** Where an object is sent to; its key is the parameter `name`. */
export const uploadPath = (place: GcsBucket) => `/upload${objectsPath(place)}`;
