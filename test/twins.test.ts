import { expect, test } from 'vitest';
import { schema } from '../src/graphql/schema.js';
import { useWorld } from './world.js';

const world = useWorld();

const moves = { reason: 'The documented API keeps a document where it was created: it knows no move between storages.' };

/** Every mutation, and the operations that do the same; or the reason why the other door has none. */
const mutations: Record<string, string[] | { reason: string }> = {
  createStorage: ['createStorage'],
  updateStorage: ['updateStorage'],
  testCredential: ['testCredential', 'testCredentialUnderscore'],
  createCategory: ['createCategory'],
  updateCategory: ['updateCategory'],
  createDocument: ['createDocument'],
  updateDocument: ['updateDocument'],
  deleteDocument: ['deleteDocument'],
  restoreDocument: { reason: 'The documented API has no trash: what it deletes is gone for its clients.' },
  approve: ['approveDocument'],
  reject: ['rejectDocument'],
  inactivate: ['inactivateDocument'],
  reactivate: { reason: 'The contract says: "Reactivation exists in GraphQL only".' },
  shareDocument: ['shareDocument'],
  updateShare: ['updateShare'],
  revokeShare: ['deleteShare'],
  moveStorage: moves,
  cancelStorageMove: moves,
  retryStorageMove: moves,
  uploadFiles: ['uploadFiles'],
  deleteFile: ['deleteFile'],
  createUpload: ['createUpload'],
  signUploadParts: ['signUploadParts'],
  completeUpload: ['completeUpload'],
  abortUpload: ['abortUpload'],
};

/** What REST reads, and the queries that show the same; the bytes of a file are at `File.downloadUrl`. */
const readings: Record<string, string> = {
  listStorages: 'storages',
  getStorage: 'storage',
  listCategories: 'categories',
  getCategory: 'category',
  listDocuments: 'documents',
  getDocument: 'document',
  listTags: 'tags',
  downloadFiles: 'document',
  downloadFile: 'node',
  listShares: 'shares',
  getShare: 'share',
  listShareAccesses: 'share',
  previewShare: 'sharePreview',
  previewShareByQuery: 'sharePreview',
  getUpload: 'upload',
};

/** What REST takes as a form beside JSON, and how GraphQL does the same. */
const forms: Record<string, string> = {
  createDocument: 'The contract asks for it: "JSON, or multipart". GraphQL has `createDocument`, then `uploadFiles`: two acts, each whole.',
};

const twins = Object.values(mutations).flatMap((twin) => (Array.isArray(twin) ? twin : []));
const fieldsOf = (type: ReturnType<typeof schema.getQueryType>) => Object.keys(type?.getFields() ?? {});

interface Operation {
  operationId: string;
  requestBody?: { content: object };
}

async function operations(): Promise<Operation[]> {
  const { paths } = (await world().inject(null, { url: '/openapi.json' })).json<{ paths: Record<string, Record<string, Operation>> }>();
  return Object.values(paths).flatMap((path) => Object.values(path));
}

test('every mutation has a twin over REST, or a reason', () => {
  expect(Object.keys(mutations).sort()).toEqual(fieldsOf(schema.getMutationType()).sort());
});

test('every operation of REST has a twin in GraphQL, and every twin exists', async () => {
  expect([...twins, ...Object.keys(readings)].sort()).toEqual((await operations()).map(({ operationId }) => operationId).sort());
  for (const query of Object.values(readings)) expect(fieldsOf(schema.getQueryType())).toContain(query);
});

test('every operation with a form beside JSON has a reason why its mutation has none', async () => {
  const both = (await operations()).filter(({ requestBody }) => Object.keys(requestBody?.content ?? {}).length > 1);
  expect(both.map(({ operationId }) => operationId)).toEqual(Object.keys(forms));
});
