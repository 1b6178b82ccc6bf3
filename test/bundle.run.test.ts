import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useBundled } from './bundled.js';
import { migratedDir } from './db.scratch.js';

/** What `npm start` runs: the other tests run the sources. */
describe('the bundle', () => {
  const bundled = useBundled();
  let screen = '';
  let origin = '';
  let stop: () => Promise<unknown>;

  beforeAll(async () => {
    const data = await migratedDir();
    const env = { PATH: process.env.PATH, DATA_DIR: data.dir, PORT: '0', LOG_LEVEL: 'warn', STORAGE_HOSTS: '127.0.0.1:1' };
    const child = spawn(process.execPath, ['--enable-source-maps', bundled('src/main.ts')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    stop = async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
      await data.remove();
    };
    for await (const chunk of child.stdout) {
      screen += chunk;
      if (screen.includes('Try it:')) break;
    }
    origin = /http:\/\/[^/]+/.exec(screen)?.[0] ?? '';
  });
  afterAll(() => stop());

  const admin = () => ({ authorization: `Bearer ${/admin:\s+(\S+)/.exec(screen)?.[1]}` });
  const get = (path: string, headers = {}) => fetch(new URL(path, origin), { headers });
  const post = (path: string, body: object) =>
    fetch(new URL(path, origin), {
      method: 'POST',
      headers: { ...admin(), 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  test('answers queries, planned and field by field', async () => {
    const planned = await post('/graphql', { query: '{ documents(first: 1) { totalCount nodes { name files { name } } } }' });
    expect(await planned.json()).toMatchObject({ data: { documents: { nodes: [{ name: expect.any(String) }] } } });
    const created = await post('/graphql', {
      query: 'mutation { createDocument(input: { name: "" }) { __typename ... on ValidationError { fields { path } } } }',
    });
    expect(await created.json()).toEqual({ data: { createDocument: { __typename: 'ValidationError', fields: [{ path: 'name' }] } } });
  });

  test.each([
    ['GraphiQL', '/graphql', { accept: 'text/html' }, 'text/html'],
    ['the reference', '/docs/', {}, 'text/html'],
    ['its script', '/docs/static/swagger-ui-bundle.js', {}, 'javascript'],
    ['the description', '/openapi.json', {}, 'application/json'],
  ])('shows %s', async (_, path, headers, type) => {
    const response = await get(path, headers);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain(type);
    await response.arrayBuffer();
  });

  test('shows a share, with its style, a download and a picture that a process of its own draws', async () => {
    const page = await (await get(/\/s\/[\w-]+/.exec(screen)?.[0] ?? '')).text();
    const [, preview = ''] = /<img[^>]* src="([^"]+)"/.exec(page) ?? [];
    const picture = await get(preview.replaceAll('&amp;', '&'));
    expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/webp']);
    expect((await picture.arrayBuffer()).byteLength).toBeGreaterThan(1000);
  });

  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const endpoint = 'http://127.0.0.1:1';
  test.each([
    ['AWS_S3', { aws_access_key_id: 'key', aws_secret_access_key: 'secret', region: 'us-east-1', endpoint }],
    ['GCP_STORAGE', { project_id: 'project', client_email: 'a@project.iam.gserviceaccount.com', private_key: privateKey, endpoint }],
    ['AZURE_BLOB', { account_name: 'account', account_key: Buffer.from('key').toString('base64'), endpoint }],
  ])('has the driver of %s: nobody listens there, and it says so', async (provider, credentials) => {
    const query = `mutation ($input: TestCredentialInput!) {
      testCredential(input: $input) { ... on CredentialTest { success checks { name ok detail } } ... on Error { message } }
    }`;
    const tested = await post('/graphql', { query, variables: { input: { provider, bucket: 'bucket', credentials } } });
    expect(await tested.json()).toMatchObject({
      data: { testCredential: { success: false, checks: [{ ok: false, detail: expect.stringContaining('Nothing answers') }] } },
    });
  });
});
