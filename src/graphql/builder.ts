import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import type { RequestContext } from '../context.js';
import type PrismaTypes from '../db/generated/pothos.js';
import { getDatamodel } from '../db/generated/pothos.js';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from '../errors.js';
import type { JsonValue } from '../input.js';
import type { FileUpload } from './upload.js';

export interface SchemaTypes {
  Context: RequestContext;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  Connection: { total: () => Promise<number> };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    UUID: { Input: string; Output: string };
    /** Services check that it is an object where they need one. */
    JSON: { Input: Record<string, JsonValue>; Output: unknown };
    ByteSize: { Input: number; Output: bigint };
    Upload: { Input: Promise<FileUpload>; Output: never };
  };
}

const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Everything the schema is built with. Types and fields live with their features, in `*.graphql.ts`. */
export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [ErrorsPlugin, ComplexityPlugin, RelayPlugin, PrismaPlugin],
  defaultFieldNullability: false,
  errors: {
    directResult: true,
    defaultTypes: [ValidationError, NotFoundError, ForbiddenError, ConflictError],
    defaultUnionOptions: { name: ({ fieldName }) => `${capitalised(fieldName)}Result` },
  },
  // Before anything runs limits.ts judges the whole operation: nothing is left for the resolvers to do.
  complexity: { disabled: true },
  prisma: {
    // Resolvers never reach for a client here: services do, through the tenant's database.
    client: () => {
      throw new Error('resolvers load through services');
    },
    dmmf: getDatamodel(),
  },
  relay: {
    cursorType: 'String',
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodesOnConnection: { description: 'The objects of this page, without their cursors.', complexity: { field: 1, multiplier: 1 } },
    edgesFieldOptions: {
      nullable: false,
      description: 'The objects of this page, each with its cursor.',
      complexity: { field: 1, multiplier: 1 },
    },
    nodeFieldOptions: { nullable: false, description: 'The object.' },
    cursorFieldOptions: { description: 'Where this object stands; give it to `after` or `before`.' },
    pageInfoTypeOptions: { description: 'Where a page lies in its list.' },
    pageInfoFieldOptions: { description: 'Where this page lies in the list.' },
    hasNextPageFieldOptions: { description: 'Whether more follow.' },
    hasPreviousPageFieldOptions: { description: 'Whether some came before.' },
    startCursorFieldOptions: { description: 'The cursor of the first object; null on an empty page.' },
    endCursorFieldOptions: { description: 'The cursor of the last object; give it to `after` for the next page.' },
    firstArgOptions: { description: 'How many from the start, at most 100 (20 if neither `first` nor `last` is given).' },
    lastArgOptions: { description: 'How many from the end, at most 100.' },
    afterArgOptions: { description: 'Only what follows this cursor.' },
    beforeArgOptions: { description: 'Only what precedes this cursor.' },
  },
});

builder.queryType({ description: 'What can be read. Every object belongs to the tenant of the bearer token.' });
builder.mutationType({
  description:
    'What can be done. Each answers a union: the changed object, or a typed error (`... on Error { code message }`). Authentication, limits and faults are top-level errors.',
});

builder.globalConnectionField('totalCount', (t) =>
  t.int({ description: 'How many the whole list has. Counted only when selected.', resolve: (connection) => connection.total() }),
);
