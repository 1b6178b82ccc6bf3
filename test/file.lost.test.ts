import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { StorageError, type StorageFailure } from '../src/errors.js';
import { multipart } from './multipart.js';
import { pdfOf } from './pdfs.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld({ LOG_LEVEL: 'error' });
let admin: Actor;
let document: string;
let file: string;

beforeEach(async () => {
  admin = world().actor('admin');
  const form = multipart([
    { field: 'name', body: 'Passport' },
    { field: 'files', name: 'a.pdf', body: pdfOf() },
  ]);
  const made = (await world().inject(admin, { method: 'POST', url: '/documents/', ...form })).json();
  document = made.id;
  file = made.files[0].id;
});

/** Takes the object from under the file. */
async function lose(): Promise<void> {
  const { blobs, prisma } = world().gateway.services;
  const storage = await prisma.storage.findFirstOrThrow({ where: { tenantId: admin.tenantId } });
  const { objectKey } = await prisma.file.findFirstOrThrow({ where: { id: file } });
  await (await blobs.open({ ...storage, credentials: {} })).delete(objectKey);
}

/** Lets the storage answer every read so, until the test ends. */
function refuse(reason: StorageFailure): void {
  const { services } = world().gateway;
  const { blobs } = services;
  onTestFinished(() => void Object.assign(services, { blobs }));
  const get = () => Promise.reject(new StorageError(reason, 'the words of the storage'));
  services.blobs = { ...blobs, open: async (address) => ({ ...(await blobs.open(address)), get }) };
}

const linkOf = async (): Promise<string> =>
  (await world().graphql(admin, `{ node(id: "${file}") { ... on File { downloadUrl } } }`)).data.node.downloadUrl;
const shareOf = async (): Promise<string> => {
  const payload = { expires_at: new Date(Date.now() + 3_600_000) };
  return (await world().inject(admin, { method: 'POST', url: `/documents/${document}/shares/`, payload })).json().token;
};

const places: [string, () => string | Promise<string>][] = [
  ['GET /documents/{id}/files/', () => `/documents/${document}/files/`],
  ['GET /documents/{id}/files/{file_id}/', () => `/documents/${document}/files/${file}/`],
  ['GET /files/{id}', () => `/files/${file}`],
  ['the link of File.downloadUrl', async () => (await linkOf()).replace(/^https?:\/\/[^/]+/, '')],
  ['a share', async () => `/s/${await shareOf()}/files/${file}`],
  ['a preview', () => `/files/${file}/preview`],
];

describe('a file whose object is missing is our fault, not its reader’s', () => {
  test.each(places)('%s', async (_, url) => {
    const path = await url();
    await lose();
    const answer = await world().inject(admin, { url: path });
    expect([answer.statusCode, answer.json()]).toEqual([500, { detail: expect.stringMatching(/bytes of this file .* lost/) }]);
    for (const header of ['etag', 'content-disposition', 'last-modified', 'accept-ranges'])
      expect(answer.headers).not.toHaveProperty(header);
    expect(world().logs.join('')).toContain(file);
  });

  test('GraphQL', async () => {
    await lose();
    const { data, errors } = await world().graphql(admin, `{ node(id: "${file}") { ... on File { pageCount } } }`);
    expect(data.node).toEqual({ pageCount: null });
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringMatching(/lost/), extensions: { code: 'INTERNAL' } })]);
  });
});

test.each<[StorageFailure, number]>([
  ['FORBIDDEN', 503],
  ['UNAUTHENTICATED', 503],
  ['NO_BUCKET', 503],
  ['MISCONFIGURED', 503],
  ['UNREACHABLE', 503],
])('a storage that answers %s to a reader: %s', async (reason, status) => {
  refuse(reason);
  const answer = await world().inject(admin, { url: `/files/${file}` });
  expect([answer.statusCode, answer.headers['retry-after']]).toEqual([status, '5']);
});
