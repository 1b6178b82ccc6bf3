import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { InjectOptions } from 'fastify';
import { getIntrospectionQuery } from 'graphql';
import { beforeAll, describe, expect, test } from 'vitest';
import { secretKeys } from '../src/blob/credentials.js';
import { sweepFiles } from '../src/file/file.sweeper.js';
import { runMoves } from '../src/move/move.runner.js';
import { type Canary, leaks, rowsOf, type Told } from './canaries.js';
import { graphqlUpload } from './multipart.js';
import { makeBucket, makeUserWith, radosgw, storageRights } from './radosgw.js';
import { remoteHosts, useRemoteStores } from './remote.stores.js';
import { type Actor, useWorld } from './world.js';

// The main job on stores that know the credentials: whatever is said while all goes well, the secrets are the canaries.

const stores = useRemoteStores();
const world = useWorld({ LOG_LEVEL: 'trace', STORAGE_HOSTS: remoteHosts, RETENTION_DAYS: '0' });

interface Place {
  provider: keyof typeof secretKeys;
  bucket: string;
  credentials: Record<string, string>;
}

const places: [name: string, open: () => Promise<Place>][] = [
  [
    'Azure',
    async () => ({
      provider: 'AZURE_BLOB',
      bucket: await stores().azurite.makeContainer(),
      credentials: { ...stores().azurite.credentials },
    }),
  ],
  [
    'Google, by a double',
    async () => ({ provider: 'GCP_STORAGE', bucket: stores().gcs.makeBucket(), credentials: { ...stores().gcs.credentials } }),
  ],
];
if (radosgw) {
  places.push([
    'S3',
    async () => {
      const bucket = await makeBucket();
      return { provider: 'AWS_S3', bucket, credentials: { ...(await makeUserWith(storageRights, bucket)) } };
    },
  ]);
}

/** The secrets of a configuration; of a key in PEM, a line in its middle, which does not depend on how line ends are written. */
const canariesOf = ({ provider, credentials }: Place): Canary[] =>
  secretKeys[provider].flatMap((what) => {
    const text = credentials[what];
    return text === undefined ? [] : [{ what, text: text.split('\n')[5] ?? text }];
  });

const bytes = Buffer.from(`%PDF-1.4\n${'the bytes of a passport '.repeat(100)}%%EOF`);

describe.each(places)('the main job on %s', (_, open) => {
  const answers: Told[] = [];
  let canaries: Canary[];
  let place: Place;
  let admin: Actor;

  async function ask(name: string, options: InjectOptions, actor: Actor | null = admin) {
    const answer = await world().inject(actor, options);
    answers.push({ name, text: `${answer.statusCode} ${JSON.stringify(answer.headers)} ${answer.body}` });
    return answer;
  }
  const graphql = async (name: string, query: string, variables?: object, actor: Actor | null = admin) =>
    (await ask(name, { method: 'POST', url: '/graphql', payload: { query, variables } }, actor)).json().data;
  const mutation = (name: string, field: string, input: object, selection: string) => {
    const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
    const query = `mutation ($input: ${type}!) { ${field}(input: $input) { __typename ${selection} ... on Error { code message } } }`;
    return graphql(name, query, { input }).then((data) => data[field]);
  };
  const checks = '... on CredentialTest { success checks { name ok detail } }';

  async function configure(): Promise<string> {
    expect(await mutation('a test before it is saved', 'testCredential', place, checks)).toMatchObject({ success: true });
    const nowhere = { ...place, bucket: `${place.bucket}-not-there` };
    expect(await mutation('a test of a bucket that is not there', 'testCredential', nowhere, checks)).toMatchObject({ success: false });
    const created = await mutation('creation', 'createStorage', { ...place, name: 'Files' }, '... on Storage { id credentials }');
    const masked = Object.fromEntries(Object.keys(place.credentials).map((key) => [key, created.credentials[key]]));
    await mutation('a change with the mask', 'updateStorage', { id: created.id, credentials: masked }, '... on Storage { credentials }');
    const wire = { ...place, provider: place.provider.toLowerCase(), name: 'Files again' };
    const key = { 'idempotency-key': randomUUID() };
    for (const name of ['creation over REST', 'the same again'])
      expect((await ask(name, { method: 'POST', url: '/storages/', payload: wire, headers: key })).statusCode).toBe(201);
    expect((await ask('a test over REST', { url: `/storages/${created.id}/test-credential/` })).json()).toMatchObject({ success: true });
    return created.id;
  }

  async function fileIn(storageId: string): Promise<{ id: string; fileIds: string[] }> {
    const { id } = await mutation('a document', 'createDocument', { name: 'Passport', storageId }, '... on Document { id }');
    const upload = `mutation ($id: ID!, $files: [Upload!]!) { uploadFiles(input: { documentId: $id, files: $files }) {
      __typename ... on UploadedFiles { files { id downloadUrl } } ... on Error { code message } } }`;
    const uploaded = await ask('an upload', graphqlUpload(upload, { id }, [{ name: 'a.pdf', body: bytes }]));
    const [whole] = uploaded.json().data.uploadFiles.files;
    const input = { documentId: id, name: 'b.pdf', size: bytes.length };
    const requests = '... on StagedUpload { id requests { method url headers { name value } } }';
    const staged = await mutation('an upload in parts', 'createUpload', input, requests);
    for (const { method, url, headers } of staged.requests) {
      const given = headers.map(({ name, value }: { name: string; value: string }) => [name, value]);
      expect((await fetch(url, { method, headers: Object.fromEntries(given), body: new Uint8Array(bytes) })).ok).toBe(true);
    }
    const completed = await mutation('its completion', 'completeUpload', { uploadId: staged.id }, '... on File { id }');
    return { id, fileIds: [whole.id, completed.id] };
  }

  async function review(id: string, fileId: string): Promise<void> {
    expect(await mutation('approval', 'approve', { id }, '... on Document { status }')).toMatchObject({ status: 'APPROVED' });
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    const { token } = await mutation('a share', 'shareDocument', { documentId: id, expiresAt }, '... on Share { token }');
    await ask('the share', { url: `/s/${token}`, headers: { accept: 'text/html' } }, null);
    await ask('its zip', { url: `/s/${token}/files.zip` }, null);
    expect((await ask('a download by the share', { url: `/s/${token}/files/${fileId}` }, null)).statusCode).toBe(200);
    world().gateway.services.redirectDownloads = true;
    expect((await ask('a download that is sent to the bucket', { url: `/files/${fileId}` })).statusCode).toBe(302);
    world().gateway.services.redirectDownloads = false;
    expect((await ask('a download', { url: `/files/${fileId}` })).rawPayload.equals(bytes)).toBe(true);
    await ask('a preview', { url: `/files/${fileId}/preview` });
  }

  async function leave(storageId: string, id: string, [first, second]: string[]): Promise<void> {
    const input = { name: 'Elsewhere', provider: 'LOCAL_FS', bucket: `e${randomUUID()}`, credentials: {} };
    const elsewhere = await mutation('another storage', 'createStorage', input, '... on Storage { id }');
    await mutation('a move', 'moveStorage', { documentIds: [id], toStorageId: elsewhere.id }, '... on StorageMove { id }');
    await runMoves(world().context(null));
    await mutation('a move back', 'moveStorage', { documentIds: [id], toStorageId: storageId }, '... on StorageMove { id }');
    await runMoves(world().context(null));
    const store = await world()
      .context(admin)
      .db.file.findMany({ where: { id: second } });
    expect(store).toMatchObject([{ storageId }]);
    await mutation('a deletion', 'deleteFile', { id: first }, '... on Document { id }');
    await sweepFiles(world().context(null));
    await graphql('the history', `{ storage(id: "${storageId}") { history(first: 50) { nodes { action before after } } } }`);
    await graphql('all storages', '{ storages(first: 50) { nodes { id name credentials config } } }');
    await ask('all storages over REST', { url: '/storages/' });
  }

  /** What goes wrong at the store while the real keys are in hand. */
  async function fail(): Promise<void> {
    const gone = { ...place, name: 'Gone', bucket: `${place.bucket}-gone` };
    const storage = await mutation('a storage without its bucket', 'createStorage', gone, '... on Storage { id }');
    await ask('a test of it', { url: `/storages/${storage.id}/test-credential/` });
    const { id } = await mutation('a document in it', 'createDocument', { name: 'D', storageId: storage.id }, '... on Document { id }');
    const refused = (await ask('an upload to it', graphqlUpload(refusal, { id }, [{ name: 'a.pdf', body: bytes }]))).json();
    expect(refused.data.uploadFiles).toMatchObject({ __typename: 'StorageError' });
    await graphql(
      'a large upload to it',
      'mutation ($input: CreateUploadInput!) { createUpload(input: $input) { ... on StagedUpload { requests { url } } ... on Error { code message } } }',
      { input: { documentId: id, name: 'b', size: 50_000_000 } },
    );
  }
  const refusal = `mutation ($id: ID!, $files: [Upload!]!) { uploadFiles(input: { documentId: $id, files: $files }) {
    __typename ... on Error { code message } } }`;

  beforeAll(async () => {
    admin = world().actor('admin');
    place = await open();
    canaries = canariesOf(place);
    const storageId = await configure();
    const { id, fileIds } = await fileIn(storageId);
    await review(id, fileIds[1] ?? '');
    await leave(storageId, id, fileIds);
    await fail();
    await ask('the schema', { method: 'POST', url: '/graphql', payload: { query: getIntrospectionQuery() } });
    await ask('the description of REST', { url: '/openapi.json' });
  });

  /** Who signed is part of a signed address, as S3 has them; the secret that signed is not. */
  const withoutSigner = ({ name, text }: Told) => ({ name, text: text.replaceAll(/X-Amz-Credential=\w+/g, '') });

  test('tells its secrets in no answer, error or description', () => {
    expect(canaries.length).toBeGreaterThan(0);
    expect(leaks(answers.map(withoutSigner), canaries)).toEqual([]);
  });

  test('tells them in no line of the log', () => {
    const log = { name: 'the log', text: world().logs.join('') };
    expect(log.text.length).toBeGreaterThan(1000);
    expect(leaks([log], canaries)).toEqual([]);
  });

  test('leaves them in no row, those of the audit among them', async () => {
    const rows = await rowsOf(world().gateway.database.pool);
    expect(rows.find(({ name }) => name === 'audit_events')?.text).toContain('storage.created');
    expect(leaks(rows, canaries)).toEqual([]);
  });

  test('leaves them out of schema.graphql, which has no field for one', async () => {
    const schema = { name: 'schema.graphql', text: await readFile('schema.graphql', 'utf8') };
    const names = secretKeys[place.provider].map((text) => ({ what: 'the name of a secret', text }));
    expect(leaks([schema], [...canaries, ...names])).toEqual([]);
  });
});
