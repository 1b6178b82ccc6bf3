import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { StorageError, type StorageFailure } from '../errors.js';
import type { BlobStore, ProbeCheck, SignedRequest } from './store.js';

/** What differs from provider to provider in a probe. */
export interface ProbeSteps {
  /** Whether anything answers at the address. */
  reach(): Promise<void>;
  /** Whether whoever answers takes the credentials and has the bucket; rights are tried by the steps that need them. */
  authenticate?(): Promise<void>;
  /** The bytes that a client without credentials gets for a signed request. */
  fetch?(request: SignedRequest): Promise<Buffer>;
}

/**
 * The first two steps, by one request that any store answers.
 *
 * @param ask rejects with StorageError
 * @param passed what does not speak against the credentials: a right that a later step tries
 */
export function askingFirst(ask: () => Promise<unknown>, passed: StorageFailure[]): Pick<ProbeSteps, 'reach' | 'authenticate'> {
  const unless = async (failed: (reason: StorageFailure) => boolean) => {
    await ask().catch((fault: StorageError) => {
      if (failed(fault.reason)) throw fault;
    });
  };
  return {
    reach: () => unless((reason) => unanswered.includes(reason)),
    authenticate: () => unless((reason) => !passed.includes(reason)),
  };
}

/** Any other answer is one of the service. */
const unanswered: StorageFailure[] = ['UNREACHABLE', 'MISCONFIGURED', 'UNKNOWN'];

const probeBytes = Buffer.from('docgate probe');

/**
 * Tries what Docgate will do, step by step. A step that cannot be tried, because one that it builds on failed, is left
 * out: so whoever lacks one right sees exactly that step fail.
 */
export async function probeStore(store: BlobStore, steps: ProbeSteps): Promise<ProbeCheck[]> {
  const key = `docgate-probe/${randomUUID()}`;
  const checks: ProbeCheck[] = [];
  const run = async (name: string, step: () => Promise<void>): Promise<boolean> => {
    const check = await timed(name, step);
    checks.push(check);
    return check.ok;
  };
  if (!(await run('reach', () => steps.reach()))) return checks;
  if (steps.authenticate && !(await run('authenticate', steps.authenticate))) return checks;
  const written = await run('write', () => store.put(key, Readable.from([probeBytes]), { size: probeBytes.length }));
  if (written) {
    const read = await run('read a range', () => readRange(store, key));
    // Some stores tell by a look at the object whose it is.
    if (read) await run('refuse to overwrite', () => refuseToOverwrite(store, key));
    if (read && store.presigns) await run('presign', () => presign(store, key, steps));
  }
  await run('list', () => list(store, key, written));
  // Also after a write that failed, as its answer may have been lost on the way back; but then it says nothing.
  const deleted = await timed('delete', () => store.delete(key));
  return written ? [...checks, deleted] : checks;
}

async function refuseToOverwrite(store: BlobStore, key: string): Promise<void> {
  const reason = await failureOf(store.put(key, Readable.from([probeBytes]), { size: probeBytes.length }));
  if (reason !== 'ALREADY_EXISTS')
    throw new StorageError('UNSUPPORTED', 'An object could be overwritten. Use a storage that honours conditional writes.');
}

async function readRange(store: BlobStore, key: string): Promise<void> {
  const bytes = await buffer(await store.get(key, { range: { start: 8, end: 12 } }));
  if (bytes.toString() !== 'probe') throw new StorageError('UNKNOWN', 'Other bytes came back than were written. Do not use this storage.');
}

async function presign(store: BlobStore, key: string, { fetch }: ProbeSteps): Promise<void> {
  const bytes = await fetch?.(await store.presignGet(key, { expiresIn: 60 }));
  if (!bytes?.equals(probeBytes)) throw new StorageError('UNKNOWN', 'A signed link does not give the bytes that were written.');
}

async function list(store: BlobStore, key: string, written: boolean): Promise<void> {
  for await (const info of store.list(key)) if (info.key === key && info.size === probeBytes.length) return;
  if (written) throw new StorageError('UNKNOWN', 'An object that was just written is not listed. Do not use this storage.');
}

const failureOf = (promise: Promise<unknown>): Promise<StorageFailure | null> =>
  promise.then(
    () => null,
    (error: unknown) => (error instanceof StorageError ? error.reason : 'UNKNOWN'),
  );

async function timed(name: string, step: () => Promise<void>): Promise<ProbeCheck> {
  const start = performance.now();
  const detail = await step().then(
    () => '',
    (error: unknown) => (error instanceof StorageError ? error.message : 'It failed for a reason that is not known. Try again.'),
  );
  return { name, ok: detail === '', latencyMs: Math.round(performance.now() - start), detail };
}
