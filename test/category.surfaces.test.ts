import { describe, expect, test } from 'vitest';
import { testRights } from './surface.rights.js';
import { type CategoryValue, done, type Surface, surfacesOf } from './surfaces.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
const surfaces = surfacesOf(world);
const missing = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

/** root → child → grandchild, and one beside them. */
async function family(surface: Surface, admin: Actor) {
  const make = (name: string, parentId?: string) => done(surface.createCategory(admin, { name, parentId }));
  const root = await make('Root');
  const child = await make('Child', root.id);
  return { root, child, grandchild: await make('Grandchild', child.id), other: await make('Other') };
}
type Family = Awaited<ReturnType<typeof family>>;

describe.each(surfaces)('a category, over $name', (surface) => {
  const refused = (...fields: string[]) => ({ code: 'VALIDATION_FAILED', fields });

  test.each<[string, object, object]>([
    ['"name required ≤ 100"', { name: 'n'.repeat(100) }, { value: { name: 'n'.repeat(100), description: '', parentId: null } }],
    ['a name is trimmed', { name: '  KYC\t' }, { value: { name: 'KYC' } }],
    ['lengths are counted in characters', { name: '😀'.repeat(100) }, { value: { name: '😀'.repeat(100) } }],
    ['"description optional ≤ 255"', { name: 'a', description: 'd'.repeat(255) }, { value: { description: 'd'.repeat(255) } }],
    ['"parent id or null"', { name: 'a', parentId: null }, { value: { parentId: null } }],
    ['`""` in a request means none', { name: 'a', parentId: '' }, { value: { parentId: null } }],
    ['an empty name', { name: '' }, refused('name')],
    ['a blank name', { name: ' \n' }, refused('name')],
    ['a name of 101', { name: 'n'.repeat(101) }, refused('name')],
    ['a name with NUL', { name: 'a\0b' }, refused('name')],
    ['a description of 256', { name: 'a', description: 'd'.repeat(256) }, refused('description')],
    ['a parent that is missing', { name: 'a', parentId: missing }, refused('parent')],
    ['a parent that is no id', { name: 'a', parentId: 'no' }, refused('parent')],
    ['all that is wrong at once', { name: '', parentId: 'no' }, refused('name', 'parent')],
  ])('created: %s', async (_, input, outcome) => {
    expect(await surface.createCategory(world().actor('admin'), input as Record<string, unknown>)).toMatchObject(outcome);
  });

  test('created: `updated_by` is empty until the first update', async () => {
    const admin = world().actor('admin');
    const { root } = await family(surface, admin);
    expect(root).toMatchObject({ createdBy: admin.userId, updatedBy: null, updatedAt: root.createdAt });
    const editor = world().actor('editor', admin.tenantId);
    const changed = await done(surface.updateCategory(editor, root.id, { description: 'x' }));
    expect(changed).toMatchObject({ createdBy: admin.userId, updatedBy: editor.userId, name: 'Root', description: 'x' });
  });

  test.each<[string, (of: Family) => object, object]>([
    ['nothing', () => ({}), { value: { name: 'Root', parentId: null } }],
    ['its name alone', () => ({ name: 'R' }), { value: { name: 'R', description: '' } }],
    ['its place', ({ other }) => ({ parentId: other.id }), { value: { name: 'Root' } }],
    ['to a root', () => ({ parentId: '' }), { value: { parentId: null } }],
    ['the version seen', () => ({ expectedVersion: 1 }), { value: {} }],
    ['a parent "that is missing"', () => ({ parentId: missing }), refused('parent')],
    ['"the category itself"', ({ root }) => ({ parentId: root.id }), refused('parent')],
    ['"one of its descendants", a child', ({ child }) => ({ parentId: child.id }), refused('parent')],
    ['"one of its descendants", further down', ({ grandchild }) => ({ parentId: grandchild.id }), refused('parent')],
    ['an empty name', () => ({ name: '' }), refused('name')],
    ['another version', () => ({ name: 'R', expectedVersion: 7 }), { code: 'CONFLICT' }],
  ])('changed: %s', async (_, input, outcome) => {
    const admin = world().actor('admin');
    const of = await family(surface, admin);
    expect(await surface.updateCategory(admin, of.root.id, input(of) as Record<string, unknown>)).toMatchObject(outcome);
    if ('value' in outcome) return;
    expect(await done(surface.getCategory(admin, of.root.id)), 'nothing is half done').toEqual(of.root);
  });

  test('a parent "that is foreign" is answered as one that is missing', async () => {
    const { root } = await family(surface, world().actor('admin'));
    const outcome = { code: 'VALIDATION_FAILED', fields: ['parent'] };
    expect(await surface.createCategory(world().actor('admin'), { name: 'a', parentId: root.id })).toEqual(outcome);
  });

  test.each<[string, (of: Family) => object, string[]]>([
    ['`parent` (empty = roots)', () => ({ parentId: null }), ['Other', 'Root']],
    ['`parent`', ({ root }) => ({ parentId: root.id }), ['Child']],
    ['`search`, whatever the case', () => ({ search: 'CHILD' }), ['Child', 'Grandchild']],
    ['`search` takes % and _ as they are', () => ({ search: '%' }), []],
    ['both', ({ child }) => ({ parentId: child.id, search: 'grand' }), ['Grandchild']],
    ['neither', () => ({}), ['Child', 'Grandchild', 'Other', 'Root']],
  ])('listed: %s', async (_, filter, names) => {
    const admin = world().actor('admin');
    const of = await family(surface, admin);
    const query = { filter: filter(of) as Record<string, unknown>, order: { field: 'NAME', direction: 'ASC' } } as const;
    const { count, rows } = await done(surface.listCategories(admin, query));
    expect({ count, names: rows.map(({ name }) => name) }).toEqual({ count: names.length, names });
    const first = await done(surface.listCategories(admin, { ...query, size: 1 }));
    expect(first).toEqual({ count: names.length, rows: rows.slice(0, 1) });
  });

  test('listed: a parent that is no id', async () => {
    expect(await surface.listCategories(world().actor('admin'), { filter: { parentId: 'no' } })).toEqual(refused('parent'));
  });
});

test('both doors show the same category', async () => {
  const [graphql, rest] = surfaces as [Surface, Surface];
  const admin = world().actor('admin');
  const made: CategoryValue[] = [];
  for (const surface of surfaces) made.push(...Object.values(await family(surface, admin)));
  await done(rest.updateCategory(admin, made[0]?.id ?? '', { name: 'ünïcode 😀', description: '"' }));
  for (const { id } of made) expect(await graphql.getCategory(admin, id)).toEqual(await rest.getCategory(admin, id));
  const list = { order: { field: 'CREATED_AT', direction: 'DESC' }, size: 5 } as const;
  expect(await graphql.listCategories(admin, list)).toEqual(await rest.listCategories(admin, list));
});

testRights<Family>(
  world,
  [
    {
      act: 'createCategory',
      takes: ['categories:write'],
      run: (surface, who, { root }) => surface.createCategory(who, { name: 'a', parentId: root.id }),
      stranger: { code: 'VALIDATION_FAILED', fields: ['parent'] },
    },
    {
      act: 'updateCategory',
      takes: ['categories:write'],
      run: (surface, who, { root }) => surface.updateCategory(who, root.id, { name: 'a' }),
    },
    { act: 'getCategory', takes: ['categories:read'], run: (surface, who, { root }) => surface.getCategory(who, root.id) },
    {
      act: 'listCategories',
      takes: ['categories:read'],
      run: (surface, who) => surface.listCategories(who),
      stranger: { value: { count: 0, rows: [] } },
    },
  ],
  family,
);
