import type { RequestContext } from '../context.js';
import { columnsOf } from '../db/columns.js';
import { type Document as DocumentRow, type File as FileRow, Prisma } from '../db/generated/client.js';
import { documentById, documents } from '../document/document.loader.js';
import { many, one } from '../relation/relation.js';
import type { Columns } from '../relation/table.js';
import { files, visible } from './file.loader.js';

/** A document's files, in the order of their upload. */
export const documentFiles = many(files, Prisma.sql`f.document_id`, 'documentId', visible);

/**
 * A document and its files by one statement; null where there is none.
 *
 * @param columns what will be looked at of the files, their ids among it; the rest is missing
 */
export async function findDocumentAndFiles(
  ctx: RequestContext,
  id: string,
  columns: Columns,
): Promise<{ document: DocumentRow; files: FileRow[] } | null> {
  const rows = await ctx.db.query<DocumentRow & Record<string, unknown>>(Prisma.sql`
    SELECT ${documents.columns}, ${columnsOf(columns, 'f', 'file.')}
      FROM documents AS d
      LEFT JOIN files AS f ON f.tenant_id = d.tenant_id AND f.document_id = d.id AND ${visible}
     WHERE ${ctx.db.owns('d')} AND d.id = ${id} AND ${Prisma.join(documentById.shown, ' AND ')}
     ORDER BY f.id`);
  const [document] = rows;
  const fileOf = (row: Record<string, unknown>) => Object.fromEntries(columns.map((field) => [field, row[`file.${field}`]]));
  // As the caller asked for.
  return document ? { document, files: rows.map(fileOf).filter(({ id }) => id !== null) as unknown as FileRow[] } : null;
}

export const fileDocument = one(documentById, 'documentId');
