import { DateTimeISOResolver, JSONResolver, UUIDResolver } from 'graphql-scalars';
import { GraphQLUpload } from 'graphql-upload-minimal';
import { builder } from './builder.js';

builder.addScalarType('DateTime', DateTimeISOResolver, {
  description: 'A moment in ISO 8601 with milliseconds and offset, such as `2026-03-26T14:20:38.277Z`. Answers are in UTC.',
});
builder.addScalarType('UUID', UUIDResolver, { description: 'A UUID, such as `3f1c8a52-8d3e-4a57-9d0f-0c5a3a1d2b4e`.' });
builder.addScalarType('JSON', JSONResolver, { description: 'Any JSON value.' });
builder.addScalarType('Upload', GraphQLUpload, {
  description:
    'A file in a multipart request; see the GraphQL multipart request specification. Needs the header `apollo-require-preflight`.',
});
builder.scalarType('ByteSize', {
  description: 'A number of bytes. Always a JSON number: no file reaches 2^53 bytes, so nothing is lost.',
  serialize: (value) => Number(value),
  parseValue: (value) => Number(value),
});
