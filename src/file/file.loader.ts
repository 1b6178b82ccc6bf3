import { type File as FileRow, Prisma } from '../db/generated/client.js';
import { isAnyOf } from '../filters.js';
import { defineLoader, indexBy } from '../loader.js';
import { tableOf } from '../relation/table.js';
import { canReadFiles } from './file.policy.js';

export const files = tableOf<FileRow>({
  name: 'files',
  alias: 'f',
  fields: Prisma.FileScalarFieldEnum,
  orders: {},
  policy: canReadFiles,
});

/** What a client may see: neither what is still on its way nor what is on its way out. */
export const visible = Prisma.sql`f.state IN ('READY', 'QUARANTINED')`;

/** A file with the version of its storage, by which its place is known: one statement is enough to read it. */
export interface FileInStore extends FileRow {
  storageVersion: number;
}

/** Files of documents in the trash load as null. */
export const fileById = defineLoader(async (ctx, ids) => {
  const rows = await ctx.db.query<FileInStore>(Prisma.sql`
    SELECT ${files.columns}, s.version AS "storageVersion"
      FROM files f
      JOIN documents d ON d.tenant_id = f.tenant_id AND d.id = f.document_id
      JOIN storages s ON s.tenant_id = f.tenant_id AND s.id = f.storage_id
     WHERE ${ctx.db.owns('f')} AND ${isAnyOf(Prisma.sql`f.id`, ids)} AND ${visible} AND d.deleted_at IS NULL`);
  return indexBy(rows, (row) => row.id);
});
