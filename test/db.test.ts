import { randomUUID } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Database, openDatabase, openPool, pingDatabase } from '../src/db/client.js';
import type { Prisma } from '../src/db/generated/client.js';
import { embeddedDir, log, migrationsDir, scratchDatabase, scratchDir, serverUrl } from './db.scratch.js';

const surfaces = [
  {
    database: 'embedded',
    settings: async () => {
      const { dir, remove } = await embeddedDir();
      return { dataDir: dir, databaseUrl: null, databasePool: 1, remove };
    },
  },
  ...(serverUrl
    ? [
        {
          database: 'PostgreSQL',
          settings: async () => {
            const { url, remove } = await scratchDatabase();
            return { dataDir: '/nonexistent', databaseUrl: url, databasePool: 8, remove };
          },
        },
      ]
    : []),
];

describe.each(surfaces)('Prisma over $database', ({ database, settings }) => {
  const tenantId = randomUUID();
  const base = { tenantId, createdBy: tenantId, createdAt: new Date(), updatedAt: new Date() };
  let db: Database;
  let remove: () => Promise<void>;

  beforeAll(async () => {
    const given = await settings();
    remove = given.remove;
    db = await openDatabase(given, log);
  });
  afterAll(async () => {
    await db.close();
    await remove();
  });

  const createStorage = (data: Partial<Prisma.StorageUncheckedCreateInput> = {}) =>
    db.prisma.storage.create({
      data: {
        ...base,
        id: randomUUID(),
        name: 's',
        provider: 'LOCAL_FS',
        bucket: 'b',
        credentials: Buffer.from([0, 255]),
        credentialsMasked: {},
        ...data,
      },
    });
  const createDocument = async (data: Partial<Prisma.DocumentUncheckedCreateInput> = {}) =>
    db.prisma.document.create({ data: { ...base, id: randomUUID(), name: 'd', storageId: (await createStorage()).id, ...data } });
  const event = (subjectId: string) => ({
    ...{ tenantId, id: randomUUID(), subjectId, action: 'document.created', entityType: 'Document', entityId: subjectId },
    ...{ requestId: 'r', createdAt: new Date(), after: { name: 'né', size: 12345678901234 } },
  });

  test('says which database it is', () => {
    expect(db).toMatchObject({ embedded: database === 'embedded', prepares: true });
  });

  test('keeps every kind of column', async () => {
    const createdAt = new Date('2026-03-29T01:30:00.123Z');
    const metadata = { text: "quote ' and \u20ac", list: [1, null, { deep: true }], big: 1e15 };
    const document = await createDocument({ createdAt, tags: ['a', 'b,c', '"d"', ''], metadata });
    const size = 9_007_199_254_740_993n;
    await db.prisma.file.create({
      data: {
        ...base,
        id: document.id,
        documentId: document.id,
        storageId: document.storageId,
        name: 'f',
        declaredType: 't',
        objectKey: 'k',
        size,
      },
    });
    const found = await db.prisma.document.findUniqueOrThrow({
      where: { tenantId_id: { tenantId, id: document.id } },
      include: { files: true, storage: true },
    });
    expect(found).toMatchObject({
      createdAt,
      tags: ['a', 'b,c', '"d"', ''],
      metadata,
      status: 'PENDING',
      rejectionReason: null,
      version: 1,
    });
    expect(found.files[0]?.size).toBe(size);
    expect(Buffer.from(found.storage.credentials)).toEqual(Buffer.from([0, 255]));
  });

  test('reads, changes and deletes', async () => {
    const where = { tenantId_id: { tenantId, id: (await createStorage()).id } };
    const changed = await db.prisma.storage.update({ where, data: { name: 'new', version: { increment: 1 } } });
    expect(changed).toMatchObject({ name: 'new', version: 2 });
    await db.prisma.storage.delete({ where });
    expect(await db.prisma.storage.findUnique({ where })).toBeNull();
  });

  test('names what was violated, and goes on', async () => {
    const { id } = await createStorage();
    const twice = await Promise.allSettled([createStorage({ id }), createStorage(), createStorage({ id }), createStorage()]);
    expect(twice.map((result) => (result.status === 'rejected' ? result.reason.code : 'created'))).toEqual([
      'P2002',
      'created',
      'P2002',
      'created',
    ]);
    await expect(createDocument({ storageId: 'none' })).rejects.toMatchObject({ code: 'P2003' });
    await expect(createDocument({ status: 'REJECTED' })).rejects.toThrow('documents_rejection_has_reason');
  });

  test('undoes a transaction that throws, in the database or outside', async () => {
    const ids = [randomUUID(), randomUUID()];
    const attempt = (fail: (tx: Prisma.TransactionClient) => Promise<unknown>, id = '') =>
      db.prisma.$transaction(async (tx) => {
        await tx.category.create({ data: { ...base, id, name: 'c' } });
        await fail(tx);
      });
    await expect(attempt(() => Promise.reject(new Error('changed my mind')), ids[0])).rejects.toThrow('changed my mind');
    await expect(attempt((tx) => tx.$queryRaw`SELECT 1 / 0`, ids[1])).rejects.toThrow('division by zero');
    expect(await db.prisma.category.count({ where: { tenantId, id: { in: ids } } })).toBe(0);
  });

  test('undoes a transaction that overstays, and frees its connection', async () => {
    const id = randomUUID();
    const late = db.prisma.$transaction(
      async (tx) => {
        await tx.category.create({ data: { ...base, id, name: 'c' } });
        await sleep(200);
        await tx.category.count();
      },
      { timeout: 50 },
    );
    await expect(late).rejects.toMatchObject({ code: 'P2028' });
    expect(await db.prisma.category.count({ where: { tenantId, id } })).toBe(0);
  });

  test('runs 50 transactions at once', async () => {
    const { id } = await createStorage();
    const where = { tenantId_id: { tenantId, id } };
    const increment = async (tx: Prisma.TransactionClient) => {
      await tx.$queryRaw`SELECT 1 FROM storages WHERE tenant_id = ${tenantId}::uuid AND id = ${id} FOR UPDATE`;
      const { version } = await tx.storage.findUniqueOrThrow({ where });
      await tx.storage.update({ where, data: { version: version + 1 } });
    };
    await Promise.all(Array.from({ length: 50 }, () => db.prisma.$transaction(increment)));
    expect((await db.prisma.storage.findUniqueOrThrow({ where })).version).toBe(51);
  });

  test('numbers and chains audit events, also under parallel writers', async () => {
    const subjects = [randomUUID(), randomUUID()];
    const writes = Array.from({ length: 20 }, (_, i) => db.prisma.auditEvent.create({ data: event(subjects[i % 2] ?? '') }));
    await Promise.all(writes);
    await db.prisma.auditEvent.createMany({ data: [event(subjects[0] ?? ''), event(subjects[0] ?? '')] });
    const { rows } = await db.pool.query(
      `SELECT subject_id, array_agg(seq ORDER BY seq) AS seqs, bool_and(hash = audit_event_hash(e::audit_events)) AS hashes,
              bool_and(prev_hash IS NOT DISTINCT FROM previous) AS links
         FROM (SELECT *, lag(hash) OVER (PARTITION BY subject_id ORDER BY seq) AS previous FROM audit_events) w
         JOIN LATERAL (SELECT a FROM audit_events a WHERE a.tenant_id = w.tenant_id AND a.id = w.id) x(e) ON true
        WHERE tenant_id = $1 GROUP BY subject_id ORDER BY count(*) DESC`,
      [tenantId],
    );
    const seqs = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
    expect(rows).toEqual([
      { subject_id: subjects[0], seqs: seqs(12), hashes: true, links: true },
      { subject_id: subjects[1], seqs: seqs(10), hashes: true, links: true },
    ]);
  });

  test('refuses to change audit events', async () => {
    const { id } = await db.prisma.auditEvent.create({ data: event(randomUUID()) });
    const where = { tenantId_id: { tenantId, id } };
    await expect(db.prisma.auditEvent.update({ where, data: { action: 'x' } })).rejects.toThrow('audit events are append-only');
    await expect(db.prisma.auditEvent.deleteMany()).rejects.toThrow('audit events are append-only');
    expect(await db.prisma.auditEvent.count({ where: { tenantId, id } })).toBe(1);
  });

  test('answers a ping', () => pingDatabase(db.pool));
});

test('the embedded database is locked while open, and nothing stays open when a later step fails', async () => {
  const { dir, remove } = await embeddedDir();
  onTestFinished(remove);
  const settings = { dataDir: dir, databaseUrl: null, databasePool: 1 };
  const { dir: broken, remove: removeBroken } = await scratchDir();
  onTestFinished(removeBroken);
  await mkdir(join(broken, '1_broken'), { recursive: true });
  await writeFile(join(broken, '1_broken', 'migration.sql'), 'SELECT nonsense');
  await expect(openDatabase(settings, log, broken)).rejects.toThrow('Migration 1_broken failed');
  expect(await readdir(settings.dataDir)).toEqual(['pg']);
  const db = await openDatabase(settings, log, migrationsDir);
  await expect(openDatabase(settings, log)).rejects.toThrow(`is in use by process ${process.pid}`);
  await Promise.all([db.close(), db.close()]);
  expect(await readdir(settings.dataDir)).toEqual(['pg']);
});

test('a database that cannot be reached fails the ping with what to do', async () => {
  const pool = openPool('postgresql://postgres@127.0.0.1:1/none', 1);
  await expect(pingDatabase(pool)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await pool.end();
});

describe.runIf(serverUrl)('the pool over a server', () => {
  test('survives the death of its idle connections, and is in UTC with each', async () => {
    const pool = openPool(serverUrl ?? '', 2);
    onTestFinished(() => pool.end());
    const self = 'SELECT pg_backend_pid() AS pid, current_setting($1) AS zone, current_setting($2) AS application';
    const ask = async () => (await pool.query(self, ['TimeZone', 'application_name'])).rows[0];
    const before = await ask();
    const other = openPool(serverUrl ?? '', 1);
    const died = new Promise((resolve) => pool.once('error', resolve));
    await other.query('SELECT pg_terminate_backend($1)', [before.pid]);
    await Promise.all([died, other.end()]);
    const after = await ask();
    expect(after).toMatchObject({ zone: 'UTC', application: 'docgate' });
    expect(after.pid).not.toBe(before.pid);
  });

  test('is not prepared for behind a pooler', async () => {
    const { url, remove } = await scratchDatabase();
    onTestFinished(remove);
    const db = await openDatabase({ dataDir: '/nonexistent', databaseUrl: `${url}?pgbouncer=true`, databasePool: 1 }, log);
    expect(db.prepares).toBe(false);
    expect(await db.prisma.document.count()).toBe(0);
    expect((await db.pool.query('SELECT count(*)::int FROM pg_prepared_statements')).rows).toEqual([{ count: 0 }]);
    await db.close();
  });
});
