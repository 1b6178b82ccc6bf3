import { FileInfectedError, PayloadTooLargeError, StorageError } from '../errors.js';
import { File } from '../file/file.graphql.js';
import { builder } from '../graphql/builder.js';
import { completeUpload } from './complete.service.js';
import { PartRequestType, StagedUpload } from './upload.graphql.js';
import { abortUpload, createUpload, type PartRequest, signUploadParts } from './upload.service.js';

const CreateUploadInput = builder.inputType('CreateUploadInput', {
  description: 'A file that will come in parts.',
  fields: (t) => ({
    documentId: t.id({ required: true, description: 'Which document it is for.' }),
    name: t.string({ required: true, description: 'Its file name, at most 255 characters.' }),
    size: t.field({ type: 'ByteSize', required: true, description: 'How many bytes it has, exactly.' }),
    contentType: t.string({ description: 'Its media type, as the client knows it.' }),
    sha256: t.string({ description: 'SHA-256 of its bytes, in hexadecimal. Other bytes are refused.' }),
    partSize: t.field({
      type: 'ByteSize',
      description: 'How many bytes each part shall have; by default 8 MiB or what the storage demands.',
    }),
  }),
});

const SignUploadPartsInput = builder.inputType('SignUploadPartsInput', {
  description: 'Parts to be sent, for the first time or again.',
  fields: (t) => ({
    uploadId: t.id({ required: true, description: 'Which upload.' }),
    numbers: t.intList({ required: true, description: '1 to 100 numbers of parts.' }),
  }),
});

const CompleteUploadInput = builder.inputType('CompleteUploadInput', {
  description: 'The end of an upload.',
  fields: (t) => ({
    uploadId: t.id({ required: true, description: 'Which upload.' }),
    expectedVersion: t.int({ description: "The document's version that you saw; another one answers ConflictError." }),
  }),
});

const AbortUploadInput = builder.inputType('AbortUploadInput', {
  description: 'An upload to be given up.',
  fields: (t) => ({ uploadId: t.id({ required: true, description: 'Which upload.' }) }),
});

const SignedParts = builder.objectRef<{ requests: PartRequest[] }>('SignedParts').implement({
  description: 'What `signUploadParts` signed.',
  fields: (t) => ({
    requests: t.expose('requests', { type: [PartRequestType], description: 'One request for each part, in the order asked for.' }),
  }),
});

builder.mutationFields((t) => ({
  createUpload: t.field({
    type: StagedUpload,
    errors: { types: [PayloadTooLargeError, StorageError] },
    description:
      'Announces a file that comes in parts: send each of `requests` with its bytes, then call `completeUpload`. Needs the scope `documents:write`.',
    args: { input: t.arg({ type: CreateUploadInput, required: true, description: 'The file.' }) },
    resolve: (_, { input }, ctx) => createUpload(ctx, input),
  }),
  signUploadParts: t.field({
    type: SignedParts,
    errors: { types: [StorageError] },
    description: 'Signs requests for parts of an upload, for the first time or again. Needs the scope `documents:write`.',
    args: { input: t.arg({ type: SignUploadPartsInput, required: true, description: 'Which parts.' }) },
    resolve: async (_, { input: { uploadId, numbers } }, ctx) => ({ requests: await signUploadParts(ctx, uploadId, { numbers }) }),
  }),
  completeUpload: t.field({
    type: File,
    errors: { types: [PayloadTooLargeError, FileInfectedError, StorageError] },
    description:
      'Makes a file of the parts, once size, SHA-256, type and virus scan are verified. Lost the answer? Call it again: it answers the same file. A reviewed document becomes PENDING again. Needs the scope `documents:write`.',
    args: { input: t.arg({ type: CompleteUploadInput, required: true, description: 'Which upload.' }) },
    resolve: (_, { input: { uploadId, ...input } }, ctx) => completeUpload(ctx, uploadId, input),
  }),
  abortUpload: t.field({
    type: StagedUpload,
    errors: { types: [StorageError] },
    description: 'Gives an upload up and frees what has arrived. Needs the scope `documents:write`.',
    args: { input: t.arg({ type: AbortUploadInput, required: true, description: 'Which upload.' }) },
    resolve: (_, { input }, ctx) => abortUpload(ctx, input.uploadId),
  }),
}));
