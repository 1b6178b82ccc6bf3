import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { describe, expect, onTestFinished, test } from 'vitest';
import { provisionAzure } from '../src/blob/azure-container.js';
import { createHostGuard } from '../src/blob/hosts.js';
import { documented, newName, useManaged } from './storage.managed.world.js';
import type { Actor } from './world.js';

const { stores, world, post } = useManaged();

describe('a managed bucket of Google Cloud Storage (by a double)', () => {
  const closed = { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: 'enforced' };
  const wanted = {
    location: 'europe-west3',
    labels: { team: 'kyc', stage: 'live' },
    cors: [{ origin: ['https://app.example.com'], method: ['GET', 'PUT'], responseHeader: ['content-type'] }],
    lifecycle: { rule: [{ action: { type: 'Delete' }, condition: { age: 7, matchesPrefix: ['tmp/'] } }] },
    versioning: { enabled: true },
    softDeletePolicy: { retentionDurationSeconds: 0 },
    encryption: { defaultKmsKeyName: 'projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k' },
  };
  const storage = (bucket: string, config: object) => ({
    name: 'M',
    provider: 'gcp_storage',
    bucket,
    managed: true,
    credentials: stores().gcs.credentials,
    config,
  });
  const patch = (actor: Actor, id: string, config: object) =>
    world().inject(actor, { method: 'PATCH', url: `/storages/${id}/`, payload: { config } });

  test('has all of its configuration, and is closed to the public; a change applies the difference, what is left out goes', async () => {
    const actor = world().actor('admin');
    const bucket = newName();
    const made = await post(actor, storage(bucket, wanted));
    expect({ status: made.statusCode, body: made.json() }).toMatchObject({ status: 201, body: { managed: true, config: wanted } });
    expect(stores().gcs.bucket(bucket)).toEqual({ ...wanted, iamConfiguration: closed });
    const config = { location: wanted.location, labels: { team: 'loans' }, storageClass: 'NEARLINE', versioning: { enabled: false } };
    expect((await patch(actor, made.json().id, config)).json()).toMatchObject({ config });
    expect(stores().gcs.bucket(bucket)).toEqual({
      ...config,
      iamConfiguration: closed,
      softDeletePolicy: { retentionDurationSeconds: 7 * 24 * 60 * 60 },
    });
    expect((await world().inject(actor, { url: `/storages/${made.json().id}/test-credential/` })).json()).toMatchObject({ success: true });
  });

  test('may be one that is there and empty; one with objects is refused and left as it is', async () => {
    const actor = world().actor('admin');
    const bucket = stores().gcs.makeBucket();
    const { id } = (await post(actor, storage(bucket, { labels: { team: 'kyc' } }))).json();
    expect(stores().gcs.bucket(bucket)).toEqual({ labels: { team: 'kyc' }, iamConfiguration: closed });
    const document = (await world().inject(actor, { method: 'POST', url: '/documents/', payload: { name: 'D', storage: id } })).json();
    await world().upload(actor, document.id, [{ name: 'a', body: 'a' }]);
    const refused = await post(actor, storage(bucket, { labels: { team: 'loans' } }));
    expect({ status: refused.statusCode, detail: refused.json().detail }).toEqual({
      status: 400,
      detail: expect.stringContaining('holds objects'),
    });
    expect(stores().gcs.bucket(bucket)).toMatchObject({ labels: { team: 'kyc' } });
  });

  test('stays where it is', async () => {
    const actor = world().actor('admin');
    const { id } = (await post(actor, storage(newName(), { location: 'EU' }))).json();
    const answer = await patch(actor, id, { location: 'US' });
    expect({ status: answer.statusCode, detail: answer.json().detail }).toEqual({
      status: 400,
      detail: expect.stringContaining('config.location'),
    });
  });

  test.each([
    ['storage.buckets.create', () => post(world().actor('admin'), storage(newName(), {}))],
    [
      'storage.buckets.update',
      async () => {
        const actor = world().actor('admin');
        const { id } = (await post(actor, storage(stores().gcs.makeBucket(), {}))).json();
        stores().gcs.denied.add('storage.buckets.update');
        return patch(actor, id, { labels: { team: 'kyc' } });
      },
    ],
  ])('needs %s, and says so', async (right, act) => {
    onTestFinished(() => stores().gcs.denied.clear());
    if (right === 'storage.buckets.create') stores().gcs.denied.add(right);
    const answer = await act();
    expect({ status: answer.statusCode, detail: answer.json().detail }).toEqual({
      status: 400,
      detail: expect.stringContaining(`Grant ${right}`),
    });
  });
});

describe('a managed container of Azure', () => {
  const metadata = { team: 'kyc', stage: 'live' };
  const storage = (bucket: string, config: object) => ({
    name: 'A',
    provider: 'azure_blob',
    bucket,
    managed: true,
    credentials: stores().azurite.credentials,
    config,
  });
  const patch = (actor: Actor, id: string, config: object) =>
    world().inject(actor, { method: 'PATCH', url: `/storages/${id}/`, payload: { config } });
  const containerOf = (name: string) => {
    const { account_name = '', account_key = '', endpoint } = stores().azurite.credentials;
    return new ContainerClient(`${endpoint}/${name}`, new StorageSharedKeyCredential(account_name, account_key));
  };
  const read = async (bucket: string) => {
    const { metadata, blobPublicAccess } = await containerOf(bucket).getProperties();
    return { metadata: { ...metadata }, blobPublicAccess };
  };

  test('is created with its configuration, closed to the public; a change applies the difference, what is left out goes', async () => {
    const actor = world().actor('admin');
    const bucket = newName();
    const made = await post(actor, storage(bucket, { metadata }));
    expect({ status: made.statusCode, body: made.json() }).toMatchObject({ status: 201, body: { managed: true, config: { metadata } } });
    expect(await read(bucket)).toEqual({ metadata });
    const { id } = made.json();
    expect((await patch(actor, id, { metadata: { team: 'loans' } })).json()).toMatchObject({ config: { metadata: { team: 'loans' } } });
    expect(await read(bucket)).toEqual({ metadata: { team: 'loans' } });
    expect((await patch(actor, id, {})).json()).toMatchObject({ config: {} });
    expect(await read(bucket)).toEqual({ metadata: {} });
    expect((await world().inject(actor, { url: `/storages/${id}/test-credential/` })).json()).toMatchObject({ success: true });
  });

  test('may be one that is there and empty, and is closed then; one with objects is refused and left as it is', async () => {
    const actor = world().actor('admin');
    const bucket = newName();
    await containerOf(bucket).create({ access: 'container', metadata: { old: 'one' } });
    const { id } = (await post(actor, storage(bucket, { metadata }))).json();
    expect(await read(bucket)).toEqual({ metadata });
    const document = (await world().inject(actor, { method: 'POST', url: '/documents/', payload: { name: 'D', storage: id } })).json();
    await world().upload(actor, document.id, [{ name: 'a', body: 'a' }]);
    await containerOf(bucket).setAccessPolicy('blob');
    const refused = await post(actor, storage(bucket, { metadata: { team: 'loans' } }));
    expect({ status: refused.statusCode, detail: refused.json().detail }).toEqual({
      status: 400,
      detail: expect.stringContaining('holds objects'),
    });
    expect(await read(bucket)).toEqual({ metadata, blobPublicAccess: 'blob' });
  });

  describe('with an encryption scope', () => {
    const config = { defaultEncryptionScope: 'kyc', denyEncryptionScopeOverride: true };

    test('is not taken for encrypted so where the service knows no scopes, as Azurite', async () => {
      const answer = await post(world().actor('admin'), storage(newName(), config));
      expect({ status: answer.statusCode, detail: answer.json().detail }).toEqual({
        status: 400,
        detail: expect.stringContaining('config.defaultEncryptionScope'),
      });
    });

    test('has it from its creation, and no other (by a double that keeps scopes)', async () => {
      const { address, hosts } = await startScopes();
      const wanted = { bucket: newName(), credentials: { ...stores().azurite.credentials, endpoint: address }, config, before: null };
      const other = { defaultEncryptionScope: 'other' };
      await provisionAzure(wanted, hosts);
      await provisionAzure(wanted, hosts);
      await provisionAzure({ ...wanted, before: config, config: { ...config, metadata } }, hosts);
      expect(await read(wanted.bucket)).toEqual({ metadata });
      const fixed = { reason: 'UNSUPPORTED', message: expect.stringContaining('config.defaultEncryptionScope') };
      await expect(provisionAzure({ ...wanted, config: other }, hosts)).rejects.toMatchObject(fixed);
      await expect(provisionAzure({ ...wanted, before: config, config: other }, hosts)).rejects.toMatchObject(fixed);
      expect(await read(wanted.bucket)).toEqual({ metadata });
    });

    /** Passes everything on to Azurite, and keeps what containers are created with as the service does. */
    async function startScopes() {
      const kept = new Map<string, Record<string, string>>();
      const server = createServer((incoming, answer) => {
        const { method, headers, url: path = '' } = incoming;
        const { pathname, searchParams } = new URL(path, 'http://x');
        const isContainer = searchParams.get('restype') === 'container' && !searchParams.has('comp');
        const scopes = Object.entries(headers).flatMap(([name, value]) => (/encryption-scope/.test(name) ? [[name, value]] : []));
        const passed = request(`http://${stores().azurite.host}`, { method, path, headers }, (told) => {
          if (isContainer && method === 'PUT' && told.statusCode === 201) kept.set(pathname, Object.fromEntries(scopes));
          answer.writeHead(told.statusCode ?? 500, { ...told.headers, ...(isContainer && method !== 'PUT' && kept.get(pathname)) });
          told.pipe(answer);
        });
        incoming.pipe(passed);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      onTestFinished(() => void server.close());
      const { port } = server.address() as AddressInfo; // It listens on a port.
      const address = `http://127.0.0.1:${port}/${stores().azurite.credentials.account_name}`;
      return { address, hosts: createHostGuard([`127.0.0.1:${port}`]) };
    }
  });
});

test.each([
  ['aws_s3', { Nonsense: 1 }, 'config.Nonsense'],
  ['aws_s3', { VersioningConfiguration: { Status: 'On' } }, 'config.VersioningConfiguration.Status'],
  ['azure_blob', documented, 'config.Tags'],
  ['azure_blob', { metadata: { Team: 'kyc' } }, 'config.metadata.Team'],
  ['azure_blob', { metadata: { team: 'Kundenprüfung' } }, 'config.metadata.team'],
  ['azure_blob', { metadata: { team: 'x'.repeat(8192) } }, 'config.metadata'],
  ['azure_blob', { denyEncryptionScopeOverride: true }, 'config.denyEncryptionScopeOverride'],
  ['local_fs', documented, 'config.Tags'],
  ['gcp_storage', documented, 'config.Tags'],
  ['gcp_storage', { lifecycle: { rule: [{ action: { type: 'Delete' }, condition: {} }] } }, 'config.lifecycle.rule.0.condition'],
  ['gcp_storage', { labels: { Team: 'kyc' } }, 'config.labels.Team'],
])('what cannot be applied at %s is refused by name: %j', async (provider, config, path) => {
  const s3 = { region: 'us-east-1', aws_access_key_id: 'A', aws_secret_access_key: 'B' };
  const credentials = { aws_s3: s3, azure_blob: stores().azurite.credentials, gcp_storage: stores().gcs.credentials, local_fs: {} }[
    provider
  ];
  const input = { name: 'x', provider: provider.toUpperCase(), bucket: newName(), managed: true, credentials, config };
  const query = `mutation ($input: CreateStorageInput!) { createStorage(input: $input) { ... on ValidationError { fields { path } } } }`;
  const { data } = await world().graphql(world().actor('admin'), query, { input });
  expect(data.createStorage.fields.map((field: { path: string }) => field.path)).toContain(path);
});
