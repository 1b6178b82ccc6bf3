import { Document } from '../document/document.graphql.js';
import { getDocument } from '../document/document.service.js';
import { File } from '../file/file.graphql.js';
import { getFile } from '../file/file.service.js';
import { builder } from '../graphql/builder.js';
import { orNull } from '../graphql/nullable.js';
import { countParts } from './parts.js';
import { getUpload, listParts, nextRequests, type PartRequest } from './upload.service.js';

const StagedUploadStateEnum = builder.enumType('StagedUploadState', {
  description: 'How far an upload is.',
  values: {
    OPEN: { description: 'Parts may come.' },
    DONE: { description: 'It became a file.' },
    CLOSED: { description: 'It was given up; what had arrived is gone.' },
  } as const,
});

const RequestHeader = builder.objectRef<{ name: string; value: string }>('RequestHeader').implement({
  description: 'A header of a signed request.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    value: t.exposeString('value', { description: 'Its value, to be sent exactly so.' }),
  }),
});

export const PartRequestType = builder.objectRef<PartRequest>('PartRequest').implement({
  description: 'A request that brings one part of a file. It works without a bearer token until it expires: keep it to yourself.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Which part, from 1.' }),
    offset: t.field({ type: 'ByteSize', description: 'Where the part begins in the file.', resolve: ({ offset }) => BigInt(offset) }),
    size: t.field({ type: 'ByteSize', description: 'How many bytes it has, exactly.', resolve: ({ size }) => BigInt(size) }),
    method: t.exposeString('method', { description: 'The HTTP method.' }),
    url: t.exposeString('url', { description: 'Where to send it: the bucket, or this service where clients cannot reach that.' }),
    headers: t.field({
      type: [RequestHeader],
      description: 'To be sent exactly so, beside `Content-Length`.',
      resolve: ({ headers }) => Object.entries(headers).map(([name, value]) => ({ name, value })),
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it stops working; `signUploadParts` signs again.' }),
  }),
});

const UploadPart = builder.objectRef<{ number: number; size: number }>('UploadPart').implement({
  description: 'A part that has arrived.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Which part, from 1.' }),
    size: t.field({ type: 'ByteSize', description: 'How many bytes it has.', resolve: ({ size }) => BigInt(size) }),
  }),
});

export const StagedUpload = builder.prismaObject('StagedUpload', {
  description:
    'A file that comes in parts, each with a request of its own, and can be resumed for a day. Nothing of it can be read before `completeUpload`.',
  fields: (t) => ({
    id: t.exposeID('id', {
      description: 'Names it in `upload`, `signUploadParts`, `completeUpload` and `abortUpload`, and at `/uploads/{id}`.',
    }),
    name: t.exposeString('name', { description: "The file's name." }),
    contentType: t.exposeString('declaredType', {
      description: 'The media type that was announced; the file gets the one that its bytes have.',
    }),
    size: t.expose('size', { type: 'ByteSize', description: 'How many bytes were announced.' }),
    sha256: t.exposeString('sha256', { description: 'The SHA-256 that was announced, in hexadecimal; empty if none was.' }),
    partSize: t.expose('partSize', { type: 'ByteSize', description: 'How many bytes each part has; the last may have fewer.' }),
    partCount: t.int({ description: 'How many parts there are.', resolve: countParts }),
    state: t.expose('state', { type: StagedUploadStateEnum, description: 'How far it is.' }),
    failure: t.exposeString('failure', {
      nullable: true,
      description: 'Why its bytes were refused; null unless that is why it is closed. Announce the file anew.',
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it is given up if it is not completed.' }),
    createdBy: t.expose('createdBy', { type: 'UUID', description: 'Who announced it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was announced.' }),
    document: t.field({
      type: Document,
      nullable: true,
      description: 'Where the file goes; null when that is in the trash.',
      resolve: (upload, _, ctx) => orNull(getDocument(ctx, upload.documentId)),
    }),
    file: t.field({
      type: File,
      nullable: true,
      description: 'What it became; null while it is open, and once that is deleted.',
      resolve: ({ fileId }, _, ctx) => (fileId === null ? null : orNull(getFile(ctx, fileId))),
    }),
    parts: t.field({
      type: [UploadPart],
      description: 'The parts that have arrived, by number; none once it is done.',
      resolve: (upload, _, ctx) => listParts(ctx, upload),
    }),
    requests: t.field({
      type: [PartRequestType],
      description:
        'Requests for the parts that are still to come, at most 100. Select it again, or call `signUploadParts`, for more. None where the bytes come over tus.',
      resolve: (upload, _, ctx) => nextRequests(ctx, upload),
    }),
  }),
});

builder.queryField('upload', (t) =>
  t.field({
    type: StagedUpload,
    nullable: true,
    description: 'An upload that is open or done, or was refused, or null. Needs the scope `documents:write`.',
    args: { id: t.arg.id({ required: true, description: 'Which one.' }) },
    resolve: (_, { id }, ctx) => orNull(getUpload(ctx, id)),
  }),
);
