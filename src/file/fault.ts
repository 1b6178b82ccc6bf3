import type { RequestContext } from '../context.js';
import type { File as FileRow } from '../db/generated/client.js';
import { DomainError, StorageError, type StorageFailure, unavailable } from '../errors.js';

/** The store answers, and has not the bytes that the row promises. */
const lost: ReadonlySet<StorageFailure> = new Set<StorageFailure>(['NOT_FOUND', 'CHANGED', 'UNSUPPORTED']);

/** Why a file cannot be read, as its reader may know it: never the reader's fault. Operators find the storage's word in the log. */
export function readFault(ctx: RequestContext, { id, storageId, objectKey }: FileRow, error: unknown): unknown {
  if (!(error instanceof StorageError)) return error;
  const about = { err: error, fileId: id, storageId, objectKey, reason: error.reason };
  if (lost.has(error.reason)) {
    ctx.log.error(about, 'the bytes of a file are lost');
    return new DomainError('INTERNAL', `The bytes of this file are lost in its storage. Tell your operator: request ${ctx.requestId}.`);
  }
  ctx.log.error(about, 'the bytes of a file cannot be read');
  return unavailable('The storage of this file does not hand out its bytes now. Try again later; if it stays, test its credentials.');
}
