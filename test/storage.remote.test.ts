import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MASK } from '../src/blob/credentials.js';
import { sweepFiles } from '../src/file/file.sweeper.js';
import { getStorage, storeOf } from '../src/storage/storage.service.js';
import { makeBucket, makeUser, radosgw } from './radosgw.js';
import { remoteHosts, useRemoteStores } from './remote.stores.js';
import { type Actor, useWorld } from './world.js';

/** A provider as tenants know it: where they may store, and what they send to be let in. */
interface Place {
  provider: 'AWS_S3' | 'AZURE_BLOB' | 'GCP_STORAGE';
  bucket: string;
  credentials: Record<string, string>;
  secrets: string[];
  wrong: Record<string, string>;
}

const stores = useRemoteStores();
const world = useWorld({ RETENTION_DAYS: '0', STORAGE_HOSTS: remoteHosts });
/** Of no account. */
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const places: [name: string, open: () => Promise<Place>][] = [
  [
    'AZURE_BLOB',
    async () => ({
      provider: 'AZURE_BLOB',
      bucket: await stores().azurite.makeContainer(),
      credentials: { ...stores().azurite.credentials },
      secrets: ['account_key'],
      wrong: { ...stores().azurite.credentials, account_key: randomBytes(64).toString('base64') },
    }),
  ],
  [
    'GCP_STORAGE, by a double of it',
    async () => ({
      provider: 'GCP_STORAGE',
      bucket: stores().gcs.makeBucket(),
      credentials: { ...stores().gcs.credentials },
      secrets: ['private_key'],
      wrong: { ...stores().gcs.credentials, private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
    }),
  ],
];
if (radosgw) {
  const { admin } = radosgw;
  places.push([
    'AWS_S3',
    async () => ({
      provider: 'AWS_S3',
      bucket: await makeBucket(),
      credentials: { ...admin },
      secrets: ['aws_access_key_id', 'aws_secret_access_key'],
      wrong: { ...admin, aws_secret_access_key: 'wrong' },
    }),
  ]);
}

const create = `mutation ($input: CreateStorageInput!) { createStorage(input: $input) {
  __typename ... on Storage { id version credentials } ... on Error { code message } ... on StorageError { reason } } }`;
const update = `mutation ($input: UpdateStorageInput!) { updateStorage(input: $input) {
  __typename ... on Storage { id version credentials } ... on Error { code message } ... on ValidationError { fields { path } } } }`;
const probe = `mutation ($input: TestCredentialInput!) { testCredential(input: $input) {
  ... on CredentialTest { success checks { name ok detail } } ... on Error { code message } } }`;

const remove = 'mutation ($input: DeleteFileInput!) { deleteFile(input: $input) { __typename ... on Error { code message } } }';

async function keysOf(actor: Actor, storageId: string): Promise<string[]> {
  const store = await storeOf(world().context(actor), await getStorage(world().context(actor), storageId));
  const keys: string[] = [];
  for await (const { key } of store.list('')) keys.push(key);
  return keys;
}

const masked = ({ credentials, secrets }: Place) => ({ ...credentials, ...Object.fromEntries(secrets.map((key) => [key, MASK])) });

async function createVia(actor: Actor, { provider, bucket, credentials }: Place): Promise<string> {
  const { data } = await world().graphql(actor, create, { input: { name: 'Remote', provider, bucket, credentials } });
  expect(data.createStorage).toMatchObject({ __typename: 'Storage' });
  return data.createStorage.id;
}

describe.each(places)('a storage of %s', (_, open) => {
  it('keeps the files of a document, from their upload to their deletion', async () => {
    const place = await open();
    const actor = world().actor('admin');
    const storage = await createVia(actor, place);
    const made = await world().inject(actor, { method: 'POST', url: '/documents/', payload: { name: 'Payslip', storage } });
    expect(made.statusCode).toBe(201);
    const { id } = made.json();
    const bytes = randomBytes(300_000);
    const uploaded = await world().upload(actor, id, [{ name: 'a.bin', body: bytes }]);
    expect(uploaded).toMatchObject({ __typename: 'UploadedFiles' });
    const [file] = uploaded.__typename === 'UploadedFiles' ? uploaded.files : [];
    const downloaded = await world().inject(actor, { url: `/files/${file?.id}`, headers: { range: 'bytes=1000-1999' } });
    expect(downloaded.statusCode).toBe(206);
    expect(downloaded.rawPayload.equals(bytes.subarray(1000, 2000))).toBe(true);
    const { data } = await world().graphql(actor, remove, { input: { id: file?.id } });
    expect(data.deleteFile).toMatchObject({ __typename: 'Document' });
    expect(await keysOf(actor, storage)).toHaveLength(1);
    expect(await sweepFiles(world().context(null))).toBe(1);
    expect(await keysOf(actor, storage)).toEqual([]);
    expect((await world().inject(actor, { url: `/files/${file?.id}` })).statusCode).toBe(404);
  });

  it('with DOWNLOAD_MODE=redirect sends whoever may read a file to the bucket, for a minute; shares still stream', async () => {
    const actor = world().actor('admin');
    const storage = await createVia(actor, await open());
    const { id } = (await world().inject(actor, { method: 'POST', url: '/documents/', payload: { name: 'D', storage } })).json();
    const uploaded = await world().upload(actor, id, [{ name: 'ünï.html', body: '<script>alert(1)</script>' }]);
    const [file] = uploaded.__typename === 'UploadedFiles' ? uploaded.files : [];
    const { services } = world().gateway;
    services.redirectDownloads = true;
    onTestFinished(() => {
      services.redirectDownloads = false;
    });
    for (const url of [`/files/${file?.id}`, `/documents/${id}/files/`, `/documents/${id}/files/${file?.id}/`]) {
      const answer = await world().inject(actor, { url });
      expect({ status: answer.statusCode, cache: answer.headers['cache-control'] }).toEqual({ status: 302, cache: 'no-store' });
      const bytes = await fetch(String(answer.headers.location), { headers: { range: 'bytes=1-6' } });
      expect({ status: bytes.status, text: await bytes.text() }).toEqual({ status: 206, text: 'script' });
      expect(bytes.headers.get('content-type')).toBe('application/octet-stream');
      expect(bytes.headers.get('content-disposition')).toMatch(/^attachment;.*filename\*=UTF-8''%C3%BCn%C3%AF/);
      expect((await world().inject(world().actor('admin'), { url })).statusCode).toBe(404);
    }
    const head = await world().inject(actor, { method: 'HEAD', url: `/files/${file?.id}` });
    expect({ status: head.statusCode, length: head.headers['content-length'] }).toEqual({ status: 200, length: '25' });
    const expires_at = new Date(Date.now() + 60_000).toISOString();
    const share = await world().inject(actor, { method: 'POST', url: `/documents/${id}/shares/`, payload: { expires_at } });
    const shared = await world().inject(null, { url: `/s/${share.json().token}/files/${file?.id}` });
    expect({ status: shared.statusCode, body: shared.body }).toEqual({ status: 200, body: '<script>alert(1)</script>' });
  });

  it('shows no secret, and keeps the stored one when the mask comes back', async () => {
    const place = await open();
    const actor = world().actor('admin');
    const payload = { name: 'Remote', provider: place.provider.toLowerCase(), bucket: place.bucket, credentials: place.credentials };
    const made = await world().inject(actor, { method: 'POST', url: '/storages/', payload });
    expect(made.statusCode).toBe(201);
    expect(made.json().credentials).toEqual(masked(place));
    const { id } = made.json();
    const patched = await world().inject(actor, { method: 'PATCH', url: `/storages/${id}/`, payload: { credentials: masked(place) } });
    expect(patched.json()).toMatchObject({ id, credentials: masked(place) });
    expect((await world().graphql(actor, probe, { input: { storageId: id } })).data.testCredential).toMatchObject({ success: true });
  });

  it('refuses keys that it does not know, by name', async () => {
    const place = await open();
    const actor = world().actor('admin');
    const id = await createVia(actor, place);
    const credentials = { ...place.credentials, passwort: 'x' };
    const { data } = await world().graphql(actor, update, { input: { id, credentials } });
    expect(data.updateStorage).toMatchObject({ code: 'VALIDATION_FAILED', fields: [{ path: 'credentials.passwort' }] });
  });

  it('is tried before it is saved, and says what is wrong', async () => {
    const place = await open();
    const actor = world().actor('admin');
    const tried = async (change: Partial<Place>) => {
      const { provider, bucket, credentials } = { ...place, ...change };
      return (await world().graphql(actor, probe, { input: { provider, bucket, credentials } })).data.testCredential;
    };
    expect(await tried({})).toMatchObject({ success: true });
    const wrong = await tried({ credentials: place.wrong });
    expect(wrong.checks.map((check: { name: string; ok: boolean }) => [check.name, check.ok])).toEqual([
      ['reach', true],
      ['authenticate', false],
    ]);
    const missing = await tried({ bucket: 'no-such-bucket-here' });
    expect(missing.checks.at(-1)).toMatchObject({
      name: 'authenticate',
      ok: false,
      detail: expect.stringMatching(/no such (bucket|container)/i),
    });
  });
});

describe('an endpoint that a tenant names', () => {
  const account = { project_id: 'p', client_email: 'a@b', private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
  const s3 = { region: 'eu-central-1', aws_access_key_id: 'A', aws_secret_access_key: 'B' };
  const connection = (endpoint: string) => ({
    connection_string: `DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${Buffer.from('key').toString('base64')};${endpoint}`,
  });
  it.each([
    ['AWS_S3', { ...s3, endpoint: 'https://169.254.169.254' }],
    ['AWS_S3', { ...s3, endpoint: 'http://example.com' }],
    ['AWS_S3', { ...s3, endpoint: 'https://127.0.0.1:5432' }],
    ['AZURE_BLOB', { account_name: 'a', account_key: 'a2V5', endpoint: 'https://10.0.0.1/a' }],
    ['AZURE_BLOB', connection('BlobEndpoint=https://[::ffff:127.0.0.1]/a')],
    ['AZURE_BLOB', connection('BlobEndpoint=http://example.com/a')],
    ['AZURE_BLOB', connection('EndpointSuffix=localhost')],
    ['GCP_STORAGE', { ...account, endpoint: 'https://169.254.169.254' }],
    ['GCP_STORAGE', { ...account, endpoint: 'http://storage.googleapis.com' }],
  ])('is refused for %s: %j', async (provider, credentials) => {
    const input = { name: 'x', provider, bucket: 'bucket', credentials };
    const { data } = await world().graphql(world().actor('admin'), create, { input });
    expect(data.createStorage).toMatchObject({ __typename: 'StorageError', reason: 'MISCONFIGURED' });
  });
});

describe.runIf(radosgw)('rights', () => {
  it('of someone else do not open the bucket', async () => {
    const { credentials } = await makeUser();
    const actor = world().actor('admin');
    const input = { provider: 'AWS_S3', bucket: await makeBucket(), credentials };
    const { checks } = (await world().graphql(actor, probe, { input })).data.testCredential;
    const failed = checks.filter((check: { ok: boolean }) => !check.ok);
    expect(failed.map((check: { name: string }) => check.name)).toEqual(['write', 'list']);
    for (const check of failed) expect(check.detail).toMatch(/Grant s3:/);
  });
});
