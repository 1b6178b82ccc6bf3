import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isAbstractType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { schema } from '../src/graphql/schema.js';
import { multipart } from './multipart.js';
import type { Objects } from './objects.js';

/** Somewhere in the schema that takes a value: an argument of a field, or a field of an input below it. */
export interface Place {
  /** `Query.documents(filter.search)` */
  name: string;
  owner: GraphQLObjectType;
  field: GraphQLField<unknown, unknown>;
  /** The argument, then the way into it. */
  path: string[];
  /** The scalar or enum that it takes. */
  type: string;
}

/** What an operation needs besides the value that is tried, by its input type or its field. */
const samples: Record<string, (of: Objects) => unknown> = {
  'Query.sharePreview.token': () => '00000000-0000-4000-8000-000000000000',
  'CreateStorageInput.name': () => 'x',
  'CreateStorageInput.provider': () => 'LOCAL_FS',
  'CreateStorageInput.bucket': () => 'bucket',
  'CreateStorageInput.credentials': () => ({}),
  'CreateCategoryInput.name': () => 'x',
  'CreateDocumentInput.name': () => 'x',
  'RejectInput.reason': () => 'x',
  'ShareDocumentInput.expiresAt': () => new Date(Date.now() + 60_000).toISOString(),
  'UploadFilesInput.files': () => [null],
  'CreateUploadInput.documentId': ({ document }) => document.id,
  'CreateUploadInput.name': () => 'x',
  'CreateUploadInput.size': () => 5,
  'SignUploadPartsInput.uploadId': ({ upload }) => upload.id,
  'SignUploadPartsInput.numbers': () => [1],
  'CompleteUploadInput.uploadId': ({ upload }) => upload.id,
  'AbortUploadInput.uploadId': ({ upload }) => upload.id,
  'UpdateStorageInput.id': ({ storage }) => storage.id,
  'UpdateCategoryInput.id': ({ category }) => category.id,
  'UpdateDocumentInput.id': ({ document }) => document.id,
  'DeleteDocumentInput.id': ({ document }) => document.id,
  'ApproveInput.id': ({ document }) => document.id,
  'RejectInput.id': ({ document }) => document.id,
  'InactivateInput.id': ({ document }) => document.id,
  'ReactivateInput.id': ({ document }) => document.id,
  'UploadFilesInput.documentId': ({ document }) => document.id,
  'ShareDocumentInput.documentId': ({ document }) => document.id,
  'DeleteFileInput.id': ({ file }) => file.id,
  'UpdateShareInput.id': ({ share }) => share.id,
  'RevokeShareInput.id': ({ share }) => share.id,
  'MoveStorageInput.toStorageId': ({ elsewhere }) => elsewhere.storageId,
  'CancelStorageMoveInput.id': ({ move }) => move.id,
  'RetryStorageMoveInput.id': ({ move }) => move.id,
  ...Object.fromEntries(
    ['Storage', 'Category', 'Document', 'Share', 'StorageMove'].flatMap((type) => [
      [`${type}Order.field`, () => 'CREATED_AT'],
      [`${type}Order.direction`, () => 'ASC'],
    ]),
  ),
};

/** How an object of a type is reached from the root. */
export const entries: Record<string, (of: Objects) => string> = {
  Storage: ({ storage }) => `storage(id: "${storage.id}")`,
  Category: ({ category }) => `category(id: "${category.id}")`,
  Document: ({ document }) => `document(id: "${document.id}")`,
  File: ({ file }) => `node(id: "${file.id}")`,
  Share: ({ share }) => `share(id: "${share.id}")`,
  StagedUpload: ({ upload }) => `upload(id: "${upload.id}")`,
  StorageMove: ({ move }) => `storageMove(id: "${move.id}")`,
};

export const objectTypes = Object.values(schema.getTypeMap()).filter(
  (type): type is GraphQLObjectType => isObjectType(type) && !type.name.startsWith('__'),
);
export const fieldsOf = (type: GraphQLObjectType) => Object.values(type.getFields());

const leavesOf = (type: GraphQLInputType, path: string[]): { path: string[]; type: string }[] => {
  const named = getNamedType(type);
  if (!isInputObjectType(named)) return [{ path, type: named.name }];
  return Object.values(named.getFields()).flatMap((field) => leavesOf(field.type, [...path, field.name]));
};

/** Every place of the schema that takes a scalar or an enum. */
export const places: Place[] = objectTypes.flatMap((owner) =>
  fieldsOf(owner).flatMap((field) =>
    field.args.flatMap((arg) =>
      leavesOf(arg.type, [arg.name]).map((leaf) => ({
        ...leaf,
        owner,
        field,
        name: `${owner.name}.${field.name}(${leaf.path.join('.')})`,
      })),
    ),
  ),
);

/** Every scalar of a type, and of the types so many levels below it. */
export function selectionOf(type: GraphQLOutputType, depth = 1): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return '';
  if (isAbstractType(named)) {
    const members = schema.getPossibleTypes(named).map((member) => `... on ${member.name} ${scalarsOf(member)}`);
    return `{ __typename ${members.join(' ')} }`;
  }
  const fields = fieldsOf(named as GraphQLObjectType).flatMap((field) => {
    if (isLeafType(getNamedType(field.type))) return [field.name];
    return depth > 0 && !field.args.some((arg) => isNonNullType(arg.type)) ? [`${field.name} ${selectionOf(field.type, depth - 1)}`] : [];
  });
  return `{ __typename ${fields.join(' ')} }`;
}

/** The scalars of one of several types, under names that do not clash with those of the others. */
function scalarsOf(type: GraphQLObjectType): string {
  const names = fieldsOf(type).flatMap((field) => (isLeafType(getNamedType(field.type)) ? [field.name] : []));
  return `{ __typename ${names.map((name) => (name === 'status' || name === 'description' ? `${type.name}_${name}: ${name}` : name)).join(' ')} }`;
}

/** The smallest value of a type that carries this value at this path. */
function valueAt(type: GraphQLInputType, path: string[], value: unknown, of: Objects): unknown {
  if (isNonNullType(type)) return valueAt(type.ofType, path, value, of);
  if (isListType(type)) return [valueAt(type.ofType, path, value, of)];
  if (!isInputObjectType(type)) return value;
  const parts = Object.values(type.getFields()).map((field) => [
    field.name,
    field.name === path[0]
      ? valueAt(field.type, path.slice(1), value, of)
      : isNonNullType(field.type)
        ? sample(`${type.name}.${field.name}`, of)
        : undefined,
  ]);
  return Object.fromEntries(parts);
}

function sample(place: string, of: Objects): unknown {
  const make = samples[place];
  if (!make) throw new Error(`give ${place} a sample`);
  return make(of);
}

/** A request that gives this value to this place, and samples to whatever else must be given. */
export function requestAt({ owner, field, path }: Place, of: Objects, value: unknown) {
  const given = field.args.filter((arg) => arg.name === path[0] || isNonNullType(arg.type));
  const argument = (arg: GraphQLArgument) =>
    arg.name === path[0] ? valueAt(arg.type, path.slice(1), value, of) : sample(`${owner.name}.${field.name}.${arg.name}`, of);
  const variables = Object.fromEntries(given.map((arg) => [arg.name, argument(arg)]));
  const call = `${field.name}(${given.map((arg) => `${arg.name}: $${arg.name}`).join(', ')}) ${selectionOf(field.type)}`;
  const atRoot = owner.name === 'Query' || owner.name === 'Mutation';
  const body = atRoot ? call : `${entries[owner.name]?.(of)} { ... on ${owner.name} { ${call} } }`;
  const head = `${owner.name === 'Mutation' ? 'mutation' : 'query'} (${given.map((arg) => `$${arg.name}: ${arg.type}`).join(', ')})`;
  const query = `${head} { ${body} }`;
  const request = JSON.stringify(variables).includes('"files":[null]') ? uploadOf(query, variables) : { payload: { query, variables } };
  return { method: 'POST' as const, url: '/graphql', ...request };
}

function uploadOf(query: string, variables: object) {
  const { headers, payload } = multipart([
    { field: 'operations', body: JSON.stringify({ query, variables }) },
    { field: 'map', body: JSON.stringify({ 0: ['variables.input.files.0'] }) },
    { field: '0', body: 'bytes', name: 'a.txt' },
  ]);
  return { headers: { ...headers, 'apollo-require-preflight': 'true' }, payload };
}
