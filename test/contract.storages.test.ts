import { describe, expect, test } from 'vitest';
import { config, kyc, rsaKey, s3, useContract } from './contract.world.js';
import { six } from './rest.caller.js';

const { world, call, admin } = useContract();

describe('storage', () => {
  test('"{…six, name, provider, bucket, config, credentials, managed}", with every documented key of config', async () => {
    const { status, body } = await call('POST', '/storages/', { ...s3, config });
    expect(status).toBe(201);
    expect(Object.keys(body)).toEqual([...six, 'name', 'provider', 'bucket', 'config', 'credentials', 'managed']);
    expect(body).toMatchObject({ name: s3.name, provider: 'aws_s3', bucket: 'kyc-files', config, managed: false });
    expect(body.credentials).toEqual({ ...s3.credentials, aws_access_key_id: expect.any(String), aws_secret_access_key: '********' });
  });

  test.each<[string, object, string]>([
    ['name: "required, ≤ 100"', { name: undefined }, 'name'],
    ['name: "≤ 100"', { name: 'n'.repeat(101) }, 'name'],
    ['provider: "required"', { provider: undefined }, 'provider'],
    ['provider: "aws_s3, gcp_storage, azure_blob"', { provider: 'AWS_S3' }, 'provider'],
    ['bucket: "required"', { bucket: undefined }, 'bucket'],
    ['bucket: "^[a-z0-9][a-z0-9\\-]{1,61}[a-z0-9]$"', { bucket: 'KYC_files' }, 'bucket'],
    ['config: "object"', { config: 'Tags' }, 'config'],
    ['credentials: "object, required"', { credentials: undefined }, 'credentials'],
    ['credentials: "S3: region, aws_access_key_id, aws_secret_access_key"', { credentials: { region: 'ap-south-1' } }, 'credentials'],
    ['managed: "boolean"', { managed: 'yes' }, 'managed'],
  ])('refused on its field: %s', async (_, change, field) => {
    const { status, body } = await call('POST', '/storages/', { ...s3, ...change });
    expect({ status, fields: Object.keys(body) }).toEqual({ status: 400, fields: [field] });
  });

  test.each([
    ['azure_blob', { account_name: 'kyc', account_key: Buffer.alloc(64).toString('base64') }],
    ['gcp_storage', { project_id: 'kyc', client_email: 'docgate@kyc.iam.gserviceaccount.com', private_key: rsaKey() }],
  ])('provider: "%s"', async (provider, credentials) => {
    const { status, body } = await call('POST', '/storages/', { ...s3, provider, credentials });
    expect({ status, provider: body.provider }).toEqual({ status: 201, provider });
  });

  test('"PATCH /storages/{storage_id}/: [name], [config], [credentials] → 200", "GET /storages/", "GET /storages/{storage_id}/"', async () => {
    const { id } = (await call('POST', '/storages/', s3)).body;
    const url = `/storages/${id}/`;
    expect(await call('PATCH', url, { name: 'Renamed' })).toMatchObject({ status: 200, body: { name: 'Renamed', bucket: s3.bucket } });
    expect((await call('PATCH', url, { config })).body).toMatchObject({ name: 'Renamed', config });
    const moved = { ...s3.credentials, region: 'eu-central-1' };
    expect((await call('PATCH', url, { credentials: moved })).body.credentials.region).toBe('eu-central-1');
    const read = (await call('GET', url)).body;
    expect((await call('GET', '/storages/?provider=aws_s3')).body.results).toEqual([read]);
  });
});

describe('a change of a storage', () => {
  const made = async () => {
    const { body } = await call('POST', '/storages/', { ...s3, config });
    return { body, url: `/storages/${body.id}/` };
  };

  test('PATCH: "partial, whatever the page marks required (its own example sends {} values)"', async () => {
    const { body, url } = await made();
    expect(await call('PATCH', url, {})).toMatchObject({ status: 200, body: { name: body.name, config } });
    const { status, body: after } = await call('PATCH', url, { name: 'KYC', config: {}, credentials: {} });
    expect({ status, body: after }).toMatchObject({ status: 200, body: { name: 'KYC', config: {}, credentials: body.credentials } });
  });

  test('what is wrong in credentials is told part by part, under their name', async () => {
    const { url } = await made();
    const { status, body } = await call('PATCH', url, {
      credentials: { region: 'Nowhere!', aws_access_key_id: '********', password: 'x' },
    });
    expect({ status, body }).toEqual({
      status: 400,
      body: {
        credentials: expect.arrayContaining([
          'aws_secret_access_key: is required',
          expect.stringMatching(/^region: must be a region/),
          expect.stringMatching(/^password: is not known/),
        ]),
      },
    });
  });

  test('"each secret value is replaced by "********"", "A PATCH that sends the mask back keeps the stored secret"', async () => {
    const { body, url } = await made();
    const masked = { region: 'ap-south-1', aws_access_key_id: '********', aws_secret_access_key: '********' };
    expect(body.credentials).toEqual(masked);
    const credentials = { ...masked, region: 'eu-central-1' };
    expect((await call('PATCH', url, { credentials })).body.credentials).toEqual(credentials);
    const row = await world()
      .context(admin())
      .db.storage.findFirst({ where: { id: body.id } });
    const sealed = row?.credentials ?? new Uint8Array();
    const stored = world().gateway.services.secrets.open(sealed, { table: 'storages', tenantId: admin().tenantId, id: body.id });
    expect(JSON.parse(stored)).toEqual({ ...s3.credentials, region: 'eu-central-1' });
  });

  test.each([
    ['provider', 'local_fs'],
    ['bucket', 'other-bucket'],
    ['managed', true],
  ])('"provider, bucket, managed are fixed at creation (400 if changed)": %s', async (field, value) => {
    const { body, url } = await made();
    expect(await call('PATCH', url, { [field]: value })).toMatchObject({ status: 400, body: { [field]: [expect.any(String)] } });
    expect(await call('PATCH', url, { [field]: body[field] })).toMatchObject({ status: 200, body: { [field]: body[field] } });
  });

  test('"No DELETE (405)" of storages and categories', async () => {
    const { url } = await made();
    const { id } = (await call('POST', '/categories/', kyc)).body;
    for (const path of [url, `/categories/${id}/`]) {
      expect(await call('DELETE', path)).toMatchObject({ status: 405, body: { detail: 'Method "DELETE" not allowed.' } });
      expect((await call('GET', path)).status).toBe(200);
    }
  });

  test.each(['test-credential', 'test_credential'])(
    'GET /storages/{storage_id}/%s/: "→ 200 {"success": true, "checks": [{"name", "ok", "latency_ms"}, …]}"',
    async (spelling) => {
      const [storage] = (await call('GET', '/storages/?provider=local_fs')).body.results;
      const { status, body } = await call('GET', `/storages/${storage.id}/${spelling}/`);
      expect({ status, success: body.success }).toEqual({ status: 200, success: true });
      expect(body.checks[0]).toEqual({ name: expect.any(String), ok: true, latency_ms: expect.any(Number), detail: expect.any(String) });
    },
  );
});
