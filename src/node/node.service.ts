import { getCategory } from '../category/category.service.js';
import { type RequestContext, viewerOf } from '../context.js';
import { Prisma } from '../db/generated/client.js';
import { isId } from '../db/id.js';
import { getDocument } from '../document/document.service.js';
import { invalid } from '../errors.js';
import { getFile } from '../file/file.service.js';
import { defineLoader, indexBy } from '../loader.js';
import { getMove } from '../move/move.service.js';
import { MAX_PAGE_SIZE } from '../paging.js';
import { getShare } from '../share/share.service.js';
import { getStorage } from '../storage/storage.service.js';

const readers = {
  Storage: { table: 'storages', read: getStorage },
  Category: { table: 'categories', read: getCategory },
  Document: { table: 'documents', read: getDocument },
  File: { table: 'files', read: getFile },
  Share: { table: 'shares', read: getShare },
  StorageMove: { table: 'storage_moves', read: getMove },
} as const;
export type NodeType = keyof typeof readers;

export interface FoundNode {
  type: NodeType;
  row: { id: string };
}

/** Which table an id is in: ids are plain ULIDs and do not tell. One statement for all ids of a request. */
const typeById = defineLoader(async (ctx, ids) => {
  const owned = Object.entries(readers).map(
    ([type, { table }]) =>
      Prisma.sql`SELECT ${type} AS type, n.id FROM ${Prisma.raw(table)} n WHERE ${ctx.db.owns('n')} AND n.id = ANY(${[...ids]}::text[])`,
  );
  return indexBy(await ctx.db.query<{ type: NodeType; id: string }>(Prisma.join(owned, ' UNION ALL ')), (row) => row.id);
});

/** Whatever has this id in the viewer's tenant. NOT_FOUND and FORBIDDEN as for its own query; null when nothing has it. */
export async function findNode(ctx: RequestContext, id: string): Promise<FoundNode | null> {
  viewerOf(ctx);
  const found = isId(id) ? await typeById(ctx).load(id) : null;
  return found && { type: found.type, row: await readers[found.type].read(ctx, id) };
}

export function checkNodeCount(ids: string[]): void {
  if (ids.length > MAX_PAGE_SIZE) throw invalid('ids', `at most ${MAX_PAGE_SIZE} ids at once`);
}
