import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MAX_FILE_SIZE, useLimits } from './limits.world.js';
import { graphqlUpload, multipart, type Part } from './multipart.js';

const { world, post, admin, objects } = useLimits();

describe('an upload', () => {
  const mutation = `mutation ($id: ID!, $files: [Upload!]!) { uploadFiles(input: { documentId: $id, files: $files }) {
    __typename ... on Error { code message } ... on PayloadTooLargeError { limit } ... on UploadedFiles { files { name size } } } }`;
  const file = (name: string, size: number) => ({ name, body: Buffer.alloc(size, name) });

  const send = async (parts: Part[], actor = admin()) => {
    const { headers, payload } = multipart(parts);
    return post(payload, { ...headers, 'apollo-require-preflight': '1' }, actor);
  };
  const operations = (files: unknown[] = [null], query = mutation, id = objects().document.id) => ({
    field: 'operations',
    body: JSON.stringify({ query, variables: { id, files } }),
  });
  const map = (entries: object) => ({ field: 'map', body: JSON.stringify(entries) });
  const part = (field: string, size = 5) => ({ field, name: `${field}.txt`, body: Buffer.alloc(size, 'x') });

  /** Every row and object of the tenant; what is on its way out counts. */
  async function left() {
    const { pool } = world().gateway.database;
    const { rows } = await pool.query('SELECT id, state FROM files WHERE tenant_id = $1 ORDER BY id', [admin().tenantId]);
    const folder = join(world().gateway.settings.dataDir, 'blobs', admin().tenantId);
    const blobs = await readdir(folder, { recursive: true, withFileTypes: true });
    return {
      rows,
      blobs: blobs
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
        .sort(),
    };
  }

  async function leavesNothing(work: () => Promise<unknown>): Promise<void> {
    const before = await left();
    await work();
    await expect.poll(left, { timeout: 5000 }).toEqual(before);
  }

  test('of a file that is too large leaves nothing, neither of it nor of the others', async () => {
    await leavesNothing(async () => {
      const answer = await world().inject(
        admin(),
        graphqlUpload(mutation, { id: objects().document.id }, [file('a', 10), file('b', MAX_FILE_SIZE + 1), file('c', 10)]),
      );
      expect(answer.json().data.uploadFiles).toMatchObject({
        __typename: 'PayloadTooLargeError',
        code: 'PAYLOAD_TOO_LARGE',
        limit: MAX_FILE_SIZE,
      });
    });
    const exact = await world().inject(admin(), graphqlUpload(mutation, { id: objects().document.id }, [file('exact', MAX_FILE_SIZE)]));
    expect(exact.json().data.uploadFiles.files).toEqual([{ name: 'exact', size: MAX_FILE_SIZE }]);
  });

  test('of more than 20 files stores none', async () => {
    await leavesNothing(async () => {
      const many = Array.from({ length: 21 }, (_, index) => file(`f${index}`, 3));
      const response = await world().inject(admin(), graphqlUpload(mutation, { id: objects().document.id }, many));
      expect(response.statusCode).toBeLessThan(500);
      expect(response.body).toContain('PAYLOAD_TOO_LARGE');
    });
  });

  test('whose files come in another order than its variables stores each under its name', async () => {
    const response = await send([
      operations([null, null]),
      map({ 0: ['variables.files.1'], 1: ['variables.files.0'] }),
      part('0'),
      part('1', 7),
    ]);
    const { files } = response.json().data.uploadFiles;
    expect(files.toSorted((a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name))).toEqual([
      { name: '0.txt', size: 5 },
      { name: '1.txt', size: 7 },
    ]);
  });

  test.each<[string, () => Part[]]>([
    ['lacks a file', () => [operations([null, null]), map({ 0: ['variables.files.0'], 1: ['variables.files.1'] }), part('0')]],
    ['lacks the map', () => [operations(), part('0')]],
    ['lacks the operations', () => [map({ 0: ['variables.files.0'] }), part('0')]],
    ['is in the wrong order', () => [part('0'), map({ 0: ['variables.files.0'] }), operations()]],
    ['has a map that is no JSON', () => [operations(), { field: 'map', body: '{' }, part('0')]],
    ['has a map that is a list', () => [operations(), { field: 'map', body: '[]' }, part('0')]],
    ['has operations that are no JSON', () => [{ field: 'operations', body: '{' }, map({ 0: ['variables.files.0'] }), part('0')]],
    ['maps to what is not there', () => [operations(), map({ 0: ['variables.other.deep.path'] }), part('0')]],
    ['maps into a prototype', () => [operations(), map({ 0: ['__proto__.polluted'] }), part('0')]],
    ['maps into a constructor', () => [operations(), map({ 0: ['constructor.prototype.polluted'] }), part('0')]],
    ['maps into a prototype of its variables', () => [operations(), map({ 0: ['variables.__proto__.polluted'] }), part('0')]],
    ['has a null where the file should be', () => [operations(), map({}), part('0')]],
  ])('that %s is refused, stores nothing and pollutes nothing', async (_, parts) => {
    await leavesNothing(async () => {
      const response = await send(parts());
      expect(response.statusCode, response.body).toBeLessThan(500);
      expect(response.body).not.toContain('INTERNAL');
      expect(response.body).toMatch(/"errors"|"code"/);
    });
    expect('polluted' in {}).toBe(false);
  });

  test('that breaks off in a file leaves nothing', async () => {
    await leavesNothing(async () => {
      const { headers, payload } = multipart([operations(), map({ 0: ['variables.files.0'] }), part('0', 1000)]);
      const response = await post(payload.subarray(0, -500), { ...headers, 'apollo-require-preflight': '1' });
      expect(response.statusCode).toBeLessThan(500);
      expect(response.body).toContain('BAD_REQUEST');
    });
  });

  test.each(['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=other'])(
    'as %s is told to be wrong',
    async (type) => {
      const response = await post(multipart([operations()]).payload, { 'content-type': type, 'apollo-require-preflight': '1' });
      expect([response.statusCode, response.json().errors[0].extensions.code]).toEqual([400, 'BAD_REQUEST']);
    },
  );

  test('of one file for two variables stores it once, or not at all', async () => {
    const response = await send([operations([null, null]), map({ 0: ['variables.files.0', 'variables.files.1'] }), part('0')]);
    expect(response.statusCode).toBeLessThan(500);
    expect(response.body).not.toContain('INTERNAL');
    expect(response.json().data?.uploadFiles).not.toMatchObject({ __typename: 'UploadedFiles', files: [{ size: 5 }, { size: 0 }] });
  });

  test.each<[string, () => Part]>([
    ['is not valid', () => operations([null], 'mutation ($id: ID!, $files: [Upload!]!) { nonsense(id: $id, files: $files) }')],
    ['does not parse', () => operations([null], 'mutation {')],
    [
      'does not use its file',
      () => operations([null], 'query ($id: ID!, $files: [Upload!]) { document(id: $id) { id name } viewer { userId } }'),
    ],
    ['is for a document that is not there', () => operations([null], mutation, 'no-such-document')],
  ])('of 50 MB whose operation %s answers at once', async (_, first) => {
    await leavesNothing(async () => {
      const response = await send([
        first(),
        map({ 0: ['variables.files.0'] }),
        { field: '0', name: 'big.bin', body: Buffer.alloc(50 * 1024 * 1024) },
      ]);
      expect(response.statusCode).toBeLessThan(500);
      expect(response.body).not.toContain('INTERNAL');
    });
  });

  test('without the right to is refused', async () => {
    const viewer = world().actor('viewer', admin().tenantId);
    await leavesNothing(async () => {
      const response = await send([operations(), map({ 0: ['variables.files.0'] }), part('0')], viewer);
      expect(response.json().data.uploadFiles).toMatchObject({ __typename: 'ForbiddenError' });
    });
  });
});
