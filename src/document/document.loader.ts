import { type Document as DocumentRow, Prisma } from '../db/generated/client.js';
import { byName, byTimes } from '../paging.js';
import { byId } from '../relation/relation.js';
import { tableOf } from '../relation/table.js';
import { canReadDocuments } from './document.policy.js';

/** How the condition on a single tag begins. */
export const CARRIES = 'd.tags @> ARRAY[';
const counted = new Set(['tenant_id', 'status', 'category_id', 'storage_id', 'deleted_at']);

export const documents = tableOf<DocumentRow>({
  name: 'documents',
  alias: 'd',
  fields: Prisma.DocumentScalarFieldEnum,
  orders: { ...byTimes<DocumentRow>('d'), ...byName<DocumentRow>('d') },
  policy: canReadDocuments,
  counters: [
    { from: Prisma.sql`document_counts AS d`, columns: counted },
    { from: Prisma.sql`document_tag_counts AS d`, columns: counted, each: CARRIES },
  ],
});

/** Documents in the trash load as null. */
export const documentById = byId(documents, Prisma.sql`d.deleted_at IS NULL`);
