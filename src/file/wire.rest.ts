import type { RequestContext } from '../context.js';
import type { DocumentRow } from '../document/document.service.js';
import { wireDocument } from '../document/document.wire.rest.js';
import { wireTime } from '../rest/wire.js';
import { type FileRow, filesOf } from './file.service.js';

/** What an answer takes of a file. */
export const wireFileColumns = ['id', 'name', 'contentType', 'size', 'sha256', 'state', 'createdAt', 'createdBy'] as const;

export const wireFile = (row: FileRow) => ({
  id: row.id,
  name: row.name,
  content_type: row.contentType,
  size: Number(row.size),
  checksum: `sha256:${row.sha256}`,
  created_at: wireTime(row.createdAt),
  created_by: row.createdBy,
});

/** A document with its files, which load together for all documents of an answer. The contract has no word for quarantine. */
export async function documentWithFiles(ctx: RequestContext, row: DocumentRow) {
  const files = await filesOf(ctx, row.id, wireFileColumns);
  return wireDocument(row, files.filter((file) => file.state === 'READY').map(wireFile));
}
