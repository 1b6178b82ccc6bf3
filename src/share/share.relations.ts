import { Prisma, type ShareAccessKind } from '../db/generated/client.js';
import { documentById } from '../document/document.loader.js';
import { contains, type DateRange, equals, equalsId, within } from '../filters.js';
import { found, list, listByParent, one } from '../relation/relation.js';
import { accesses, shareById, shares } from './share.loader.js';

export interface ShareFilter {
  documentId?: string | null;
  expiresAt?: DateRange | null;
  /** False: without those that were revoked. */
  revoked?: boolean | null;
  createdAt?: DateRange | null;
  /** Part of the label. */
  search?: string | null;
}

function shareConditions(filter: ShareFilter | null | undefined): Prisma.Sql[] {
  return [
    ...equalsId('h.document_id', filter?.documentId, 'filter.documentId'),
    ...within(filter?.expiresAt, 'h.expires_at', 'filter.expiresAt'),
    ...within(filter?.createdAt, 'h.created_at', 'filter.createdAt'),
    ...contains(filter?.search, 'h.label'),
    ...(filter?.revoked == null ? [] : [filter.revoked ? Prisma.sql`h.revoked_at IS NOT NULL` : Prisma.sql`h.revoked_at IS NULL`]),
  ];
}

export const shareOfId = found(shareById);
export const shareList = list(shares, (_, filter: ShareFilter | null | undefined) => shareConditions(filter));
export const documentShares = listByParent(shares, Prisma.sql`h.document_id`, (_, filter: ShareFilter | null | undefined) =>
  shareConditions(filter),
);
export const documentOfShare = one(documentById, 'documentId');

export interface AccessFilter {
  shareId?: string;
  kind?: ShareAccessKind | null;
  createdAt?: DateRange | null;
}

const accessConditions = (filter: AccessFilter | null | undefined) => [
  ...equalsId('a.share_id', filter?.shareId, 'shareId'),
  ...equals('a.kind', filter?.kind, '::share_access_kind'),
  ...within(filter?.createdAt, 'a.created_at', 'filter.createdAt'),
];

export const accessList = list(accesses, (_, filter: AccessFilter | null | undefined) => accessConditions(filter));
export const accessesOfShare = listByParent(accesses, Prisma.sql`a.share_id`, (_, filter: AccessFilter | null | undefined) =>
  accessConditions(filter),
);
