import { randomUUID } from 'node:crypto';
import { StorageError } from '../errors.js';

/*
 * Where a store knows parts but no uploads, ids of uploads are made here: they name the parts, and keep the type that the
 * object is to get.
 */

export const newUploadId = (contentType = '') => `${randomUUID()}.${Buffer.from(contentType).toString('base64url')}`;

/** What the names of its parts have in common. @throws StorageError NOT_FOUND for what is no such id */
export function nameOfUpload(uploadId: string): string {
  const [, name] = /^([0-9a-f-]{36})\./.exec(uploadId) ?? [];
  if (!name) throw new StorageError('NOT_FOUND', 'The storage knows no such upload. Begin a new one.');
  return name;
}

export const contentTypeOf = (uploadId: string) => Buffer.from(uploadId.slice(37), 'base64url').toString() || undefined;
