import { describe, expect, test } from 'vitest';
import { createObjects } from './objects.js';
import { selection, type Transition, transitions, useWorkflow, ways } from './workflow.world.js';
import type { Actor } from './world.js';

const { world, mutate, move, documentIn, pendingDocuments, documentOf, eventsOf } = useWorkflow();

describe('a transition', () => {
  const table = Object.keys(transitions).flatMap((name) => Object.keys(ways).map((status) => [name as Transition, status] as const)); // The table's own keys.

  test.each(table)('%s of a document that is %s', async (name, status) => {
    const admin = world().actor('admin');
    const id = await documentIn(admin, status);
    const before = await documentOf(admin, id);
    const answer = await move(admin, name, id);
    const { from, to, action } = transitions[name];
    const allowed = (from as readonly string[]).includes(status);
    if (allowed) {
      expect(answer).toMatchObject({ __typename: 'Document', status: to, version: before.version + 1 });
      const reviewer = name === 'approve' || name === 'reject' ? admin.userId : name === 'reactivate' ? null : before.reviewedBy;
      expect(answer.reviewedBy).toBe(reviewer);
      expect(answer.rejectionReason).toBe(to === 'REJECTED' || (to === 'INACTIVE' && status === 'REJECTED') ? 'blurred' : null);
      expect((await eventsOf(admin.tenantId)).at(-1)).toMatchObject({ action, before: { status }, after: { status: to }, intact: true });
    } else {
      expect(answer).toMatchObject({ __typename: 'ConflictError', code: 'CONFLICT', currentVersion: before.version });
      expect(await documentOf(admin, id)).toEqual(before);
      expect((await eventsOf(admin.tenantId)).length).toBe(1 + (ways[status]?.length ?? 0));
    }
  });

  test('needs a reason to reject: without one nothing happens', async () => {
    const admin = world().actor('admin');
    const id = await documentIn(admin);
    for (const reason of ['', '  ', 'x'.repeat(1001), 'a\0b']) {
      const answer = await mutate(
        admin,
        'reject',
        'RejectInput',
        { id, reason },
        `${selection} ... on ValidationError { fields { path } }`,
      );
      expect(answer).toMatchObject({ __typename: 'ValidationError', fields: [{ path: 'reason' }] });
    }
    expect(await documentOf(admin, id)).toMatchObject({ status: 'PENDING', version: 1 });
  });

  test('with a version that is not the current one changes nothing', async () => {
    const admin = world().actor('admin');
    const id = await documentIn(admin);
    for (const expectedVersion of [0, 2, -1, 2 ** 31 - 1]) {
      expect(await move(admin, 'approve', id, expectedVersion)).toMatchObject({ __typename: 'ConflictError', currentVersion: 1 });
    }
    expect(await move(admin, 'approve', id, 1)).toMatchObject({ status: 'APPROVED', version: 2 });
  });

  test('is for those who may: reviewers review, editors edit', async () => {
    const { actor } = world();
    const editor = actor('editor');
    const reviewer = actor('reviewer', editor.tenantId);
    const id = await documentIn(editor);
    for (const [who, name] of [
      [editor, 'approve'],
      [editor, 'reject'],
      [reviewer, 'inactivate'],
      [reviewer, 'reactivate'],
    ] as const) {
      expect(await move(who, name, id)).toMatchObject({ __typename: 'ForbiddenError', code: 'FORBIDDEN' });
    }
    expect(await documentOf(editor, id)).toMatchObject({ status: 'PENDING', version: 1 });
  });
});

describe('parallel transitions', () => {
  const rounds = 100;

  test(`in ${rounds} rounds each, of equal ones one wins, with a version one of any wins, and the events say what happened`, async () => {
    const { actor } = world();
    const admin = actor('admin');
    const reviewer = actor('reviewer', admin.tenantId);
    const won = new Map<string, number>();
    const ids = await pendingDocuments(admin, 3 * rounds);
    const race = async (moves: Transition[], version?: number) => {
      const id = ids.pop() ?? '';
      const answers = await Promise.all(moves.map((name, index) => move(index % 2 ? admin : reviewer, name, id, version)));
      const winners = answers.filter((answer) => answer.__typename === 'Document');
      for (const loser of answers) if (!winners.includes(loser)) expect(loser).toMatchObject({ __typename: 'ConflictError' });
      won.set(id, winners.length);
      return winners.length;
    };
    for (let round = 0; round < rounds; round++) {
      expect(await race(round % 2 ? ['approve', 'approve'] : ['reject', 'reject'])).toBe(1);
      expect(await race(['approve', 'reject', 'approve'], 1)).toBe(1);
      expect(await race(['approve', 'reject', 'approve'])).toBeGreaterThanOrEqual(1);
    }

    const events = await eventsOf(admin.tenantId);
    expect(events.every(({ intact }) => intact)).toBe(true);
    const documents = await world().gateway.services.prisma.document.findMany({ where: { tenantId: admin.tenantId } });
    expect(documents.length).toBe(3 * rounds);
    for (const { id, status, version } of documents) {
      const moves = events.filter(({ subject }) => subject === id);
      expect([moves.length, version]).toEqual([won.get(id), 1 + (won.get(id) ?? 0)]);
      // Each event takes up where the one before left off, and the last one's end is what stands.
      expect(moves.map(({ before }) => before?.status)).toEqual(['PENDING', ...moves.slice(0, -1).map(({ after }) => after?.status)]);
      expect(moves.at(-1)?.after?.status).toBe(status);
    }
  });

  test('of updates with a version, one wins and no change is lost', async () => {
    const admin = world().actor('admin');
    const id = await documentIn(admin);
    const names = Array.from({ length: 8 }, (_, index) => `Name ${index}`);
    const answers = await Promise.all(
      names.map((name) => mutate(admin, 'updateDocument', 'UpdateDocumentInput', { id, name, expectedVersion: 1 })),
    );
    expect(answers.filter(({ __typename }) => __typename === 'Document').length).toBe(1);
    const tags = names.map((name) => mutate(admin, 'updateDocument', 'UpdateDocumentInput', { id, tags: [name] }));
    expect((await Promise.all(tags)).every(({ __typename }) => __typename === 'Document')).toBe(true);
    expect(await documentOf(admin, id)).toMatchObject({ version: 10 });
    expect((await eventsOf(admin.tenantId)).length).toBe(10);
  });
});

describe('a change of files', () => {
  test.each(['APPROVED', 'REJECTED'])('puts a document that is %s back to PENDING, without its review', async (status) => {
    const { actor, upload, graphql } = world();
    const admin = actor('admin');
    const id = await documentIn(admin);
    const send = async () =>
      expect(await upload(admin, id, [{ name: 'a.txt', body: 'bytes' }])).toMatchObject({ __typename: 'UploadedFiles' });
    const review = () => move(admin, status === 'APPROVED' ? 'approve' : 'reject', id);
    const pending = { status: 'PENDING', reviewedBy: null, rejectionReason: null };
    await send();
    expect(await documentOf(admin, id)).toMatchObject(pending);
    expect(await review()).toMatchObject({ status });
    await send();
    expect(await documentOf(admin, id)).toMatchObject(pending);
    expect(await review()).toMatchObject({ status });
    const { data } = await graphql(admin, `{ document(id: "${id}") { files { id } } }`);
    expect(await mutate(admin, 'deleteFile', 'DeleteFileInput', { id: data.document.files[0].id })).toMatchObject(pending);
    const changes = (await eventsOf(admin.tenantId)).filter(({ action }) => action.startsWith('file.'));
    expect(changes.map(({ action, before, after }) => [action, before?.status, after?.status])).toEqual([
      ['file.uploaded', 'PENDING', 'PENDING'],
      ['file.uploaded', status, 'PENDING'],
      ['file.deleted', status, 'PENDING'],
    ]);
  });

  test('while a reviewer approves: an approval never stands on bytes that came after it', async () => {
    const { actor, upload } = world();
    const admin = actor('admin');
    for (let round = 0; round < 5; round++) {
      const id = await documentIn(admin);
      await Promise.all([upload(admin, id, [{ name: 'a.txt', body: 'bytes' }]), move(admin, 'approve', id)]);
      const actions = (await eventsOf(admin.tenantId)).filter(({ subject }) => subject === id).map(({ action }) => action);
      expect((await documentOf(admin, id)).status).toBe(actions.at(-1) === 'document.approved' ? 'APPROVED' : 'PENDING');
    }
  });
});

describe('a document that is INACTIVE', () => {
  test('is read-only but for its deletion', async () => {
    const { actor, context, upload, graphql } = world();
    const admin = actor('admin');
    const objects = await createObjects(() => context(admin));
    const { id } = objects.document;
    await move(admin, 'inactivate', id);
    const before = await documentOf(admin, id);
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const refused = [
      await mutate(admin, 'updateDocument', 'UpdateDocumentInput', { id, name: 'x' }),
      await mutate(admin, 'deleteFile', 'DeleteFileInput', { id: objects.file.id }),
      await mutate(admin, 'shareDocument', 'ShareDocumentInput', { documentId: id, expiresAt }, '__typename'),
      await mutate(admin, 'updateShare', 'UpdateShareInput', { id: objects.share.id, label: 'x' }, '__typename'),
      await upload(admin, id, [{ name: 'b.txt', body: 'more' }]),
      await move(admin, 'approve', id),
      await move(admin, 'reject', id),
      await move(admin, 'inactivate', id),
    ];
    expect(refused.map(({ __typename }) => __typename)).toEqual(refused.map(() => 'ConflictError'));
    expect(await documentOf(admin, id)).toEqual(before);
    const { data } = await graphql(admin, `{ document(id: "${id}") { name files { name } shares { totalCount } } }`);
    expect(data.document).toMatchObject({ name: 'Document', files: [{ name: 'a.txt' }], shares: { totalCount: 1 } });

    expect(await mutate(admin, 'deleteDocument', 'DeleteDocumentInput', { id })).toMatchObject({ __typename: 'Document' });
    expect(await documentOf(admin, id)).toBeNull();
    expect(await mutate(admin, 'restoreDocument', 'RestoreDocumentInput', { id })).toMatchObject({ status: 'INACTIVE' });
    expect(await move(admin, 'reactivate', id)).toMatchObject({ status: 'PENDING' });
  });
});

describe('a category', () => {
  const update = (actor: Actor, id: string, parentId: string) =>
    mutate(actor, 'updateCategory', 'UpdateCategoryInput', { id, parentId }, `__typename ... on ValidationError { fields { path } }`);
  const create = async (actor: Actor, parentId?: string): Promise<string> =>
    (await mutate(actor, 'createCategory', 'CreateCategoryInput', { name: 'C', parentId }, '... on Category { id }')).id;
  const refused = { __typename: 'ValidationError', fields: [{ path: 'parentId' }] };

  /** How many categories lie on a circle. */
  const circles = async (tenantId: string) =>
    (
      await world().gateway.database.pool.query(
        `WITH RECURSIVE up AS (
           SELECT id AS start, parent_id AS id, 1 AS steps FROM categories WHERE tenant_id = $1
           UNION ALL SELECT up.start, c.parent_id, steps + 1 FROM up JOIN categories c ON c.tenant_id = $1 AND c.id = up.id WHERE steps < 50)
         SELECT 1 FROM up WHERE id = start`,
        [tenantId],
      )
    ).rows.length;

  test('cannot be below itself', async () => {
    const admin = world().actor('admin');
    const root = await create(admin);
    const child = await create(admin, root);
    const grandchild = await create(admin, child);
    for (const below of [root, child, grandchild]) expect(await update(admin, root, below)).toMatchObject(refused);
    expect(await update(admin, grandchild, root)).toMatchObject({ __typename: 'Category' });
    expect(await circles(admin.tenantId)).toBe(0);
  });

  test('cannot get below itself by moves at the same time either', async () => {
    const admin = world().actor('admin');
    for (let round = 0; round < 10; round++) {
      const [a, b, c] = [await create(admin), await create(admin), await create(admin)];
      const pair = await Promise.all([update(admin, a, b), update(admin, b, a)]);
      expect(pair.filter(({ __typename }) => __typename === 'Category').length).toBe(1);
      const ring = await Promise.all([update(admin, a, b), update(admin, b, c), update(admin, c, a)]);
      expect(ring.some(({ __typename }) => __typename === 'ValidationError')).toBe(true);
    }
    expect(await circles(admin.tenantId)).toBe(0);
  });
});
