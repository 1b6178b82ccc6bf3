import { beforeAll, describe, expect, test } from 'vitest';
import { createCategory } from '../src/category/category.service.js';
import { createDocument } from '../src/document/document.service.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { shareDocument } from '../src/share/share.service.js';
import { createStorage } from '../src/storage/storage.service.js';
import { incoming } from './objects.js';
import { type Actor, statementsOf, useWorld } from './world.js';

/** How many statements REST takes: as many for 20 rows as for 1. */
const world = useWorld();
const ROWS = 20;
let admin: Actor;
let documentId = '';
let shareId = '';

beforeAll(async () => {
  admin = world().actor('admin');
  const context = () => world().context(admin);
  const category = await createCategory(context(), { name: 'KYC' });
  for (let index = 0; index < ROWS; index++) {
    const bucket = `bucket-${index}`;
    await createStorage(context(), { name: bucket, provider: 'LOCAL_FS', bucket, credentials: {} });
    await createCategory(context(), { name: `Category ${index}` });
    const { id } = await createDocument(context(), { name: `Document ${index}`, categoryId: category.id, tags: [`tag-${index}`] });
    if (index < 2) await uploadFiles(context(), id, incoming({ name: 'a.txt', bytes: 'a' }, { name: 'b.txt', bytes: 'b' }));
    documentId ||= id;
  }
  const expiresAt = new Date(Date.now() + 86_400_000);
  for (let index = 0; index < ROWS; index++) {
    const share = await shareDocument(context(), documentId, { expiresAt });
    shareId ||= share.id;
  }
});

const read = async (url: string) => {
  const { result, statements } = await statementsOf(() => world().inject(admin, { url }));
  expect(result.statusCode, result.body).toBe(200);
  return { body: result.json(), statements };
};

describe('a list takes one statement for its page and one for `count`', () => {
  test.each<[string, () => string, number, string]>([
    ['storages', () => '/storages/?', 3, 'and one that there is a default storage'],
    ['categories', () => '/categories/?', 2, 'and no more'],
    ['documents', () => '/documents/?', 3, 'and one for their files'],
    ['documents with references', () => '/documents/?expand=category,storage&', 5, 'and one each for files, categories and storages'],
    ['documents of a search', () => '/documents/?search=Doc&status=pending&tags=tag-0&', 3, 'and one for their files'],
    ['shares', () => `/documents/${documentId}/shares/?`, 3, 'and one that the document is there'],
    ['accesses of a share', () => `/documents/${documentId}/shares/${shareId}/accesses/?`, 3, 'and one that the share is there'],
  ])('%s: %s', async (_, url, most) => {
    const one = await read(`${url()}page_size=1`);
    const many = await read(`${url()}page_size=${ROWS}`);
    expect(many.statements.filter((text) => /\b(count|sum)\(/i.test(text))).toHaveLength(1);
    expect(many.statements.length, many.statements.join('\n')).toBeLessThanOrEqual(most);
    expect(many.statements).toHaveLength(one.statements.length);
    expect(many.body.results.length).toBe(Math.min(ROWS, many.body.count));
  });
});

/** What REST's answer says of a document. */
const query = `query ($id: ID!) { document(id: $id) { id createdBy updatedBy createdAt updatedAt version name description categoryId storageId
  tags metadata status rejectionReason reviewedBy reviewedAt files { id name contentType size sha256 createdAt createdBy } } }`;

test('one document, with its files, takes no more statements than over GraphQL', async () => {
  const rest = await read(`/documents/${documentId}/`);
  const graphql = await statementsOf(() => world().graphql(admin, query, { id: documentId }));
  expect(graphql.result.data.document).toMatchObject({ id: documentId, files: [{ name: 'a.txt' }, { name: 'b.txt' }] });
  expect(rest.body).toMatchObject({ id: documentId, files: [{ name: 'a.txt' }, { name: 'b.txt' }] });
  expect(rest.statements).toHaveLength(graphql.statements.length);
  expect(rest.statements).toHaveLength(1);
});

test('everything else that is read takes a fixed number', async () => {
  const { body } = await read('/documents/?page_size=1&ordering=created_at');
  const [{ storage, category }] = body.results;
  const counts = [
    ['/documents/tags/', 1],
    [`/storages/${storage}/`, 1],
    [`/categories/${category}/`, 1],
    [`/documents/${documentId}/?expand=category,storage`, 3],
    [`/documents/${documentId}/shares/${shareId}/`, 1],
  ] as const;
  for (const [url, count] of counts) expect((await read(url)).statements, url).toHaveLength(count);
});
