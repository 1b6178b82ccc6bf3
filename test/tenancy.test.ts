import { randomUUID } from 'node:crypto';
import { type GraphQLObjectType, getNamedType, isObjectType } from 'graphql';
import { describe, expect, test } from 'vitest';
import { newId } from '../src/db/id.js';
import { schema } from '../src/graphql/schema.js';
import type { Objects } from './objects.js';
import { entries, fieldsOf, objectTypes, type Place, places, requestAt, selectionOf } from './places.js';
import { useTenants } from './tenancy.world.js';
import type { Actor } from './world.js';

const { world, objectsOf, rowsOf, ours, theirs, our, their } = useTenants();

/**
 * Whatever a field or argument takes as an id is tried with another tenant's: the answer must be, byte for byte, the one
 * for an id that does not exist. The places come from the schema; one that nobody wrote a case for fails.
 */
const cases: Record<string, keyof Objects | 'user' | 'any' | 'cursor'> = {
  'Query.node(id)': 'any',
  'Query.nodes(ids)': 'any',
  'Query.storage(id)': 'storage',
  'Query.category(id)': 'category',
  'Query.categories(filter.parentId)': 'category',
  'Query.document(id)': 'document',
  'Query.share(id)': 'share',
  'Query.upload(id)': 'upload',
  'Mutation.createUpload(input.documentId)': 'document',
  'Mutation.signUploadParts(input.uploadId)': 'upload',
  'Mutation.completeUpload(input.uploadId)': 'upload',
  'Mutation.abortUpload(input.uploadId)': 'upload',
  'Query.storageMove(id)': 'move',
  'Query.shares(filter.documentId)': 'document',
  'Document.shares(filter.documentId)': 'document',
  ...Object.fromEntries(
    ['Query.documents', 'Category.documents', 'Storage.documents'].flatMap((field) => [
      [`${field}(filter.categoryId)`, 'category'],
      [`${field}(filter.storageId)`, 'storage'],
      [`${field}(filter.createdBy)`, 'user'],
    ]),
  ),
  ...Object.fromEntries(
    [
      ...['Query.storages', 'Query.categories', 'Query.documents', 'Query.shares', 'Query.storageMoves'],
      ...['Storage.documents', 'Category.children', 'Category.documents', 'Document.shares', 'Share.accesses', 'Document.history'],
    ].flatMap((field) => [
      [`${field}(after)`, 'cursor'],
      [`${field}(before)`, 'cursor'],
    ]),
  ),
  'Mutation.updateStorage(input.id)': 'storage',
  'Mutation.testCredential(input.storageId)': 'storage',
  'Mutation.createCategory(input.parentId)': 'category',
  'Mutation.updateCategory(input.id)': 'category',
  'Mutation.updateCategory(input.parentId)': 'category',
  'Mutation.createDocument(input.categoryId)': 'category',
  'Mutation.createDocument(input.storageId)': 'storage',
  'Mutation.updateDocument(input.id)': 'document',
  'Mutation.updateDocument(input.categoryId)': 'category',
  'Mutation.updateDocument(input.storageId)': 'storage',
  'Mutation.deleteDocument(input.id)': 'document',
  'Mutation.restoreDocument(input.id)': 'trashed',
  'Mutation.approve(input.id)': 'document',
  'Mutation.reject(input.id)': 'document',
  'Mutation.inactivate(input.id)': 'document',
  'Mutation.reactivate(input.id)': 'document',
  'Mutation.uploadFiles(input.documentId)': 'document',
  'Mutation.deleteFile(input.id)': 'file',
  'Mutation.moveStorage(input.toStorageId)': 'storage',
  'Mutation.moveStorage(input.documentIds)': 'document',
  'Mutation.moveStorage(input.filter.categoryId)': 'category',
  'Mutation.moveStorage(input.filter.storageId)': 'storage',
  'Mutation.moveStorage(input.filter.createdBy)': 'user',
  'Mutation.cancelStorageMove(input.id)': 'move',
  'Mutation.retryStorageMove(input.id)': 'move',
  'Mutation.shareDocument(input.documentId)': 'document',
  'Mutation.shareDocument(input.fileIds)': 'file',
  'Mutation.updateShare(input.id)': 'share',
  'Mutation.updateShare(input.fileIds)': 'file',
  'Mutation.revokeShare(input.id)': 'share',
};

const isIdType = (type: string) => type === 'ID' || type === 'UUID';
const isCursor = ({ path }: Place) => path[0] === 'after' || path[0] === 'before';
const tried = places.filter((place) => isIdType(place.type) || isCursor(place));

/** All that a client sees of the answer, the id itself taken out. */
async function answer(actor: Actor, place: Place, of: Objects, value: string) {
  const response = await world().inject(actor, requestAt(place, of, value));
  const { 'x-request-id': _, date: __, ...headers } = response.headers;
  return { status: response.statusCode, headers, body: response.body.replaceAll(value, '<id>') };
}

describe('every argument that takes an id', () => {
  test('has a case here, and no case is left over', () => {
    expect(tried.map(({ name }) => name).sort()).toEqual(Object.keys(cases).sort());
  });

  test.each(tried.filter((place) => !isCursor(place)).map((place) => [place.name, place] as const))(
    '%s answers for a foreign id as for one that does not exist',
    async (name, place) => {
      const kind = cases[name];
      const before = await rowsOf(theirs().tenantId);
      const own = place.owner.name === 'Mutation' ? await objectsOf(ours()) : our();
      const idsOf = (of: Objects, actor: Actor) =>
        kind === 'user' ? [actor.userId] : kind === 'any' ? Object.values(of).map(({ id }) => id) : [of[kind as keyof Objects].id];
      const nowhere = kind === 'user' ? randomUUID() : newId();
      const missing = await answer(ours(), place, own, nowhere);
      expect(missing.status).toBe(200);
      for (const id of idsOf(their(), theirs())) expect(await answer(ours(), place, own, id)).toEqual(missing);
      expect(await rowsOf(theirs().tenantId)).toBe(before);
      // The case shows something: an id of one's own is answered otherwise.
      const [first = ''] = idsOf(own, ours());
      expect(await answer(ours(), place, own, first)).not.toEqual(missing);
    },
  );

  test.each(tried.filter(isCursor).map((place) => [place.name, place] as const))(
    "%s takes another tenant's cursor for a position, and no more",
    async (_, place) => {
      const cursor = await cursorOf(theirs(), place, their());
      const [field, value, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
      const neighbour = id.slice(0, -1) + (id.endsWith('0') ? '1' : '0');
      const nowhere = Buffer.from(JSON.stringify([field, value, neighbour])).toString('base64url');
      const missing = await answer(ours(), place, our(), nowhere);
      expect(missing).toMatchObject({ status: 200, body: expect.not.stringContaining('"errors"') });
      expect(await answer(ours(), place, our(), cursor)).toEqual(missing);
    },
  );
});

async function cursorOf(actor: Actor, { owner, field }: Place, of: Objects): Promise<string> {
  const call = `${field.name}(first: 1) { edges { cursor } }`;
  const query = owner.name === 'Query' ? `{ ${call} }` : `{ found: ${entries[owner.name]?.(of)} { ${call} } }`;
  const { data } = await world().graphql(actor, query);
  return (owner.name === 'Query' ? data : data.found)[field.name].edges[0].cursor;
}

describe('every field that yields an id', () => {
  test("yields the tenant's own, and each is seen", async () => {
    const foreign = new Set<string>(
      (await rowsOf(theirs().tenantId)).match(/[0-9A-HJKMNP-TV-Z]{26}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g),
    );
    // What the database fills in for all tenants alike.
    foreign.delete('00000000-0000-0000-0000-000000000000');
    await touchAll();
    const seen = new Map<string, Set<string>>();
    for (const body of queries()) collect(schema.getQueryType(), (await ask(`{ ${body} }`)).data, seen);
    const yielding = objectTypes.flatMap((type) =>
      fieldsOf(type).flatMap((field) => (isIdType(getNamedType(field.type).name) ? `${type.name}.${field.name}` : [])),
    );
    expect([...seen.keys()].sort()).toEqual(yielding.filter((name) => name !== 'SharedFile.id').sort());
    for (const [name, values] of seen) expect([name, [...values].filter((value) => foreign.has(value))]).toEqual([name, []]);
  });

  /** Every query of a list or an object, two levels deep. */
  function queries(): string[] {
    const lists = ['storages', 'categories', 'documents', 'shares', 'storageMoves'].map((list) => {
      const type = schema.getQueryType()?.getFields()[list]?.type;
      const nodes = getNamedType((getNamedType(type) as GraphQLObjectType).getFields().nodes?.type);
      return `${list}(first: 5) { nodes ${selectionOf(nodes as GraphQLObjectType, 2)} }`; // A connection's nodes are objects.
    });
    return [
      ...lists,
      `viewer { userId tenantId }`,
      `nodes(ids: ["${our().file.id}", "${our().share.id}"]) { __typename ... on File { id createdBy } ... on Share { id } }`,
      `storageMove(id: "${our().move.id}") { updatedBy }`,
      `upload(id: "${our().upload.id}") { __typename id createdBy }`,
    ];
  }

  /** Fills the columns that are empty until somebody changes or reviews a row. */
  async function touchAll() {
    const touch = (type: string, id: string, input: string) => `${type}: update${type}(input: { id: "${id}", ${input} }) { __typename }`;
    const { data } = await ask(`mutation {
      ${touch('Storage', our().storage.id, 'name: "x"')} ${touch('Category', our().category.id, 'name: "0"')}
      ${touch('Document', our().document.id, 'name: "x"')} ${touch('Share', our().share.id, 'label: "x"')}
      approve(input: { id: "${our().document.id}" }) { __typename }
      cancelStorageMove(input: { id: "${our().move.id}" }) { __typename } }`);
    await world().gateway.database.pool.query(`UPDATE move_documents SET error = 'It failed.' WHERE tenant_id = $1`, [ours().tenantId]);
    expect(Object.values(data)).toMatchObject(
      ['Storage', 'Category', 'Document', 'Share', 'Document', 'StorageMove'].map((name) => ({ __typename: name })),
    );
  }

  async function ask(query: string) {
    const found = await world().graphql(ours(), query);
    expect(found.errors).toBeUndefined();
    return found;
  }

  // What comes back has whatever shape was asked for.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  function collect(type: unknown, value: any, seen: Map<string, Set<string>>): void {
    if (Array.isArray(value)) for (const part of value) collect(type, part, seen);
    else if (value !== null && typeof value === 'object') {
      const object = value.__typename ? schema.getType(value.__typename) : type;
      if (!isObjectType(object)) return; // JSON
      for (const [name, part] of Object.entries(value)) {
        const field = object.getFields()[name];
        if (!field || part === null) continue;
        if (!isIdType(getNamedType(field.type).name)) collect(getNamedType(field.type), part, seen);
        else seen.set(`${object.name}.${name}`, (seen.get(`${object.name}.${name}`) ?? new Set()).add(String(part)));
      }
    }
  }
});
