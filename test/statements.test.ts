import { beforeAll, describe, expect, test } from 'vitest';
import { type Actor, statementsOf, useWorld } from './world.js';

/** What clients do all the time, with the number of statements that each may take at most. `$first` is the size of the page. */
const operations = {
  list: {
    most: 3,
    query: `query ($first: Int!) { documents(first: $first) { nodes { id name status createdAt category { name } files { id name size } }
      pageInfo { hasNextPage endCursor } } }`,
  },
  document: {
    most: 5,
    query: `query ($id: ID!, $first: Int!) { document(id: $id) { id name tags category { id name } storage { id name } files { id name }
      shares(first: $first) { nodes { id label expiresAt } } } }`,
  },
  filter: {
    most: 1,
    query: `query ($first: Int!) { documents(first: $first, filter: { status: [PENDING], tagsAll: ["kyc"] }) { nodes { id name tags }
      pageInfo { hasNextPage endCursor } } }`,
  },
  nested: {
    most: 3,
    query: `query ($first: Int!) { categories(first: 5, filter: { parentId: null }) { nodes { id name documents(first: $first) {
      nodes { id name createdAt files { id name size } } } } } }`,
  },
} as const;

const share = `mutation ($id: ID!, $expiresAt: DateTime!) { shareDocument(input: { documentId: $id, expiresAt: $expiresAt }) { ... on Share { id } } }`;

/** Planned, each takes one statement; field by field, no more than it says. */
describe.each([
  ['planned', true],
  ['with PLAN=off', false],
])('statements of an operation, %s', (_, planned) => {
  const world = useWorld({ PLAN: String(planned) });
  let admin: Actor;
  let id: string;

  beforeAll(async () => {
    admin = world().actor('admin');
    id = await hundredDocuments(admin);
  });

  test.each(Object.entries(operations))('%s: no more than asked, and as many for 100 rows as for 1', async (_name, { query, most }) => {
    const count = async (first: number) => {
      const { result, statements } = await statementsOf(() => world().graphql(admin, query, { id, first }));
      expect(result.errors).toBeUndefined();
      return statements.length;
    };
    expect(await count(100)).toBeLessThanOrEqual(planned ? 1 : most);
    expect(await count(1)).toBe(await count(100));
    // The sizes between are fetched as these are.
    expect(await count(37)).toBe(await count(100));
  });

  test('a new share takes 3 and the frame of its transaction', async () => {
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    const { result, statements } = await statementsOf(() => world().graphql(admin, share, { id, expiresAt }));
    expect(result.data.shareDocument.id).toBeDefined();
    expect(statements).toHaveLength(3);
  });

  test('a download takes 1 once its storage is open, and sees a change of it', async () => {
    const stored = await world().upload(admin, id, [{ name: 'a.txt', body: 'the bytes' }]);
    const [file] = stored.__typename === 'UploadedFiles' ? stored.files : [];
    const download = () => statementsOf(() => world().inject(admin, { url: `/files/${file?.id}` }));
    await download();
    const { result, statements } = await download();
    expect(result.body).toBe('the bytes');
    expect(statements).toHaveLength(1);
    await world().gateway.database.pool.query('UPDATE storages SET version = version + 1 WHERE tenant_id = $1', [admin.tenantId]);
    expect((await download()).statements).toHaveLength(2);
    expect((await download()).statements).toHaveLength(1);
  });

  /** `read` is what the statements have to read of files. */
  test.each([
    { title: 'fields', below: '{ id name }', read: false },
    { title: 'a field in a fragment', below: '{ id ...F } ', read: true },
    { title: 'a field in a fragment of an interface', below: '{ id ... on Node { id ... on File { sha256 } } }', read: true },
    { title: 'a field of another selection of the same files', below: '{ id } again: name files { sha256 }', read: true },
    { title: 'a field that a directive leaves in', below: '{ id sha256 @include(if: true) }', read: true },
  ])('a column is read when it is selected: $title', async ({ below, read }) => {
    const fragment = below.includes('...F') ? 'fragment F on File { sha256 }' : '';
    const query = `{ documents(first: 2) { nodes { id files ${below} } } } ${fragment}`;
    const { result, statements } = await statementsOf(() => world().graphql(admin, query));
    expect(result.errors).toBeUndefined();
    expect(JSON.stringify(result.data).includes('"sha256":"0000')).toBe(read);
    // A plan names the columns of its tables; what it writes out are the columns that are selected.
    if (!planned) expect(statements.some((text) => text.includes('f.sha256'))).toBe(read);
  });

  /** In one category, each with three files; the first has 100 shares. @returns the id of the first */
  async function hundredDocuments(actor: Actor): Promise<string> {
    const category = await world().graphql(actor, 'mutation { createCategory(input: { name: "KYC" }) { ... on Category { id } } }');
    const created = await world().graphql(
      actor,
      'mutation ($category: ID!) { createDocument(input: { name: "D", categoryId: $category, tags: ["kyc"] }) { ... on Document { id } } }',
      { category: category.data.createCategory.id },
    );
    const first = created.data.createDocument.id;
    const { pool } = world().gateway.database;
    await pool.query(
      `INSERT INTO documents (tenant_id, id, created_by, created_at, updated_at, name, category_id, storage_id, tags)
       SELECT tenant_id, id || n, created_by, created_at, updated_at, name || n, category_id, storage_id, tags
         FROM documents, generate_series(1, 99) AS n WHERE id = $1`,
      [first],
    );
    await pool.query(
      `INSERT INTO files (tenant_id, id, created_by, created_at, updated_at, document_id, storage_id, name, declared_type, sha256, state, object_key)
       SELECT tenant_id, id || '-' || k, created_by, created_at, updated_at, id, storage_id, 'page ' || k, 'application/pdf', repeat('0', 64), 'READY', id
         FROM documents, generate_series(1, 3) AS k WHERE id LIKE $1 || '%'`,
      [first],
    );
    await pool.query(
      `INSERT INTO shares (tenant_id, id, created_by, created_at, updated_at, document_id, token_hash, token, expires_at)
       SELECT tenant_id, 'share-' || k, created_by, created_at, updated_at, id, sha256(k::text::bytea), '', '2100-01-01'
         FROM documents, generate_series(1, 100) AS k WHERE id = $1`,
      [first],
    );
    return first;
  }
});
