import type { FastifyInstance } from 'fastify';
import { getNamedType, isLeafType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Scope } from '../src/auth/viewer.js';
import { appOf } from '../src/gateway.js';
import { createObjects, type Objects } from './objects.js';
import { entries, fieldsOf, objectTypes } from './places.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
let objects: Objects;
let admin: Actor;
let doors: Record<'planned' | 'ordinary', FastifyInstance>;

/** What it takes to see an object of a type. */
const scopeOf: Record<string, Scope> = {
  Storage: 'storages:read',
  Category: 'categories:read',
  Document: 'documents:read',
  File: 'documents:read',
  Share: 'shares:read',
  ShareAccess: 'shares:read',
  AuditEvent: 'documents:read',
  UploadPart: 'documents:write',
  PartRequest: 'documents:write',
  StagedUpload: 'documents:write',
  StorageMove: 'storages:read',
  StorageMoveProgress: 'storages:read',
  StorageMoveFailure: 'storages:read',
};
/** Null until an upload is completed: then there is a file to ask the scope for. */
const empty = 'StagedUpload.file';
const scopeOfLeaf: Record<string, Scope> = { 'Category.documentCount': 'documents:read', 'File.downloadUrl': 'documents:read' };

/** Every field that shows more than columns of its own object, with the scope that it takes. */
const relations = Object.keys(entries).flatMap((name) => {
  const type = objectTypes.find((candidate) => candidate.name === name);
  return fieldsOf(type ?? never(name)).flatMap((field) => {
    const of = getNamedType(field.type);
    const scope = isLeafType(of) ? scopeOfLeaf[`${name}.${field.name}`] : scopeOf[of.name.replace(/Connection$/, '')];
    if (!isLeafType(of) && !scope) throw new Error(`say which scope ${name}.${field.name} takes`);
    return scope && `${name}.${field.name}` !== empty ? [{ name: `${name}.${field.name}`, type: name, field, scope }] : [];
  });
});

function never(what: string): never {
  throw new Error(`${what} is not in the schema`);
}

beforeAll(async () => {
  const { gateway, actor, context, app } = world();
  admin = actor('admin');
  objects = await createObjects(() => context(admin));
  doors = { planned: app, ordinary: await appOf({ ...gateway, settings: { ...gateway.settings, plan: false } }, null) };
});
afterAll(() => doors.ordinary.close());

async function ask(door: FastifyInstance, scopes: Scope[], query: string) {
  const { token } = world().actor(scopes, admin.tenantId);
  const answer = await door.inject({ method: 'POST', url: '/graphql', headers: { authorization: `Bearer ${token}` }, payload: { query } });
  return answer.json();
}

describe.each(['planned', 'ordinary'] as const)('a field shows only what the token may see, %s', (path) => {
  test.each(relations)('$name takes $scope', async ({ type, field, scope }) => {
    const below = isLeafType(getNamedType(field.type)) ? '' : '{ __typename }';
    const query = `{ ${entries[type]?.(objects)} { id ... on ${type} { shown: ${field.name} ${below} } } }`;
    const own = scopeOf[type] ?? never(type);
    const allowed = await ask(doors[path], [own, scope], query);
    expect(allowed.errors).toBeUndefined();
    if (own === scope) return;
    const { errors } = await ask(doors[path], [own], query);
    expect(errors).toMatchObject([{ path: [expect.any(String), 'shown'], extensions: { code: 'FORBIDDEN' } }]);
    expect(errors[0].message).toContain(scope);
  });

  test('the status of a share takes shares:read alone: it says whether it opens, not what', async () => {
    const { data } = await ask(doors[path], ['shares:read'], `{ share(id: "${objects.share.id}") { status } }`);
    expect(data).toEqual({ share: { status: 'ACTIVE' } });
  });
});
