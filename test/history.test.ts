import { describe, expect, test } from 'vitest';
import { useWorkflow } from './workflow.world.js';

const { world, mutate, move, documentIn, eventsOf } = useWorkflow();

describe('history', () => {
  test('says who did what, with what was before and after', async () => {
    const { actor, graphql, upload } = world();
    const admin = actor('admin');
    const { id } = await mutate(admin, 'createDocument', 'CreateDocumentInput', { name: 'Before', tags: ['a'] });
    await mutate(admin, 'updateDocument', 'UpdateDocumentInput', { id, name: 'After', tags: ['a'], metadata: { n: 1.5 } });
    await mutate(admin, 'updateDocument', 'UpdateDocumentInput', { id, name: 'After' });
    await upload(admin, id, [{ name: 'a.txt', body: 'bytes' }]);
    await move(admin, 'reject', id);
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const share = await mutate(admin, 'shareDocument', 'ShareDocumentInput', { documentId: id, expiresAt }, '__typename code: __typename');
    expect(share).toMatchObject({ __typename: 'ConflictError' });
    await move(admin, 'approve', id);
    const shared = { documentId: id, expiresAt, password: 'open sesame', maxDownloads: 2 };
    const { id: shareId } = await mutate(admin, 'shareDocument', 'ShareDocumentInput', shared, '... on Share { id }');
    await mutate(admin, 'updateShare', 'UpdateShareInput', { id: shareId, label: 'notary', password: null }, '__typename');
    await mutate(admin, 'revokeShare', 'RevokeShareInput', { id: shareId }, '__typename');
    await mutate(admin, 'deleteDocument', 'DeleteDocumentInput', { id });
    await mutate(admin, 'restoreDocument', 'RestoreDocumentInput', { id });

    const query = `{ document(id: "${id}") { history(first: 50) { totalCount nodes { seq action entityType entityId actorId before after requestId } } } }`;
    const { history } = (await graphql(admin, query)).data.document;
    const events = history.nodes.toReversed();
    expect(history.totalCount).toBe(events.length);
    expect(events.map(({ seq }: { seq: number }) => seq)).toEqual(events.map((_: unknown, index: number) => index + 1));
    expect(events.every((event: { actorId: string; requestId: string }) => event.actorId === admin.userId && event.requestId)).toBe(true);
    expect(events).toMatchObject([
      {
        action: 'document.created',
        entityType: 'Document',
        entityId: id,
        before: null,
        after: { name: 'Before', tags: ['a'], categoryId: null },
      },
      { action: 'document.updated', before: { name: 'Before', metadata: {} }, after: { name: 'After', metadata: { n: 1.5 } } },
      { action: 'file.uploaded', entityType: 'File', before: { status: 'PENDING' }, after: { name: 'a.txt', size: 5, status: 'PENDING' } },
      { action: 'document.rejected', before: { status: 'PENDING' }, after: { status: 'REJECTED', rejectionReason: 'blurred' } },
      { action: 'document.approved', before: { status: 'REJECTED', rejectionReason: 'blurred' }, after: { status: 'APPROVED' } },
      {
        action: 'share.created',
        entityType: 'Share',
        entityId: shareId,
        before: null,
        after: { password: true, maxDownloads: 2, expiresAt },
      },
      { action: 'share.updated', before: { label: '' }, after: { label: 'notary', password: false } },
      { action: 'share.revoked', before: { revokedAt: null } },
      { action: 'document.deleted', before: { deletedAt: null } },
      { action: 'document.restored', after: { deletedAt: null } },
    ]);
    // What did not change is not told, and no secret is.
    expect(Object.keys(events[1].after)).toEqual(['name', 'metadata']);
    expect(JSON.stringify(events)).not.toMatch(/sesame|argon2|token/i);
  });

  test('is chained: what is altered, taken out or put in shows, and the database refuses to', async () => {
    const { actor, gateway } = world();
    const admin = actor('admin');
    const id = await documentIn(admin, 'APPROVED');
    await move(admin, 'reject', id);
    expect((await eventsOf(admin.tenantId)).map(({ intact }) => intact)).toEqual([true, true, true]);
    const { pool } = gateway.database;
    const tampers = [
      `UPDATE audit_events SET actor_id = gen_random_uuid() WHERE tenant_id = $1 AND seq = 2`,
      `UPDATE audit_events SET after = '{"status":"APPROVED"}' WHERE tenant_id = $1 AND seq = 3`,
      `UPDATE audit_events SET seq = seq + 10 WHERE tenant_id = $1`,
      `DELETE FROM audit_events WHERE tenant_id = $1 AND seq = 2`,
    ];
    for (const tamper of tampers) {
      await expect(pool.query(tamper, [admin.tenantId])).rejects.toThrow('append-only');
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        await client.query('ALTER TABLE audit_events DISABLE TRIGGER USER');
        await client.query(tamper, [admin.tenantId]);
        expect((await eventsOf(admin.tenantId, client)).every(({ intact }) => intact)).toBe(false);
      } finally {
        await client.query('ROLLBACK');
        client.release();
      }
    }
    await expect(pool.query('TRUNCATE audit_events')).rejects.toThrow('append-only');
    expect((await eventsOf(admin.tenantId)).map(({ intact }) => intact)).toEqual([true, true, true]);
  });
});
