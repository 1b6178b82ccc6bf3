import { columnsOf } from '../db/columns.js';
import { type File as FileRow, Prisma } from '../db/generated/client.js';
import { defineLoader, groupBy, indexBy } from '../loader.js';

const columns = columnsOf(Prisma.FileScalarFieldEnum, 'f');
/** What a client may see: neither what is still on its way nor what is on its way out. */
const visible = Prisma.sql`f.state IN ('READY', 'QUARANTINED')`;

/** Files of documents in the trash load as null. */
export const fileById = defineLoader(async (ctx, ids) => {
  const rows = await ctx.db.query<FileRow>(Prisma.sql`
    SELECT ${columns} FROM files f JOIN documents d ON d.tenant_id = f.tenant_id AND d.id = f.document_id
     WHERE ${ctx.db.owns('f')} AND f.id = ANY(${[...ids]}::text[]) AND ${visible} AND d.deleted_at IS NULL`);
  return indexBy(rows, (row) => row.id);
});

/** A document's files, in the order of their upload. */
export const filesByDocument = defineLoader(async (ctx, ids) => {
  const rows = await ctx.db.query<FileRow>(Prisma.sql`
    SELECT ${columns} FROM files f
     WHERE ${ctx.db.owns('f')} AND f.document_id = ANY(${[...ids]}::text[]) AND ${visible} ORDER BY f.document_id, f.id`);
  return groupBy(rows, ids, (row) => row.documentId);
});
