import { builder } from '../graphql/builder.js';
import { Share } from './share.graphql.js';
import { revokeShare, shareDocument, updateShare } from './share.service.js';

const ShareDocumentInput = builder.inputType('ShareDocumentInput', {
  description: 'A new share of a PENDING or APPROVED document.',
  fields: (t) => ({
    documentId: t.id({ required: true, description: 'Which document.' }),
    expiresAt: t.field({ type: 'DateTime', required: true, description: 'In the future, at most 365 days from now.' }),
    label: t.string({ description: 'A note for its owner, at most 100 characters.' }),
    password: t.string({ description: 'Asked of whoever opens it; 4 to 200 characters. Never shown again.' }),
    allowDownload: t.boolean({ description: 'Whether the bytes may be downloaded; by default true.' }),
    maxDownloads: t.int({ description: 'How often files may be downloaded in all.' }),
    notBefore: t.field({ type: 'DateTime', description: 'When it starts opening, before `expiresAt`; by default at once.' }),
    watermark: t.string({ description: 'Drawn over rendered previews, at most 100 characters in one line; by default nothing.' }),
    fileIds: t.idList({ description: 'The files that it opens, at most 100; by default all of the document, later ones too.' }),
  }),
});

const UpdateShareInput = builder.inputType('UpdateShareInput', {
  description: 'A change of a share; its token stays. What is left out stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which share.' }),
    expiresAt: t.field({ type: 'DateTime', description: 'In the future, at most 365 days from now.' }),
    label: t.string({ description: 'At most 100 characters.' }),
    password: t.string({ description: 'A new password; `null` lifts it.' }),
    allowDownload: t.boolean({ description: 'Whether the bytes may be downloaded.' }),
    maxDownloads: t.int({ description: 'How often files may be downloaded in all; `null` lifts the limit.' }),
    notBefore: t.field({ type: 'DateTime', description: 'When it starts opening, before it expires; `null`: at once.' }),
    watermark: t.string({ description: 'Drawn over rendered previews, at most 100 characters in one line; empty: nothing.' }),
    fileIds: t.idList({ description: 'The files that it opens, at most 100; empty: all of the document.' }),
    expectedVersion: t.int({ description: 'The version you saw; another one answers ConflictError.' }),
  }),
});

const RevokeShareInput = builder.inputType('RevokeShareInput', {
  description: 'A withdrawal of a share.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which share.' }),
    expectedVersion: t.int({ description: 'The version you saw; another one answers ConflictError.' }),
  }),
});

builder.mutationFields((t) => ({
  shareDocument: t.field({
    type: Share,
    errors: {},
    description: 'Makes a link to a document. Needs the scope `shares:write`.',
    args: { input: t.arg({ type: ShareDocumentInput, required: true, description: 'The share.' }) },
    resolve: (_, { input: { documentId, ...input } }, ctx) => shareDocument(ctx, documentId, input),
  }),
  updateShare: t.field({
    type: Share,
    errors: {},
    description: 'Changes the limits of a share, at once. Needs the scope `shares:write`.',
    args: { input: t.arg({ type: UpdateShareInput, required: true, description: 'The change.' }) },
    resolve: (_, { input: { id, ...input } }, ctx) => updateShare(ctx, id, input),
  }),
  revokeShare: t.field({
    type: Share,
    errors: {},
    description: 'Makes a share stop opening, at once and for good. Needs the scope `shares:write`.',
    args: { input: t.arg({ type: RevokeShareInput, required: true, description: 'Which one.' }) },
    resolve: (_, { input }, ctx) => revokeShare(ctx, input.id, input.expectedVersion),
  }),
}));
