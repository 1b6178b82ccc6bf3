import type { Document as DocumentRow, File as FileRow } from '../db/generated/client.js';
import { ForbiddenError, NotFoundError, PasswordRequiredError, RateLimitedError, ShareGoneError, ValidationError } from '../errors.js';
import { builder } from '../graphql/builder.js';
import { type OpenedShare, previewShare, sharedFileUrl, sharedPreviewUrl } from './open.service.js';

const SharedDocument = builder.objectRef<DocumentRow>('SharedDocument').implement({
  description: 'What a share shows of a document.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What people call it.' }),
    description: t.exposeString('description', { description: 'What it is; may be empty.' }),
    status: t.exposeString('status', { description: 'Where it stands in its review: PENDING or APPROVED.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
  }),
});

const SharedFile = builder.objectRef<{ share: OpenedShare; file: FileRow }>('SharedFile').implement({
  description: 'What a share shows of a file.',
  fields: (t) => ({
    id: t.id({ description: 'A ULID.', resolve: ({ file }) => file.id }),
    name: t.string({ description: 'Its file name.', resolve: ({ file }) => file.name }),
    contentType: t.string({ description: 'Its media type, told from the bytes.', resolve: ({ file }) => file.contentType }),
    size: t.field({ type: 'ByteSize', description: 'How many bytes.', resolve: ({ file }) => file.size }),
    previewUrl: t.string({
      nullable: true,
      description: 'A picture of its first page, free; add `page` and `width` for others. Null when its type has none.',
      resolve: ({ share, file }) => sharedPreviewUrl(share, file),
    }),
    downloadUrl: t.string({
      nullable: true,
      description: 'Where to download it, without a bearer token; null when the share does not allow it. Each download counts.',
      resolve: ({ share, file }) => (share.share.allowDownload ? sharedFileUrl(share, file) : null),
    }),
  }),
});

const SharePreview = builder.objectRef<OpenedShare>('SharePreview').implement({
  description: 'What whoever holds the token of a share sees.',
  fields: (t) => ({
    document: t.expose('document', { type: SharedDocument, description: 'The document.' }),
    files: t.field({
      type: [SharedFile],
      description: 'Its files.',
      resolve: (share) => share.files.map((file) => ({ share, file })),
    }),
    expiresAt: t.field({ type: 'DateTime', description: 'When the share stops opening.', resolve: ({ share }) => share.expiresAt }),
    allowDownload: t.boolean({ description: 'Whether the bytes may be downloaded.', resolve: ({ share }) => share.allowDownload }),
  }),
});

builder.queryField('sharePreview', (t) =>
  t.field({
    type: SharePreview,
    errors: { types: [NotFoundError, ShareGoneError, PasswordRequiredError, RateLimitedError, ValidationError, ForbiddenError] },
    description: 'Opens a share. Needs no bearer token: the token of the share is enough.',
    args: {
      token: t.arg.string({ required: true, description: 'The token of the share.' }),
      password: t.arg.string({ description: 'Its password, if it has one.' }),
    },
    resolve: (_, { token, password }, ctx) => previewShare(ctx, token, { password }),
  }),
);
