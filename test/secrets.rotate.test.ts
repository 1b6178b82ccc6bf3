import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { rotateSecrets, sealedColumns } from '../src/db/rotate.js';
import { Secrets } from '../src/db/secrets.js';
import { openToken } from '../src/share/share.token.js';
import { storeOf } from '../src/storage/storage.service.js';
import { createObjects } from './objects.js';
import { type Actor, useWorld } from './world.js';

const newKey = () => randomBytes(32).toString('base64');
const old = newKey();
const current = newKey();
const world = useWorld({ SECRETS_KEYS: old });

/** The same gateway, as copies with these keys see it. */
function contextWith(actor: Actor, ...keys: string[]) {
  const ctx = world().context(actor);
  return { ...ctx, services: { ...ctx.services, secrets: new Secrets(keys) } };
}

test('values of 600 rows go under the current key and open with it alone; the second run has nothing to do', async () => {
  const admin = world().actor('admin');
  const objects = await createObjects(() => world().context(admin));
  const { pool } = world().gateway.database;
  const many = await Promise.all(
    Array.from({ length: 600 }, async (_, index) => {
      const id = `${objects.share.id.slice(0, 20)}${String(index).padStart(6, '0')}`;
      const token = new Secrets([old]).seal(`token ${index}`, { table: 'shares', tenantId: admin.tenantId, id });
      await pool.query(
        `INSERT INTO shares (tenant_id, id, created_by, created_at, updated_at, document_id, token_hash, token, expires_at)
         SELECT tenant_id, $1::text, created_by, created_at, updated_at, document_id, sha256($1::text::bytea), $2, expires_at FROM shares WHERE id = $3`,
        [id, token, objects.share.id],
      );
      return { ...objects.share, id };
    }),
  );
  const both = new Secrets([current, old]);
  const rotations = await rotateSecrets(pool, both);
  expect(rotations.every(({ unreadable }) => unreadable.length === 0)).toBe(true);
  expect(rotations.find(({ table }) => table === 'shares')?.rotated).toBe(601);
  const alone = contextWith(admin, current);
  const { rows } = await pool.query<{ id: string; token: Buffer }>('SELECT id, token FROM shares WHERE tenant_id = $1', [admin.tenantId]);
  const [last] = many.slice(-1);
  const box = rows.find(({ id }) => id === last?.id)?.token;
  expect(openToken(alone, { ...objects.share, id: last?.id ?? '', token: new Uint8Array(box ?? []) })).toBe('token 599');
  const storage = await alone.db.storage.findFirst({ where: { id: objects.storage.id } });
  if (!storage) throw new Error('no storage');
  await expect(storeOf(alone, storage)).resolves.toBeDefined();
  expect((await rotateSecrets(pool, both)).map(({ rotated }) => rotated)).toEqual(sealedColumns.map(() => 0));
});

test('a value under an unknown key is named, kept as it is, and does not stop the others', async () => {
  const admin = world().actor('admin');
  const { share } = await createObjects(() => world().context(admin));
  const { pool } = world().gateway.database;
  const foreign = new Secrets([newKey()]).seal('x', { table: 'shares', tenantId: admin.tenantId, id: share.id });
  await pool.query('UPDATE shares SET token = $1 WHERE id = $2', [foreign, share.id]);
  const rotations = await rotateSecrets(pool, new Secrets([newKey(), old, current]));
  expect(rotations.flatMap(({ unreadable }) => unreadable)).toEqual([{ tenantId: admin.tenantId, id: share.id }]);
  expect(rotations.filter(({ rotated }) => rotated > 0).map(({ table }) => table)).toEqual(['storages', 'shares']);
  const { rows } = await pool.query('SELECT token FROM shares WHERE id = $1', [share.id]);
  expect(new Uint8Array(rows[0].token)).toEqual(foreign);
});

/** Columns of bytes that no key has sealed. */
const notSealed = ['audit_events.hash', 'audit_events.prev_hash', 'share_accesses.visitor', 'shares.token_hash'];

test('every column of bytes is either rotated or known to hold no secret', async () => {
  const { rows } = await world().gateway.database.pool.query<{ name: string }>(
    `SELECT table_name || '.' || column_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND data_type = 'bytea'`,
  );
  const known = [...sealedColumns.map(({ table, column }) => `${table}.${column}`), ...notSealed];
  expect(rows.map(({ name }) => name).sort()).toEqual(known.sort());
});
