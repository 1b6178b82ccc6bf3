import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { testRights } from './surface.rights.js';
import { done, type Surface, surfacesOf } from './surfaces.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
const surfaces = surfacesOf(world);
const missing = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const refused = (...fields: string[]) => ({ code: 'VALIDATION_FAILED', fields });
const DAY = 24 * 60 * 60 * 1000;
const inDays = (days: number) => new Date(Date.now() + days * DAY).toISOString();

async function make(surface: Surface, admin: Actor, input: object = {}) {
  const document = await done(surface.createDocument(admin, { name: 'Passport', description: 'of Ada' }));
  const share = await done(surface.shareDocument(admin, document.id, { expiresAt: inDays(1), ...input }));
  return { document, share };
}
type Made = Awaited<ReturnType<typeof make>>;

/** What can be done to a document or its share, by whoever owns it. */
const afterwards = {
  'nothing else': async () => {},
  approved: (surface: Surface, admin: Actor, { document }: Made) => done(surface.approve(admin, document.id)),
  rejected: (surface: Surface, admin: Actor, { document }: Made) => done(surface.reject(admin, document.id, { reason: 'r' })),
  'rejected, then approved': async (surface: Surface, admin: Actor, { document }: Made) => {
    await done(surface.reject(admin, document.id, { reason: 'r' }));
    await done(surface.approve(admin, document.id));
  },
  inactive: (surface: Surface, admin: Actor, { document }: Made) => done(surface.inactivate(admin, document.id)),
  deleted: (surface: Surface, admin: Actor, { document }: Made) => done(surface.deleteDocument(admin, document.id)),
  revoked: (surface: Surface, admin: Actor, { document, share }: Made) => done(surface.revokeShare(admin, document.id, share.id)),
} as const;
type Afterwards = keyof typeof afterwards;

describe.each(surfaces)('a share, over $name', (surface) => {
  test.each<[string, () => object, object]>([
    [
      'an expiry alone',
      () => ({ expiresAt: inDays(1) }),
      { value: { label: '', allowDownload: true, maxDownloads: null, downloadCount: 0, hasPassword: false, updatedBy: null } },
    ],
    ['"ISO 8601 with offset or Z"', () => ({ expiresAt: inDays(1).replace('Z', '+00:00') }), { value: { updatedBy: null } }],
    ['"at most 365 days"', () => ({ expiresAt: inDays(364.9) }), { value: {} }],
    [
      '"also accepted: password, max_downloads, allow_download, label"',
      () => ({ expiresAt: inDays(1), password: 'päss wörd', maxDownloads: 1, allowDownload: false, label: 'notary' }),
      { value: { label: 'notary', allowDownload: false, maxDownloads: 1, hasPassword: true } },
    ],
    ['"must lie in the future"', () => ({ expiresAt: inDays(-1) }), refused('expires_at')],
    ['more than 365 days', () => ({ expiresAt: inDays(366) }), refused('expires_at')],
    ['a password of 3', () => ({ expiresAt: inDays(1), password: 'abc' }), refused('password')],
    ['no download at all', () => ({ expiresAt: inDays(1), maxDownloads: 0 }), refused('max_downloads')],
    ['a label of 101', () => ({ expiresAt: inDays(1), label: 'l'.repeat(101) }), refused('label')],
    [
      'all that is wrong at once',
      () => ({ expiresAt: inDays(1), password: 'abc', label: 'l'.repeat(101) }),
      { code: 'VALIDATION_FAILED', fields: expect.arrayContaining(['label', 'password']) },
    ],
    ['"must lie in the future", opens later', () => ({ expiresAt: inDays(1), notBefore: inDays(2) }), refused('not_before')],
  ])('created: %s', async (_, input, outcome) => {
    const admin = world().actor('admin');
    const { id } = await done(surface.createDocument(admin, { name: 'D' }));
    expect(await surface.shareDocument(admin, id, input() as Record<string, unknown>)).toMatchObject(outcome);
    expect(await surface.listShares(admin, id)).toMatchObject({ value: { count: 'value' in outcome ? 1 : 0 } });
  });

  test.each<[Afterwards, object]>([
    ['nothing else', { value: { maxDownloads: null } }],
    ['approved', { value: { maxDownloads: null } }],
    ['rejected', { code: 'CONFLICT' }],
    ['rejected, then approved', { value: { maxDownloads: null } }],
    ['inactive', { code: 'CONFLICT' }],
    ['deleted', { code: 'NOT_FOUND' }],
  ])('"Sharing needs a pending or approved document (else 409)": %s', async (what, outcome) => {
    const admin = world().actor('admin');
    const made = await make(surface, admin);
    await afterwards[what](surface, admin, made);
    expect(await surface.shareDocument(admin, made.document.id, { expiresAt: inDays(1) })).toMatchObject(outcome);
  });

  test.each<[Afterwards, string]>([
    ['nothing else', 'opens'],
    ['approved', 'opens'],
    ['rejected', 'GONE'],
    ['rejected, then approved', 'opens'],
    ['inactive', 'GONE'],
    ['deleted', 'GONE'],
    ['revoked', 'GONE'],
  ])('"expired, revoked, used up or document rejected/inactive/deleted 410": %s: %s', async (what, opens) => {
    const admin = world().actor('admin');
    const made = await make(surface, admin);
    await afterwards[what](surface, admin, made);
    const { document, share } = made;
    const shown = { name: 'Passport', description: 'of Ada', createdAt: document.createdAt };
    const outcome = opens === 'opens' ? { value: { document: shown, expiresAt: share.expiresAt } } : { code: opens };
    expect(await surface.previewShare(share.token)).toMatchObject(outcome);
  });

  test('opened: "Unknown token 404", "password needed 401"', async () => {
    const { share } = await make(surface, world().actor('admin'), { password: 'open sesame' });
    expect(await surface.previewShare(randomUUID())).toEqual({ code: 'NOT_FOUND' });
    expect(await surface.previewShare('nonsense')).toEqual({ code: 'NOT_FOUND' });
    expect(await surface.previewShare(share.token)).toEqual({ code: 'PASSWORD_REQUIRED' });
    expect(await surface.previewShare(share.token, 'wrong')).toEqual({ code: 'PASSWORD_REQUIRED' });
    expect(await surface.previewShare(share.token, 'open sesame')).toMatchObject({ value: { document: { name: 'Passport' } } });
  });

  test.each<[string, () => object, object]>([
    ['nothing', () => ({}), { value: { label: 'l', maxDownloads: 3, hasPassword: true } }],
    ['its limits', () => ({ maxDownloads: 9, allowDownload: false }), { value: { maxDownloads: 9, allowDownload: false, label: 'l' } }],
    ['limits lifted', () => ({ maxDownloads: null, password: null }), { value: { maxDownloads: null, hasPassword: false } }],
    ['its label', () => ({ label: '' }), { value: { label: '' } }],
    ['the version seen', () => ({ label: 'm', expectedVersion: 1 }), { value: { label: 'm' } }],
    ['another version', () => ({ label: 'm', expectedVersion: 2 }), { code: 'CONFLICT' }],
    ['an expiry in the past', () => ({ expiresAt: inDays(-1) }), refused('expires_at')],
    ['an expiry too far', () => ({ expiresAt: inDays(366) }), refused('expires_at')],
  ])('changed, "the token stays": %s', async (_, input, outcome) => {
    const admin = world().actor('admin');
    const { document, share } = await make(surface, admin, { label: 'l', password: 'open sesame', maxDownloads: 3 });
    expect(await surface.updateShare(admin, document.id, share.id, input() as Record<string, unknown>)).toMatchObject(outcome);
    const after = await done(surface.getShare(admin, document.id, share.id));
    expect(after.token).toBe(share.token);
    if (!('value' in outcome)) expect(after, 'nothing is half done').toEqual(share);
  });

  test('revoked: of another version not; then for good', async () => {
    const admin = world().actor('admin');
    const { document, share } = await make(surface, admin);
    expect(await surface.revokeShare(admin, document.id, share.id, { expectedVersion: 2 })).toEqual({ code: 'CONFLICT' });
    expect(await surface.previewShare(share.token)).toMatchObject({ value: {} });
    expect(await surface.revokeShare(admin, document.id, share.id, { expectedVersion: 1 })).toEqual({ value: null });
    expect(await surface.listShares(admin, document.id)).toEqual({ value: { count: 0, rows: [] } });
    // The one door still shows it as revoked, the other does not show it at all.
    const again = { code: surface.name === 'REST' ? 'NOT_FOUND' : 'CONFLICT' };
    expect(await surface.revokeShare(admin, document.id, share.id)).toEqual(again);
    expect(await surface.updateShare(admin, document.id, share.id, { label: 'x' })).toEqual(again);
  });

  test('listed: `expires_at_gte`, `expires_at_lte`, only those of the document', async () => {
    const admin = world().actor('admin');
    const { document, share } = await make(surface, admin);
    await make(surface, admin);
    const late = await done(surface.shareDocument(admin, document.id, { expiresAt: inDays(9) }));
    const order = { field: 'EXPIRES_AT', direction: 'ASC' } as const;
    const ids = async (expiresAt: object) =>
      (await done(surface.listShares(admin, document.id, { order, filter: { expiresAt } }))).rows.map(({ id }) => id);
    expect(await ids({})).toEqual([share.id, late.id]);
    expect(await ids({ from: inDays(2) })).toEqual([late.id]);
    expect(await ids({ to: inDays(2) })).toEqual([share.id]);
    expect(await ids({ from: share.expiresAt, to: share.expiresAt })).toEqual([share.id]);
    expect(await surface.listShares(admin, missing)).toEqual({ code: 'NOT_FOUND' });
  });
});

test('both doors show the same share, and open the same', async () => {
  const [graphql, rest] = surfaces as [Surface, Surface];
  const { actor, upload } = world();
  const admin = actor('admin');
  const { document, share } = await make(rest, admin, { label: 'ü', maxDownloads: 2 });
  await upload(admin, document.id, [{ name: 'a.txt', body: 'bytes' }]);
  expect(await graphql.getShare(admin, document.id, share.id)).toEqual({ value: share });
  expect(await graphql.listShares(admin, document.id)).toEqual(await rest.listShares(admin, document.id));
  const opened = await done(graphql.previewShare(share.token));
  expect(opened).toMatchObject({ files: [{ name: 'a.txt', size: 5 }] });
  expect(await rest.previewShare(share.token)).toMatchObject({ value: opened });
});

testRights<Made>(
  world,
  [
    {
      act: 'shareDocument',
      takes: ['shares:write'],
      run: (surface, who, { document }) => surface.shareDocument(who, document.id, { expiresAt: inDays(1) }),
    },
    {
      act: 'updateShare',
      takes: ['shares:read', 'shares:write'],
      run: (surface, who, { document, share }) => surface.updateShare(who, document.id, share.id, { label: 'a' }),
    },
    {
      act: 'getShare',
      takes: ['shares:read'],
      run: (surface, who, { document, share }) => surface.getShare(who, document.id, share.id),
    },
    {
      act: 'listShares',
      takes: ['documents:read', 'shares:read'],
      run: (surface, who, { document }) => surface.listShares(who, document.id),
    },
    {
      act: 'revokeShare',
      takes: ['shares:write'],
      run: (surface, who, { document, share }) => surface.revokeShare(who, document.id, share.id),
    },
  ],
  make,
);
