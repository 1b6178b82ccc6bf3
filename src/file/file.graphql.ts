import { Document } from '../document/document.graphql.js';
import type { DocumentRow } from '../document/document.service.js';
import { FileInfectedError, PayloadTooLargeError, StorageError } from '../errors.js';
import { builder } from '../graphql/builder.js';
import { columnsBelow } from '../graphql/columns.js';
import { Node } from '../graphql/node.js';
import { joins } from '../graphql/plan/declare.js';
import { incomingFiles } from '../graphql/upload.js';
import { downloadLink } from './download.service.js';
import { documentFiles, fileDocument } from './file.relations.js';
import { deleteFile, documentOf, type FileRow, listFiles } from './file.service.js';
import { uploadFiles } from './upload.service.js';

const FileStateEnum = builder.enumType('FileState', {
  description: 'Whether the bytes of a file can be read.',
  values: {
    UPLOADING: { description: 'Still on their way.' },
    READY: { description: 'Complete and verified.' },
    QUARANTINED: { description: 'Kept but never served.' },
    DELETED: { description: 'Awaiting removal.' },
  } as const,
});

export const DispositionEnum = builder.enumType('Disposition', {
  description: 'What a browser shall do with a file.',
  values: {
    INLINE: { value: 'inline', description: 'Show it, if its type is safe to show; save it otherwise.' },
    ATTACHMENT: { value: 'attachment', description: 'Save it.' },
  } as const,
});

export const File = builder.prismaObject('File', {
  description: 'The bytes of a document, or a part of them. Never changed: a new version is a new file.',
  interfaces: [Node],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its file name.' }),
    contentType: t.exposeString('contentType', { description: 'Its media type, told from the bytes: what it is served as.' }),
    declaredType: t.exposeString('declaredType', { description: 'The media type that the uploader claimed.' }),
    size: t.expose('size', { type: 'ByteSize', description: 'How many bytes.' }),
    sha256: t.exposeString('sha256', { description: 'SHA-256 of the bytes, in hexadecimal.' }),
    state: t.expose('state', { type: FileStateEnum, description: 'Whether the bytes can be read.' }),
    createdBy: t.expose('createdBy', { type: 'UUID', description: 'The user who uploaded it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the upload began.' }),
    document: t.field({
      type: Document,
      nullable: true,
      description: 'The document it belongs to; null when that is in the trash.',
      extensions: joins(fileDocument),
      resolve: (file, _, ctx) => documentOf(ctx, file),
    }),
    downloadUrl: t.string({
      description: 'A link to the bytes that works without a bearer token until it expires, so that `<a href>` can use it.',
      args: {
        expiresIn: t.arg.int({ description: 'How many seconds it shall work: 1 to 3600, by default 300.' }),
        disposition: t.arg({ type: DispositionEnum, description: 'Show or save; by default save.' }),
      },
      resolve: (file, { expiresIn, disposition }, ctx) => downloadLink(ctx, file, expiresIn, disposition),
    }),
  }),
});

builder.prismaObjectField('Document', 'files', (t) =>
  t.field({
    type: [File],
    description: 'Its files, in the order of their upload.',
    extensions: joins(documentFiles),
    resolve: (document, _, ctx, info) => listFiles(ctx, document.id, columnsBelow(info)),
  }),
);

const UploadFilesInput = builder.inputType('UploadFilesInput', {
  description: 'Files for a document.',
  fields: (t) => ({
    documentId: t.id({ required: true, description: 'Which document.' }),
    files: t.field({ type: ['Upload'], required: true, description: '1 to 20 files.' }),
    expectedVersion: t.int({ description: "The document's version that you saw; another one answers ConflictError." }),
  }),
});

const UploadedFiles = builder.objectRef<{ document: DocumentRow; files: FileRow[] }>('UploadedFiles').implement({
  description: 'What `uploadFiles` stored.',
  fields: (t) => ({
    document: t.expose('document', { type: Document, description: 'The document, PENDING again if it was reviewed.' }),
    files: t.expose('files', { type: [File], description: 'The new files.' }),
  }),
});

const DeleteFileInput = builder.inputType('DeleteFileInput', {
  description: 'A removal of a file.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which file.' }),
    expectedVersion: t.int({ description: "The document's version that you saw; another one answers ConflictError." }),
  }),
});

builder.mutationFields((t) => ({
  uploadFiles: t.field({
    type: UploadedFiles,
    errors: { types: [PayloadTooLargeError, FileInfectedError, StorageError] },
    description:
      'Stores files with a document: all of them or none. A reviewed document becomes PENDING again. Needs the scope `documents:write`.',
    args: { input: t.arg({ type: UploadFilesInput, required: true, description: 'The files.' }) },
    resolve: (_, { input }, ctx) => uploadFiles(ctx, input.documentId, incomingFiles(input.files), input.expectedVersion),
  }),
  deleteFile: t.field({
    type: Document,
    errors: {},
    description: 'Removes a file from its document. A reviewed document becomes PENDING again. Needs the scope `documents:write`.',
    args: { input: t.arg({ type: DeleteFileInput, required: true, description: 'Which one.' }) },
    resolve: (_, { input }, ctx) => deleteFile(ctx, input.id, input.expectedVersion),
  }),
}));
