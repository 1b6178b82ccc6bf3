import { type Document as DocumentRow, Prisma } from '../db/generated/client.js';
import { byName, byTimes } from '../paging.js';
import { byId } from '../relation/relation.js';
import { tableOf } from '../relation/table.js';
import { canReadDocuments } from './document.policy.js';

export const documents = tableOf<DocumentRow>({
  name: 'documents',
  alias: 'd',
  fields: Prisma.DocumentScalarFieldEnum,
  orders: { ...byTimes<DocumentRow>('d'), ...byName<DocumentRow>('d') },
  policy: canReadDocuments,
});

/** Documents in the trash load as null. */
export const documentById = byId(documents, Prisma.sql`d.deleted_at IS NULL`);
