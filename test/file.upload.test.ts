import { buffer } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { nothing, useFiles } from './files.world.js';
import { graphqlUpload } from './multipart.js';

const { world, admin, newDocument, left, send } = useFiles();
const uploadMutation = `mutation ($id: ID!, $files: [Upload!]!) { uploadFiles(input: { documentId: $id, files: $files }) {
  __typename ... on Error { code message } ... on UploadedFiles { files { id size } } } }`;

describe('an upload', () => {
  test('that its client breaks off leaves nothing', async () => {
    const id = await newDocument();
    const { headers, payload } = graphqlUpload(uploadMutation, { id }, [
      { name: 'a.txt', body: 'whole' },
      { name: 'b.bin', body: Buffer.alloc(4 * 1024 * 1024) },
    ]);
    const broken = send('POST', '/graphql', { ...headers, 'content-length': payload.length }, (request) => {
      request.write(payload.subarray(0, 2 * 1024 * 1024));
      void expect
        .poll(async () => (await left()).rows.length)
        .toBe(2)
        .then(() => request.destroy(new Error('gone')));
    });
    await expect(broken).rejects.toThrow('gone');
    await expect.poll(() => left(), { timeout: 10_000 }).toEqual(nothing);
  });

  test.each([
    ['is not valid', uploadMutation.replace('uploadFiles', 'nonsense'), ''],
    ['is for a document that is not there', uploadMutation, 'no-such-document'],
  ])('of 50 MB whose operation %s is answered, and its client is not left hanging', async (_, query, id) => {
    const { headers, payload } = graphqlUpload(query, { id }, [{ name: 'big.bin', body: Buffer.alloc(50 * 1024 * 1024) }]);
    const sent = vi.fn();
    const response = await send('POST', '/graphql', { ...headers, 'content-length': payload.length }, (request) => {
      request.once('finish', sent);
      request.end(payload);
    });
    expect(JSON.parse(String(await buffer(response)))).toMatchObject(
      id ? { data: { uploadFiles: { __typename: 'NotFoundError' } } } : { errors: [{}] },
    );
    await expect.poll(() => sent.mock.calls.length, { timeout: 10_000 }).toBe(1);
    expect(await left()).toEqual(nothing);
  });

  test('whose store fails leaves nothing, and says so without saying where', async () => {
    const id = await newDocument();
    const { services } = world().gateway;
    const { open } = services.blobs;
    services.blobs.open = async (address) => ({
      ...(await open(address)),
      put: () => Promise.reject(Object.assign(new Error('/secret/path'), { code: 'EIO' })),
    });
    onTestFinished(() => {
      services.blobs.open = open;
    });
    const answer = await world().inject(admin(), graphqlUpload(uploadMutation, { id }, [{ name: 'a.txt', body: 'x' }]));
    expect(answer.body).toContain('"code":"');
    expect(answer.body).not.toContain('/secret');
    await expect.poll(() => left()).toEqual(nothing);
  });
});
