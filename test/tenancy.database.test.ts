import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Prisma } from '../src/db/generated/client.js';
import { newId } from '../src/db/id.js';
import { TenantDb } from '../src/db/tenant.js';
import { useTenants } from './tenancy.world.js';

const { world, objectsOf, rowsOf, tenantTables, ours, theirs, their } = useTenants();

describe('the database', () => {
  test('has the tenant first in every key, and in every reference', async () => {
    const { rows } = await world().gateway.database.pool.query<{ name: string; type: string; first: string; referenced: string | null }>(`
      SELECT c.conname AS name, c.contype AS type, own.attname AS first, other.attname AS referenced FROM pg_constraint c
        JOIN pg_attribute own ON own.attrelid = c.conrelid AND own.attnum = c.conkey[1]
        LEFT JOIN pg_attribute other ON other.attrelid = c.confrelid AND other.attnum = c.confkey[1]
       WHERE c.connamespace = 'public'::regnamespace AND c.contype IN ('p', 'f') AND c.conrelid <> '_prisma_migrations'::regclass`);
    expect(rows.filter(({ type }) => type === 'p').length).toBe((await tenantTables()).length);
    expect(rows.filter(({ type }) => type === 'f').length).toBeGreaterThanOrEqual(6);
    expect(rows.filter(({ first, referenced }) => first !== 'tenant_id' || (referenced ?? 'tenant_id') !== 'tenant_id')).toEqual([]);
  });

  test('refuses every reference across tenants', async () => {
    const { pool } = world().gateway.database;
    const { rows } = await pool.query<{ name: string; table: string; column: string; target: string }>(`
      SELECT c.conname AS name, c.conrelid::regclass::text AS table, a.attname AS column, c.confrelid::regclass::text AS target
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[2]
       WHERE c.connamespace = 'public'::regnamespace AND c.contype = 'f'`);
    for (const { name, table, column, target } of rows) {
      const move = pool.query(
        `UPDATE ${table} SET "${column}" = (SELECT id FROM ${target} WHERE tenant_id = $2 LIMIT 1)
          WHERE (tenant_id, id) = (SELECT tenant_id, id FROM ${table} WHERE tenant_id = $1 LIMIT 1)`,
        [ours().tenantId, theirs().tenantId],
      );
      await expect(move, name).rejects.toMatchObject({ code: '23503', constraint: name });
    }
  });
});

describe("a tenant's database", () => {
  type Delegate = Record<string, (args: object) => Promise<unknown>>;
  const models = [
    ...(['storage', 'category', 'document', 'file', 'preview', 'rendition', 'share', 'shareAccess', 'auditEvent'] as const),
    ...(['storageMove', 'moveDocument', 'objectRemoval', 'stagedUpload'] as const),
  ];
  // Properties try what the types would refuse.
  const delegate = (model: (typeof models)[number]) =>
    new TenantDb(world().gateway.services.prisma, ours().tenantId, world().gateway.services.reader)[model] as unknown as Delegate;

  test('has these operations and no others', () => {
    const operations = ['count', 'create', 'deleteMany', 'findFirst', 'findMany', 'updateMany', 'updateManyAndReturn'];
    for (const model of models) expect(Object.keys(delegate(model)).sort()).toEqual(operations);
    const db = new TenantDb(world().gateway.services.prisma, ours().tenantId, world().gateway.services.reader);
    const visible = [...Object.getOwnPropertyNames(TenantDb.prototype), ...Object.keys(db)].filter((name) => name !== 'constructor');
    expect(visible.sort()).toEqual([...models, 'checked', 'execute', 'inTransaction', 'owns', 'query', 'tenantId', 'texts'].sort());
  });

  test("reads and changes nothing of another tenant's, whatever it is asked", async () => {
    const before = await rowsOf(theirs().tenantId);
    const tenant = fc.constantFrom<unknown>(
      theirs().tenantId,
      { equals: theirs().tenantId },
      { not: ours().tenantId },
      { in: [theirs().tenantId] },
      undefined,
    );
    const foreignIds = fc.constantFrom(...Object.values(their()).map(({ id }) => id));
    const condition = fc.record({ tenantId: tenant, id: fc.option(foreignIds, { nil: undefined }) });
    const where = fc.oneof(
      condition,
      fc.record({ OR: fc.array(condition, { minLength: 1, maxLength: 3 }) }),
      fc.record({ AND: fc.array(condition, { maxLength: 2 }), tenantId: tenant }),
      fc.record({ NOT: fc.record({ tenantId: fc.constant(ours().tenantId) }) }),
      fc.constant(undefined),
    );
    const reading = fc.constantFrom('findMany', 'findFirst', 'count');
    const writing = fc.constantFrom('updateMany', 'updateManyAndReturn');
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...models), reading, where, async (model, operation, condition) => {
        const found = await delegate(model)[operation]?.({ where: condition });
        const rows = (Array.isArray(found) ? found : [found]).filter((row) => row !== null && typeof row === 'object');
        expect(rows.every((row) => row.tenantId === ours().tenantId)).toBe(true);
        if (typeof found === 'number') expect(found).toBeLessThanOrEqual((await delegate(model).count?.({})) as number); // As `count` answers.
      }),
      { numRuns: 60 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('storage', 'category', 'document', 'file', 'share'),
        writing,
        where,
        async (model, operation, condition) => {
          await delegate(model)[operation]?.({ where: condition, data: { updatedAt: new Date() } });
          await delegate(model).deleteMany?.({ where: { ...condition, id: { in: Object.values(their()).map(({ id }) => id) } } });
        },
      ),
      { numRuns: 40 },
    );
    expect(await rowsOf(theirs().tenantId)).toBe(before);
  });

  test('moves nothing from one tenant to another, not through a relation either', async () => {
    const fresh = await objectsOf(theirs());
    const all = async () => [await rowsOf(theirs().tenantId), await rowsOf(ours().tenantId)];
    const before = await all();
    const base = { id: newId(), createdBy: ours().userId, createdAt: new Date(), updatedAt: new Date() };
    const key = (id: string) => ({ tenantId_id: { tenantId: theirs().tenantId, id } });
    const storage = { ...base, name: 'S', provider: 'LOCAL_FS', bucket: 'bbb', credentials: Buffer.alloc(1), credentialsMasked: {} };
    const attempts: [(typeof models)[number], string, object][] = [
      ['category', 'create', { data: { ...base, name: 'C', children: { connect: [key(fresh.category.id)] } } }],
      ['category', 'create', { data: { ...base, name: 'C', parent: { connect: key(fresh.category.id) } } }],
      ['storage', 'create', { data: { ...storage, documents: { connect: [key(fresh.trashed.id)] } } }],
      ['storage', 'create', { data: { ...storage, documents: { connectOrCreate: [{ where: key(fresh.trashed.id), create: {} }] } } }],
      ['category', 'updateMany', { data: { tenantId: theirs().tenantId } }],
      ['category', 'updateManyAndReturn', { where: {}, data: { tenantId: theirs().tenantId } }],
      ['document', 'findMany', { cursor: key(fresh.document.id) }],
      ['document', 'updateMany', { data: { storage: { connect: key(fresh.storage.id) } } }],
    ];
    for (const [model, operation, args] of attempts) {
      await expect(async () => delegate(model)[operation]?.(args), JSON.stringify(args)).rejects.toThrow();
    }
    expect(await all()).toEqual(before);
  });

  test('runs no statement that does not name it', async () => {
    const db = new TenantDb(world().gateway.services.prisma, ours().tenantId, world().gateway.services.reader);
    expect(() => db.query(Prisma.sql`SELECT 1`)).toThrow('without its tenant');
    expect(() => db.execute(Prisma.sql`DELETE FROM documents WHERE tenant_id = ${theirs().tenantId}::uuid`)).toThrow('without its tenant');
    expect(await db.query(Prisma.sql`SELECT ${ours().tenantId} AS tenant`)).toEqual([{ tenant: ours().tenantId }]);
    expect(() => world().context(null).db.query(Prisma.sql`SELECT 1`)).toThrow('credentials were not provided');
  });
});
