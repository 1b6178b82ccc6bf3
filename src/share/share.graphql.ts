import { Document } from '../document/document.graphql.js';
import { builder } from '../graphql/builder.js';
import { connectionCost, listQuery, newestFirst, orderInput, timeOrders, toConnection } from '../graphql/connection.js';
import { Auditable, DateRangeInput, Node } from '../graphql/node.js';
import { orNull } from '../graphql/nullable.js';
import { finds, joins, lists } from '../graphql/plan/declare.js';
import { documentOfShare, documentShares, shareList, shareOfId } from './share.relations.js';
import { getShare, listShares, listSharesOf, sharedDocument, statusOf } from './share.service.js';
import { shareStatuses } from './share.status.js';
import { openToken } from './share.token.js';

const ShareStatusEnum = builder.enumType('ShareStatus', { description: 'Whether a share opens now.', values: shareStatuses });

export const Share = builder.prismaObject('Share', {
  description: 'A link that opens a document to whoever holds its token, within limits.',
  interfaces: [Node, Auditable],
  fields: (t) => ({
    token: t.string({
      description: 'The secret of the link. Opens with `sharePreview`.',
      resolve: (share, _, ctx) => openToken(ctx, share),
    }),
    documentId: t.exposeID('documentId', { description: 'What it opens.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it stops opening.' }),
    revokedAt: t.expose('revokedAt', { type: 'DateTime', nullable: true, description: 'When it was revoked; null: it was not.' }),
    notBefore: t.expose('notBefore', { type: 'DateTime', nullable: true, description: 'When it starts opening; null: at once.' }),
    label: t.exposeString('label', { description: 'A note for its owner; may be empty.' }),
    hasPassword: t.boolean({ description: 'Whether it asks for a password.', resolve: (share) => share.passwordHash !== null }),
    allowDownload: t.exposeBoolean('allowDownload', { description: 'Whether the bytes may be downloaded.' }),
    maxDownloads: t.exposeInt('maxDownloads', { nullable: true, description: 'How often files may be downloaded in all; null: no limit.' }),
    downloadCount: t.exposeInt('downloadCount', { description: 'How often files were downloaded.' }),
    watermark: t.exposeString('watermark', { description: 'Text drawn over rendered previews; empty: none.' }),
    fileIds: t.exposeIDList('fileIds', {
      description:
        'The files that it opens; empty: all of the document, later ones too. A removed file stays in the list and opens no more.',
    }),
    openCount: t.exposeInt('openCount', { description: 'Visits: what one visitor opens within an hour is one.' }),
    lastOpenedAt: t.expose('lastOpenedAt', { type: 'DateTime', nullable: true, description: 'When the last visit began; null: none did.' }),
    status: t.field({ type: ShareStatusEnum, description: 'Whether it opens now.', resolve: (share, _, ctx) => statusOf(ctx, share) }),
    document: t.field({
      type: Document,
      nullable: true,
      description: 'What it opens; null when that is in the trash.',
      extensions: joins(documentOfShare),
      resolve: (share, _, ctx) => sharedDocument(ctx, share),
    }),
  }),
});

const ShareConnection = builder.connectionObject(
  { type: Share, name: 'ShareConnection', description: 'A page of shares.' },
  { name: 'ShareEdge', description: 'A share and its cursor.' },
);

const ShareFilterInput = builder.inputType('ShareFilter', {
  description: 'Which shares. All conditions hold together.',
  fields: (t) => ({
    documentId: t.id({ description: 'Of this document.' }),
    expiresAt: t.field({ type: DateRangeInput, description: 'Expiring in this time.' }),
    revoked: t.boolean({ description: 'Revoked or not; both if left out.' }),
    createdAt: t.field({ type: DateRangeInput, description: 'Made in this time.' }),
    search: t.string({ description: 'Part of the label, whatever the case.' }),
  }),
});
const ShareOrder = orderInput('Share', {
  ...timeOrders,
  EXPIRES_AT: { value: 'expiresAt', description: 'When it stops opening.' },
} as const);
const shareQuery = listQuery(newestFirst);

builder.prismaObjectField('Document', 'shares', (t) =>
  t.field({
    type: ShareConnection,
    description: 'Its shares, dead ones too; newest first if not ordered otherwise. Needs the scope `shares:read`.',
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: ShareFilterInput, description: 'Which ones.' }),
      orderBy: t.arg({ type: ShareOrder, description: 'In which order.' }),
    },
    complexity: connectionCost,
    extensions: lists(documentShares, shareQuery),
    resolve: async (document, args, ctx, info) => toConnection(await listSharesOf(ctx, document.id, shareQuery(args, info))),
  }),
);

builder.queryFields((t) => ({
  share: t.field({
    type: Share,
    nullable: true,
    description: 'One share, or null.',
    args: { id: t.arg.id({ required: true, description: 'Its id (not its token).' }) },
    extensions: finds(shareOfId),
    resolve: (_, { id }, ctx) => orNull(getShare(ctx, id)),
  }),
  shares: t.field({
    type: ShareConnection,
    description: 'Shares of all documents, newest first if not ordered otherwise.',
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: ShareFilterInput, description: 'Which ones.' }),
      orderBy: t.arg({ type: ShareOrder, description: 'In which order.' }),
    },
    complexity: connectionCost,
    extensions: lists(shareList, shareQuery),
    resolve: async (_, args, ctx, info) => toConnection(await listShares(ctx, shareQuery(args, info))),
  }),
}));
