import { StorageError, type StorageFailure } from '../errors.js';
import { statusFault, trimmed, unansweredFault } from './faults.js';
import { repeated } from './gcs-client.js';

/** What the SDK's several ways to fail have in common; none of it is sure to be there. */
interface SdkError {
  message?: string;
  code?: unknown;
  response?: { status?: number; data?: unknown };
  /** What the transport said. */
  error?: unknown;
}

export function gcsFault(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const status = statusOf(error);
  if (status === 0) return unanswered(error);
  const said = wordsOf(error);
  const fault = { code: 'as GCS does', status };
  const of = (reason: StorageFailure, message: string) => new StorageError(reason, message, { cause: trimmed(fault) });
  if (status === 404 && /bucket does not exist/i.test(said))
    return of('NO_BUCKET', 'There is no such bucket. Create it, or correct its name.');
  if (status === 401)
    return of(
      'UNAUTHENTICATED',
      'The storage does not take these credentials. Check the service account and its key, and that the clock of this server is right.',
    );
  const [right] = /storage\.[a-z]+\.[a-zA-Z]+/.exec(said) ?? [];
  if (status === 403 && right)
    return of('FORBIDDEN', `The service account has no right to do this in the bucket. Grant ${right}, then try again.`);
  if (status === 400) return of('UNKNOWN', `The storage did not do as asked: ${said.slice(0, 200)}`);
  return statusFault(fault);
}

export const failAsGcs = (error: unknown): never => {
  throw gcsFault(error);
};

/** Whether a failure may be gone when the request is sent again. */
export function isWorthRepeating(error: unknown): boolean {
  const status = statusOf(error);
  return status === 0 ? unanswered(error).reason === 'UNREACHABLE' : repeated.includes(status);
}

/** Of the answer; 0 when there was none. */
function statusOf(error: unknown): number {
  const { code, response } = error as SdkError;
  return [response?.status, code].map(Number).find((number) => number >= 100 && number < 600) ?? 0;
}

/** The service's own, as its JSON has them; of a download that failed they are all there is. */
function wordsOf(error: unknown): string {
  const { response, message = '' } = error as SdkError;
  const { data } = response ?? {};
  const { error: told } = (typeof data === 'object' && data !== null ? data : {}) as { error?: { message?: unknown } };
  return typeof told?.message === 'string' ? told.message : message;
}

/** The SDK wraps what the transport said. */
const unanswered = (error: unknown) => unansweredFault((error as SdkError).error ?? error);
