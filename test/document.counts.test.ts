import { beforeAll, describe, expect, test } from 'vitest';
import { compactDocumentCounts } from '../src/document/document.sweeper.js';
import { type Actor, statementsOf, useWorld } from './world.js';

/** Every kind of filter that the counter answers, as the condition that counts the rows themselves. */
const filters: [filter: object, condition: string][] = [
  [{}, 'deleted_at IS NULL'],
  [{ deleted: true }, 'deleted_at IS NOT NULL'],
  [{ status: ['APPROVED'] }, `deleted_at IS NULL AND status = 'APPROVED'`],
  [{ status: ['APPROVED', 'REJECTED'] }, `deleted_at IS NULL AND status IN ('APPROVED', 'REJECTED')`],
  [{ categoryId: 'CATEGORY-ROOT' }, `deleted_at IS NULL AND category_id = 'CATEGORY-ROOT'`],
  [{ categoryId: 'CATEGORY-ROOT', includeDescendants: true }, `deleted_at IS NULL AND category_id IN ('CATEGORY-ROOT', 'CATEGORY-LEAF')`],
  [
    { categoryId: 'CATEGORY-LEAF', status: ['PENDING'], storageId: 'STORAGE-ONE' },
    `deleted_at IS NULL AND category_id = 'CATEGORY-LEAF' AND status = 'PENDING'`,
  ],
  [{ tagsAll: ['kyc'] }, `deleted_at IS NULL AND 'kyc' = ANY(tags)`],
  [{ tagsAny: ['signed'] }, `deleted_at IS NULL AND 'signed' = ANY(tags)`],
  [{ tagsAll: ['no such'] }, 'false'],
  [
    { tagsAll: ['kyc'], status: ['APPROVED'], categoryId: 'CATEGORY-LEAF', deleted: true },
    `deleted_at IS NOT NULL AND 'kyc' = ANY(tags) AND status = 'APPROVED' AND category_id = 'CATEGORY-LEAF'`,
  ],
];
const counted = 'query ($filter: DocumentFilter) { documents(first: 0, filter: $filter) { totalCount } }';

describe.each([
  ['planned', true],
  ['with PLAN=off', false],
])('how many documents there are, %s', (_, planned) => {
  const world = useWorld({ PLAN: String(planned) });
  let admin: Actor;
  const sql = (text: string) => world().gateway.database.pool.query(text.replaceAll(':tenant', `'${admin.tenantId}'`));
  const insert = (from: number, to: number) =>
    sql(`INSERT INTO documents (tenant_id, id, created_by, created_at, updated_at, name, category_id, storage_id, tags)
         SELECT :tenant, 'D' || n, :tenant, now(), now(), 'D', (ARRAY['CATEGORY-ROOT', 'CATEGORY-LEAF', NULL])[1 + n % 3], 'STORAGE-ONE', (ARRAY['{kyc}', '{signed,kyc,kyc}', '{}', NULL])[1 + n % 4]::text[]
           FROM generate_series(${from}, ${to}) AS n`);

  beforeAll(async () => {
    admin = world().actor('admin');
    await sql(`INSERT INTO storages (tenant_id, id, created_by, created_at, updated_at, name, provider, bucket, credentials, credentials_masked, is_default)
               VALUES (:tenant, 'STORAGE-ONE', :tenant, now(), now(), 'S', 'LOCAL_FS', 'default', '', '{}', true)`);
    for (const [id, parent] of [
      ['CATEGORY-ROOT', 'NULL'],
      ['CATEGORY-LEAF', `'CATEGORY-ROOT'`],
    ])
      await sql(
        `INSERT INTO categories (tenant_id, id, created_by, created_at, updated_at, name, parent_id) VALUES (:tenant, '${id}', :tenant, now(), now(), 'C', ${parent})`,
      );
  });

  /** What the counter says, against the rows. */
  async function expectExact(): Promise<void> {
    for (const [filter, condition] of filters) {
      const { result, statements } = await statementsOf(() => world().graphql(admin, counted, { filter }));
      const { rows } = await sql(`SELECT count(*)::int AS count FROM documents WHERE tenant_id = :tenant AND ${condition}`);
      expect({ filter, count: result.data?.documents.totalCount }).toEqual({ filter, count: rows[0].count });
      expect(statements.join()).toMatch(/sum\(d\.delta\)/);
      expect(statements.join()).not.toMatch(/count\(\*\)/);
    }
    const { data } = await world().graphql(admin, '{ tags { name count } }');
    const { rows } = await sql(
      `SELECT tag AS name, count(DISTINCT id)::int AS count FROM documents, unnest(tags) AS tag WHERE tenant_id = :tenant AND deleted_at IS NULL GROUP BY 1 ORDER BY 1`,
    );
    expect(data.tags).toEqual(rows);
  }

  test('is exact through whatever changes it, and costs no look at the documents', async () => {
    await expectExact();
    await insert(1, 30);
    await expectExact();
    await sql(`UPDATE documents SET status = 'APPROVED' WHERE tenant_id = :tenant AND substr(id, 2)::int <= 10`);
    await sql(
      `UPDATE documents SET status = 'REJECTED', rejection_reason = 'Blurred' WHERE tenant_id = :tenant AND substr(id, 2)::int BETWEEN 8 AND 14`,
    );
    await sql(`UPDATE documents SET name = 'E' WHERE tenant_id = :tenant`);
    await sql(`UPDATE documents SET tags = '{signed,year-2026}' WHERE tenant_id = :tenant AND substr(id, 2)::int BETWEEN 3 AND 9`);
    await expectExact();
    await sql(`UPDATE documents SET deleted_at = now() WHERE tenant_id = :tenant AND substr(id, 2)::int % 4 = 0`);
    await expectExact();
    await compactDocumentCounts(world().context(null));
    await expectExact();
    await sql(`UPDATE documents SET deleted_at = NULL WHERE tenant_id = :tenant AND substr(id, 2)::int % 8 = 0`);
    await sql(`UPDATE documents SET category_id = 'CATEGORY-LEAF' WHERE tenant_id = :tenant AND category_id IS NULL`);
    await expectExact();
    await sql(`DELETE FROM documents WHERE tenant_id = :tenant AND deleted_at IS NOT NULL`);
    await expectExact();
  });

  test('is exact after many writers at once, with the sweeper adding up between them; what is rolled back never counted', async () => {
    const { pool } = world().gateway.database;
    const writer = async (n: number) => {
      const base = 1000 * n;
      await insert(base, base + 20);
      await sql(`UPDATE documents SET status = 'APPROVED' WHERE tenant_id = :tenant AND id = ANY('{D${base},D${base + 1},D${base + 2}}')`);
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query(`DELETE FROM documents WHERE tenant_id = '${admin.tenantId}' AND id = 'D${base + 5}'`);
      await client.query('ROLLBACK');
      client.release();
      await compactDocumentCounts(world().context(null));
      await sql(`UPDATE documents SET deleted_at = now() WHERE tenant_id = :tenant AND id = 'D${base + 3}'`);
    };
    await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(writer));
    await expectExact();
    await compactDocumentCounts(world().context(null));
    await expectExact();
    const { rows } = await sql(`SELECT count(*)::int AS count FROM document_counts WHERE tenant_id = :tenant`);
    expect(rows[0].count).toBeLessThanOrEqual(12);
  });

  test('is of one tenant', async () => {
    const other = world().actor('admin');
    expect((await world().graphql(other, counted)).data).toEqual({ documents: { totalCount: 0 } });
  });

  test.each([
    [{ search: 'E' }],
    [{ tagsAll: ['kyc', 'signed'] }],
    [{ tagsAny: ['kyc', 'signed'] }],
    [{ tagsAll: ['kyc'], tagsAny: ['signed'] }],
    [{ createdAt: { from: '2000-01-01T00:00:00.000Z' } }],
  ])('%j is counted by the rows themselves', async (filter) => {
    const { statements } = await statementsOf(() => world().graphql(admin, counted, { filter }));
    expect(statements.join()).not.toMatch(/document_(tag_)?counts/);
  });
});
