import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Role } from '../src/auth/viewer.js';
import { testRights } from './surface.rights.js';
import { type ChangedDocument, done, type Outcome, type Surface, surfacesOf } from './surfaces.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
const surfaces = surfacesOf(world);
const missing = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const refused = (...fields: string[]) => ({ code: 'VALIDATION_FAILED', fields });
const conflict = { code: 'CONFLICT' };

const make = (surface: Surface, who: Actor, input: object = {}) => done(surface.createDocument(who, { name: 'Passport', ...input }));

const statuses = ['PENDING', 'APPROVED', 'REJECTED', 'INACTIVE'] as const;
type Status = (typeof statuses)[number];
const acts = {
  approve: (surface: Surface, who: Actor | null, id: string, input = {}) => surface.approve(who, id, input),
  reject: (surface: Surface, who: Actor | null, id: string, input = {}) => surface.reject(who, id, { reason: 'blurred', ...input }),
  inactivate: (surface: Surface, who: Actor | null, id: string, input = {}) => surface.inactivate(who, id, input),
} as const;
type Act = keyof typeof acts;
const actNames = Object.keys(acts) as Act[]; // The keys of a literal object are its acts.
const ways: Record<Status, Act | null> = { PENDING: null, APPROVED: 'approve', REJECTED: 'reject', INACTIVE: 'inactivate' };

async function documentIn(surface: Surface, who: Actor, status: Status): Promise<ChangedDocument> {
  const document = await make(surface, who);
  const way = ways[status];
  return way ? done(acts[way](surface, who, document.id)) : document;
}

describe.each(surfaces)('a document, over $name', (surface) => {
  test.each<[string, object, object]>([
    [
      'with a name alone',
      { name: 'Passport' },
      { value: { description: '', categoryId: null, tags: [], metadata: {}, status: 'PENDING', rejectionReason: null, reviewedBy: null } },
    ],
    ['"name required, ≤ 255"', { name: 'n'.repeat(255) }, { value: { name: 'n'.repeat(255) } }],
    ['"description optional, ≤ 1000"', { name: 'a', description: 'd'.repeat(1000) }, { value: { description: 'd'.repeat(1000) } }],
    ['"category, storage: id or null", none', { name: 'a', categoryId: '', storageId: '' }, { value: { categoryId: null } }],
    ['tags are "trimmed"', { name: 'a', tags: [' kyc ', 'eu'] }, { value: { tags: ['kyc', 'eu'] } }],
    ['tags: "each 1–50 chars"', { name: 'a', tags: ['t'.repeat(50)] }, { value: { tags: ['t'.repeat(50)] } }],
    [
      'metadata: "JSON object"',
      { name: 'a', metadata: { a: [1, null, { b: 'ü' }] } },
      { value: { metadata: { a: [1, null, { b: 'ü' }] } } },
    ],
    ['an empty name', { name: ' ' }, refused('name')],
    ['a name of 256', { name: 'n'.repeat(256) }, refused('name')],
    ['a description of 1001', { name: 'a', description: 'd'.repeat(1001) }, refused('description')],
    ['a category that is missing', { name: 'a', categoryId: missing }, refused('category')],
    ['a storage that is missing', { name: 'a', storageId: missing }, refused('storage')],
    ['a category that is no id', { name: 'a', categoryId: 'no' }, refused('category')],
    ['an empty tag', { name: 'a', tags: ['kyc', ' '] }, refused('tags')],
    ['a tag of 51', { name: 'a', tags: ['t'.repeat(51)] }, refused('tags')],
    ['tags: "unique case-insensitively"', { name: 'a', tags: ['KYC', 'kyc'] }, refused('tags')],
    ['tags: "≤ 50 of them"', { name: 'a', tags: Array.from({ length: 51 }, (_, index) => `t${index}`) }, refused('tags')],
    ['metadata: "≤ 16 KiB"', { name: 'a', metadata: { a: 'x'.repeat(16 * 1024) } }, refused('metadata')],
    ['metadata that is a list', { name: 'a', metadata: [] }, refused('metadata')],
    ['metadata with NUL', { name: 'a', metadata: { a: '\0' } }, refused('metadata')],
    // An account number of 18 digits: as a number it would come back as another.
    ['metadata with a whole number that changes', { name: 'a', metadata: { a: [2 ** 53] } }, refused('metadata')],
    ['metadata with the largest that does not', { name: 'a', metadata: { a: 2 ** 53 - 1 } }, { value: { metadata: { a: 2 ** 53 - 1 } } }],
    ['metadata with a name that JavaScript would lose', { name: 'a', metadata: { a: { ['__proto__']: 1 } } }, refused('metadata')],
    ['all that is wrong at once', { name: '', categoryId: 'no', tags: [''] }, refused('name', 'category', 'tags')],
  ])('created: %s', async (_, input, outcome) => {
    expect(await surface.createDocument(world().actor('admin'), input as Record<string, unknown>)).toMatchObject(outcome);
  });

  test('created: "an absent storage means the tenant\'s default storage"', async () => {
    const admin = world().actor('admin');
    const { storageId } = await make(surface, admin);
    expect(await done(surface.getStorage(admin, storageId))).toMatchObject({ provider: 'LOCAL_FS', name: 'Default' });
  });

  test.each<[string, object, object]>([
    ['nothing', {}, { value: { name: 'Passport', tags: ['kyc'], description: 'd' } }],
    ['its name alone', { name: 'P' }, { value: { name: 'P', description: 'd', tags: ['kyc'] } }],
    ['all tags', { tags: [] }, { value: { tags: [] } }],
    ['all metadata', { metadata: { b: 2 } }, { value: { metadata: { b: 2 } } }],
    ['filed nowhere', { categoryId: '' }, { value: { categoryId: null } }],
    ['an empty description', { description: '' }, { value: { description: '' } }],
    ['the version seen', { name: 'P', expectedVersion: 1 }, { value: { name: 'P' } }],
    ['another version', { name: 'P', expectedVersion: 2 }, conflict],
    ['an empty name', { name: '' }, refused('name')],
    ['a category that is missing', { categoryId: missing }, refused('category')],
    ['a repeated tag', { tags: ['a', 'A'] }, refused('tags')],
  ])('changed: %s', async (_, input, outcome) => {
    const admin = world().actor('admin');
    const category = await done(surface.createCategory(admin, { name: 'C' }));
    const before = await make(surface, admin, { tags: ['kyc'], description: 'd', metadata: { a: 1 }, categoryId: category.id });
    expect(await surface.updateDocument(admin, before.id, input as Record<string, unknown>)).toMatchObject(outcome);
    if (!('value' in outcome)) expect(await done(surface.getDocument(admin, before.id)), 'nothing is half done').toMatchObject(before);
  });

  test('"storage is fixed once a file is stored"', async () => {
    const { actor, upload } = world();
    const admin = actor('admin');
    const { id, storageId } = await make(surface, admin);
    const bucket = `b${randomUUID()}`;
    const storage = await done(surface.createStorage(admin, { name: 'S', provider: 'LOCAL_FS', bucket, credentials: {} }));
    expect(await surface.updateDocument(admin, id, { storageId: storage.id })).toMatchObject({ value: { storageId: storage.id } });
    await upload(admin, id, [{ name: 'a.txt', body: 'bytes' }]);
    expect(await surface.updateDocument(admin, id, { storageId })).toEqual(refused('storage'));
    expect(await surface.updateDocument(admin, id, { storageId: storage.id }), 'the same').toMatchObject({ value: { id } });
  });

  test('deleted: gone at once for every act', async () => {
    const admin = world().actor('admin');
    const { id } = await make(surface, admin);
    expect(await surface.deleteDocument(admin, id, { expectedVersion: 5 })).toEqual(conflict);
    expect(await surface.deleteDocument(admin, id)).toEqual({ value: null });
    const after = [
      surface.getDocument(admin, id),
      surface.updateDocument(admin, id, { name: 'x' }),
      surface.deleteDocument(admin, id),
      surface.shareDocument(admin, id, { expiresAt: new Date(Date.now() + 60_000).toISOString() }),
      surface.listShares(admin, id),
      ...actNames.map((act) => acts[act](surface, admin, id)),
    ];
    for (const outcome of await Promise.all<Outcome<unknown>>(after)) expect(outcome).toEqual({ code: 'NOT_FOUND' });
    expect(await surface.listDocuments(admin)).toEqual({ value: { count: 0, rows: [] } });
  });
});

/** "pending → approved | rejected; rejected → approved; approved → rejected; any but inactive → inactive; a transition to the state it already has: 409" */
const transitions: Record<Act, Partial<Record<Status, Status>>> = {
  approve: { PENDING: 'APPROVED', REJECTED: 'APPROVED' },
  reject: { PENDING: 'REJECTED', APPROVED: 'REJECTED' },
  inactivate: { PENDING: 'INACTIVE', APPROVED: 'INACTIVE', REJECTED: 'INACTIVE' },
};
const mayAct: Record<Act, Role[]> = {
  approve: ['reviewer', 'admin'],
  reject: ['reviewer', 'admin'],
  inactivate: ['editor', 'admin'],
};

describe.each(surfaces)('the workflow, over $name', (surface) => {
  const table = actNames.flatMap((act) => statuses.map((from) => ({ act, from, to: transitions[act][from] ?? '409' })));
  test.each(table)('$act: $from → $to', async ({ act, from }) => {
    const admin = world().actor('admin');
    const before = await documentIn(surface, admin, from);
    const outcome = await acts[act](surface, admin, before.id);
    const to = transitions[act][from];
    if (!to) {
      expect(outcome).toEqual(conflict);
      expect(await done(surface.getDocument(admin, before.id))).toMatchObject(before);
      return;
    }
    const rejectionReason = act === 'reject' || (act === 'inactivate' && from === 'REJECTED') ? 'blurred' : null;
    expect(outcome).toMatchObject({ value: { id: before.id, status: to, rejectionReason } });
    if (act !== 'inactivate')
      expect(outcome).toMatchObject({ value: { reviewedBy: admin.userId, reviewedAt: expect.stringMatching(/Z$/) } });
    expect(await surface.getDocument(admin, before.id)).toMatchObject(outcome);
  });

  const people = actNames.flatMap((act) =>
    (['viewer', 'editor', 'reviewer', 'admin'] as const).map((role) => ({ act, role, may: mayAct[act].includes(role) })),
  );
  test.each(people)('$act by a $role: $may', async ({ act, role, may }) => {
    const admin = world().actor('admin');
    const { id } = await make(surface, admin);
    const outcome = await acts[act](surface, world().actor(role, admin.tenantId), id);
    expect(outcome).toMatchObject(may ? { value: { id } } : { code: 'FORBIDDEN' });
  });

  test.each<[string, unknown, object]>([
    ['1000 characters', 'r'.repeat(1000), { value: { rejectionReason: 'r'.repeat(1000) } }],
    ['1001', 'r'.repeat(1001), refused('reason')],
    ['blank', '  ', refused('reason')],
    ['NUL', 'a\0', refused('reason')],
  ])('a reason: "required, ≤ 1000": %s', async (_, reason, outcome) => {
    const admin = world().actor('admin');
    const { id } = await make(surface, admin);
    expect(await surface.reject(admin, id, { reason })).toMatchObject(outcome);
  });

  test.each(actNames)('%s of a version that changed meanwhile', async (act) => {
    const admin = world().actor('admin');
    const { id } = await make(surface, admin);
    await done(surface.updateDocument(admin, id, { name: 'changed' }));
    expect(await acts[act](surface, admin, id, { expectedVersion: 1 })).toEqual(conflict);
    expect(await acts[act](surface, admin, id, { expectedVersion: 2 })).toMatchObject({ value: { id } });
  });

  test('an inactive document: "every change but its deletion answers 409"', async () => {
    const admin = world().actor('admin');
    const { id } = await documentIn(surface, admin, 'INACTIVE');
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    expect(await surface.updateDocument(admin, id, { name: 'x' })).toEqual(conflict);
    expect(await surface.shareDocument(admin, id, { expiresAt })).toEqual(conflict);
    expect(await surface.deleteDocument(admin, id)).toEqual({ value: null });
  });
});

describe.each(surfaces)('documents are listed, over $name', (surface) => {
  test.each<[string, (of: Awaited<ReturnType<typeof shelf>>) => object, string[]]>([
    ['all', () => ({}), ['a', 'b', 'c']],
    ['`category`', ({ parent }) => ({ categoryId: parent.id }), ['a']],
    ['`category` (with `include_descendants=true`)', ({ parent }) => ({ categoryId: parent.id, includeDescendants: true }), ['a', 'b']],
    ['a category of nobody', () => ({ categoryId: missing }), []],
    ['`storage`', ({ storageId }) => ({ storageId }), ['a', 'b', 'c']],
    ['`status`', () => ({ status: ['APPROVED'] }), ['c']],
    ['`tags`: one', () => ({ tagsAll: ['kyc'] }), ['a', 'b']],
    ['`tags` "(comma list: all of them)"', () => ({ tagsAll: ['kyc', 'eu'] }), ['b']],
    ['`search`', () => ({ search: 'A' }), ['a']],
    ['`created_by`', ({ admin }) => ({ createdBy: admin.userId }), ['a', 'b', 'c']],
    ['`created_by` somebody else', () => ({ createdBy: randomUUID() }), []],
    ['dates: from', () => ({ createdAt: { from: '2999-01-01T00:00:00Z' } }), []],
    ['dates: to', () => ({ createdAt: { to: '2999-01-01T00:00:00+02:00' } }), ['a', 'b', 'c']],
    ['all conditions together', ({ parent }) => ({ categoryId: parent.id, status: ['APPROVED'] }), []],
  ])('%s', async (_, filter, names) => {
    const admin = world().actor('admin');
    const of = await shelf(surface, admin);
    const query = { filter: filter(of) as Record<string, unknown>, order: { field: 'NAME', direction: 'ASC' } } as const;
    const { count, rows } = await done(surface.listDocuments(admin, query));
    expect({ count, names: rows.map(({ name }) => name) }).toEqual({ count: names.length, names });
    const turned = await done(surface.listDocuments(admin, { ...query, order: { field: 'NAME', direction: 'DESC' }, size: 1 }));
    expect(turned).toEqual({ count: names.length, rows: rows.slice(-1) });
  });

  test.each<[string, object, string]>([
    ['a category that is no id', { categoryId: 'no' }, 'category'],
    ['a storage that is no id', { storageId: 'no' }, 'storage'],
    ['a search with NUL', { search: 'a\0' }, 'search'],
    ['more than 50 tags', { tagsAll: Array.from({ length: 51 }, (_, index) => `t${index}`) }, 'tags'],
  ])('%s', async (_, filter, field) => {
    expect(await surface.listDocuments(world().actor('admin'), { filter: filter as Record<string, unknown> })).toEqual(refused(field));
  });

  test('tags: "sorted", with how many documents carry each, those in the trash aside', async () => {
    const admin = world().actor('admin');
    const { b } = await shelf(surface, admin);
    const all = [
      { name: 'eu', count: 1 },
      { name: 'kyc', count: 2 },
    ];
    expect(await surface.listTags(admin)).toEqual({ value: all });
    expect(await surface.listTags(admin, 'KY')).toEqual({ value: [all[1]] });
    expect(await surface.listTags(admin, 'a\0')).toEqual(refused('search'));
    await done(surface.deleteDocument(admin, b.id));
    expect(await surface.listTags(admin)).toEqual({ value: [{ name: 'kyc', count: 1 }] });
  });
});

/** a in a category, b in one below it, c approved and in none. */
async function shelf(surface: Surface, admin: Actor) {
  const parent = await done(surface.createCategory(admin, { name: 'P' }));
  const child = await done(surface.createCategory(admin, { name: 'C', parentId: parent.id }));
  const a = await make(surface, admin, { name: 'a', categoryId: parent.id, tags: ['kyc'] });
  const b = await make(surface, admin, { name: 'b', categoryId: child.id, tags: ['kyc', 'eu'] });
  const c = await make(surface, admin, { name: 'c' });
  await done(surface.approve(admin, c.id));
  return { admin, parent, b, storageId: a.storageId };
}

test('both doors show the same document', async () => {
  const [graphql, rest] = surfaces as [Surface, Surface];
  const { actor, upload } = world();
  const admin = actor('admin');
  const { b } = await shelf(rest, admin);
  await upload(admin, b.id, [{ name: 'größe 😀.txt', body: 'the bytes' }]);
  for (const status of statuses) await documentIn(graphql, admin, status);
  const list = { order: { field: 'CREATED_AT', direction: 'DESC' }, size: 100 } as const;
  const shown = await graphql.listDocuments(admin, list);
  expect(shown).toEqual(await rest.listDocuments(admin, list));
  for (const document of (await done(graphql.listDocuments(admin, list))).rows) {
    expect(await rest.getDocument(admin, document.id)).toEqual({ value: document });
  }
});

const nothing = { value: { count: 0, rows: [] } };
testRights<ChangedDocument>(
  world,
  [
    {
      act: 'createDocument',
      takes: ['documents:write'],
      run: (surface, who) => surface.createDocument(who, { name: 'a' }),
      stranger: { value: { name: 'a' } },
    },
    { act: 'updateDocument', takes: ['documents:write'], run: (surface, who, { id }) => surface.updateDocument(who, id, { name: 'a' }) },
    { act: 'getDocument', takes: ['documents:read'], run: (surface, who, { id }) => surface.getDocument(who, id) },
    { act: 'listDocuments', takes: ['documents:read'], run: (surface, who) => surface.listDocuments(who), stranger: nothing },
    { act: 'listTags', takes: ['documents:read'], run: (surface, who) => surface.listTags(who), stranger: { value: [] } },
    { act: 'approve', takes: ['documents:review'], run: (surface, who, { id }) => surface.approve(who, id) },
    { act: 'reject', takes: ['documents:review'], run: (surface, who, { id }) => surface.reject(who, id, { reason: 'r' }) },
    { act: 'inactivate', takes: ['documents:write'], run: (surface, who, { id }) => surface.inactivate(who, id) },
  ],
  make,
);
