import { StorageError, type StorageFailure } from '../errors.js';
import { frozen } from './streams.js';

/** What an SDK says of a failure, without what must not be told: requests, headers, signatures, secrets. */
export interface Fault {
  /** The provider's own word, such as NoSuchBucket. */
  code: string;
  /** Of the answer; 0 when there was none. */
  status: number;
  /** By which the provider finds the request in its log. */
  requestId?: string;
}

type Told = [reason: StorageFailure, message: string];

const noAnswer: Record<string, Told> = {
  ENOTFOUND: ['UNREACHABLE', 'The host of the storage is not known. Check the endpoint, the region or the account.'],
  EAI_AGAIN: ['UNREACHABLE', 'The host of the storage cannot be looked up now. Try again later.'],
  ECONNREFUSED: ['UNREACHABLE', 'Nothing answers at the address of the storage. Check the endpoint, and that the storage runs.'],
  EHOSTUNREACH: ['UNREACHABLE', 'There is no way to the address of the storage. Check the endpoint and the network.'],
  ENETUNREACH: ['UNREACHABLE', 'There is no way to the address of the storage. Check the endpoint and the network.'],
  ECONNRESET: ['UNREACHABLE', 'The connection to the storage broke off. Try again.'],
  EPIPE: ['UNREACHABLE', 'The connection to the storage broke off. Try again.'],
  ERR_STREAM_PREMATURE_CLOSE: ['UNREACHABLE', 'The connection to the storage broke off. Try again.'],
  EPROTO: ['MISCONFIGURED', 'The endpoint does not speak TLS as it should. Check its address and port.'],
};
const timeouts = /^(ETIMEDOUT|ESOCKETTIMEDOUT|TimeoutError|ERR_SOCKET_CONNECTION_TIMEOUT)$/;
const certificates = /CERT|ERR_TLS|SELF_SIGNED|UNABLE_TO_VERIFY/;

/** A failure to get any answer, or null if it is none of these. */
export function connectionFault(error: unknown): StorageError | null {
  if (!(error instanceof Error)) return null;
  if (error instanceof StorageError) return error;
  const code = 'code' in error ? String(error.code) : error.name;
  const cause = trimmed({ code, status: 0 });
  if (timeouts.test(code)) return frozen(cause);
  if (certificates.test(code))
    return new StorageError('MISCONFIGURED', 'The certificate of the endpoint cannot be trusted. Use one with a valid certificate.', {
      cause,
    });
  if (error.name === 'AbortError') return new StorageError('UNKNOWN', 'The request was given up before it was answered.', { cause });
  const told = noAnswer[code];
  if (told) return new StorageError(...told, { cause });
  // After the code: Amazon's SDK gives this name to connections that broke off, too.
  if (timeouts.test(error.name)) return frozen(cause);
  const inner = error.cause ?? (error instanceof AggregateError ? error.errors[0] : undefined);
  return inner === undefined ? null : connectionFault(inner);
}

/** Why there was no answer, whatever went wrong. */
export const unansweredFault = (error: unknown): StorageError => connectionFault(error) ?? statusFault({ code: 'unreadable', status: 0 });

/** Whatever answers is not what the provider has there. @param api "the S3 protocol" */
export const foreign = (api: string, cause?: unknown) =>
  new StorageError('MISCONFIGURED', `Whatever answers at the endpoint does not speak ${api}. Check the endpoint.`, { cause });

/** Of a copy whose source is no longer the version that was asked for. */
export const changedMeanwhile = () => new StorageError('CHANGED', 'The object changed meanwhile and was not copied. Verify it again.');

/** What any provider's answer means by its status alone. */
export function statusFault(fault: Fault): StorageError {
  const cause = trimmed(fault);
  const of = (reason: StorageFailure, message: string) => new StorageError(reason, message, { cause });
  if (fault.status === 401) return of('UNAUTHENTICATED', 'The storage does not take these credentials. Check them.');
  if (fault.status === 403) return of('FORBIDDEN', 'The credentials have no right to do this in the bucket. Grant it, then try again.');
  if (fault.status === 404) return of('NOT_FOUND', 'The storage holds no such object.');
  if (fault.status === 409 || fault.status === 412) return of('ALREADY_EXISTS', 'The storage already holds an object of this name.');
  if (fault.status === 416) return of('UNSUPPORTED', 'The range is not within the object. Ask for bytes that it has.');
  if (fault.status === 429 || fault.status === 503)
    return of('UNKNOWN', 'The storage has too much to do and asks to slow down. Try again later.');
  if (fault.status === 501) return of('UNSUPPORTED', 'The storage cannot do this. Use one that can.');
  if (fault.status >= 500) return of('UNKNOWN', 'The storage has a fault of its own. Try again later; if it stays, ask its operator.');
  if (fault.status >= 300 && fault.status < 400)
    return of('MISCONFIGURED', 'The storage points to another address. Check the region and the endpoint.');
  return of('UNKNOWN', 'The storage did not do as asked. See the log.');
}

/**
 * For the log: the provider's word and the request's id, where they look like that and not like what else a store may send
 * back. An SDK's own error would carry signed requests with it.
 */
export const trimmed = ({ code, status, requestId = '' }: Fault) =>
  new Error(`the storage answered ${status} ${isWord(code) ? code : 'no word'}${isRequestId(requestId) ? `, request ${requestId}` : ''}`);

/** NoSuchBucket, ERR_TLS_CERT, Md5Mismatch: letters with few digits, where keys have many. */
const isWord = (code: string) => /^(?=\D*(?:\d\D*){0,3}$)[\w.]{1,60}$/.test(code);
const isRequestId = (id: string) => /^[\w-]{8,64}$/.test(id);
