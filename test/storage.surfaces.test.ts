import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { testRights } from './surface.rights.js';
import { done, type StorageValue, type Surface, surfacesOf } from './surfaces.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
const surfaces = surfacesOf(world);
const refused = (...fields: string[]) => ({ code: 'VALIDATION_FAILED', fields });

/** A storage of the provider that needs no server. */
const local = (input: object = {}) => ({ name: 'S', provider: 'LOCAL_FS', bucket: `b${randomUUID()}`, credentials: {}, ...input });
const make = (surface: Surface, who: Actor, input: object = {}) => done(surface.createStorage(who, local(input)));

describe.each(surfaces)('a storage, over $name', (surface) => {
  test.each<[string, object, object]>([
    ['"managed: boolean, default false", "config: object, optional"', {}, { value: { managed: false, config: {}, credentials: {} } }],
    ['"name: required, ≤ 100"', { name: 'n'.repeat(100) }, { value: { name: 'n'.repeat(100) } }],
    ['config', { config: { Tags: [{ Key: 'a', Value: 'b' }] } }, { value: { config: { Tags: [{ Key: 'a', Value: 'b' }] } } }],
    ['a bucket of 3', { bucket: '0-z' }, { value: { bucket: '0-z' } }],
    ['a bucket of 63', { bucket: 'b'.repeat(63) }, { value: { bucket: 'b'.repeat(63) } }],
    ['an empty name', { name: '' }, refused('name')],
    ['a name of 101', { name: 'n'.repeat(101) }, refused('name')],
    ...['ab', 'b'.repeat(64), 'Bucket', '-ab', 'ab-', 'a_b', 'a.b', 'a/../b', ''].map((bucket): [string, object, object] => [
      `bucket: "^[a-z0-9][a-z0-9\\-]{1,61}[a-z0-9]$", not "${bucket}"`,
      { bucket },
      refused('bucket'),
    ]),
    ['config that is a list', { config: [] }, refused('config')],
    ['credentials that are a text', { credentials: 'secret' }, refused('credentials')],
    ['credentials where none are taken', { credentials: { account_key: 'x' } }, refused('credentials')],
    ['all that is wrong at once', { name: '', bucket: 'X', config: 1 }, refused('name', 'bucket', 'config')],
  ])('created: %s', async (_, input, outcome) => {
    expect(await surface.createStorage(world().actor('admin'), local(input))).toMatchObject(outcome);
  });

  test.each<[string, object, object]>([
    ['nothing', {}, { value: { name: 'S' } }],
    ['[name]', { name: 'T' }, { value: { name: 'T', config: { a: 1 } } }],
    ['[config]', { config: { b: 2 } }, { value: { name: 'S', config: { b: 2 } } }],
    ['[credentials]', { credentials: {} }, { value: { credentials: {} } }],
    ['the version seen', { name: 'T', expectedVersion: 1 }, { value: { name: 'T' } }],
    ['another version', { name: 'T', expectedVersion: 2 }, { code: 'CONFLICT' }],
    ['an empty name', { name: ' ' }, refused('name')],
    ['config that is none', { config: 'x' }, refused('config')],
    ['credentials where none are taken', { credentials: { account_key: 'x' } }, refused('credentials')],
  ])('changed: %s', async (_, input, outcome) => {
    const admin = world().actor('admin');
    const before = await make(surface, admin, { config: { a: 1 } });
    expect(await surface.updateStorage(admin, before.id, input as Record<string, unknown>)).toMatchObject(outcome);
    if (!('value' in outcome)) expect(await done(surface.getStorage(admin, before.id)), 'nothing is half done').toEqual(before);
  });

  test.each<[string, object, string[]]>([
    ['"its default local_fs one included"', {}, ['Default', 'S', 'T']],
    ['`provider`', { provider: 'LOCAL_FS' }, ['Default', 'S', 'T']],
    ['another `provider`', { provider: 'AWS_S3' }, []],
    ['`managed`', { managed: true }, ['T']],
    ['not `managed`', { managed: false }, ['Default', 'S']],
    ['`search` (name, bucket): a name', { search: 'DEFAU' }, ['Default']],
    ['`search` (name, bucket): a bucket', { search: 'special' }, ['T']],
  ])('listed: %s', async (_, filter, names) => {
    const admin = world().actor('admin');
    await make(surface, admin);
    await make(surface, admin, { name: 'T', bucket: `special-${randomUUID().slice(0, 8)}`, managed: true });
    const query = { filter: filter as Record<string, unknown>, order: { field: 'NAME', direction: 'ASC' } } as const;
    const { count, rows } = await done(surface.listStorages(admin, query));
    expect({ count, names: rows.map(({ name }) => name) }).toEqual({ count: names.length, names });
  });

  test('tried: each check, by name', async () => {
    const admin = world().actor('admin');
    const { id } = await make(surface, admin);
    const checks = await done(surface.testCredential(admin, id));
    expect(checks.map(({ name }) => name)).toContain('write');
    expect(checks.every(({ ok }) => ok)).toBe(true);
  });
});

test('both doors show the same storage', async () => {
  const [graphql, rest] = surfaces as [Surface, Surface];
  const admin = world().actor('admin');
  const made = await make(rest, admin, { managed: true });
  expect(await graphql.getStorage(admin, made.id)).toEqual({ value: made });
  expect(await graphql.listStorages(admin, { size: 9, order: { field: 'CREATED_AT', direction: 'DESC' } })).toEqual(
    await rest.listStorages(admin, { size: 9 }),
  );
  expect(await graphql.testCredential(admin, made.id)).toEqual(await rest.testCredential(admin, made.id));
});

testRights<StorageValue>(
  world,
  [
    {
      act: 'createStorage',
      takes: ['storages:write'],
      run: (surface, who) => surface.createStorage(who, local()),
      stranger: { value: { name: 'S' } },
    },
    { act: 'updateStorage', takes: ['storages:write'], run: (surface, who, { id }) => surface.updateStorage(who, id, { name: 'a' }) },
    { act: 'getStorage', takes: ['storages:read'], run: (surface, who, { id }) => surface.getStorage(who, id) },
    {
      act: 'listStorages',
      takes: ['storages:read'],
      run: (surface, who) => surface.listStorages(who),
      stranger: { value: { count: 1, rows: [{ name: 'Default' }] } },
    },
    {
      act: 'testCredential',
      takes: ['storages:read', 'storages:write'],
      run: (surface, who, { id }) => surface.testCredential(who, id),
    },
  ],
  make,
);
