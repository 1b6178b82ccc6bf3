import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formsOf, foundIn, leaks, rowsOf, type Told } from './canaries.js';
import { canaries, checks, planted, port, s3, secret, shareFields, storageFields, storages, tellTale } from './canary.secrets.js';
import { multipart } from './multipart.js';
import { type Actor, useWorld } from './world.js';

let store: Server;

const world = useWorld({ LOG_LEVEL: 'trace', SECRETS_KEYS: planted.secretsKey.text, STORAGE_HOSTS: `127.0.0.1:${port}` });
let owner: Actor;
beforeAll(async () => {
  store = createServer(tellTale).listen(port, '127.0.0.1');
  await once(store, 'listening');
  owner = world().actor('admin');
  await world().app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(() => void store.close());

/** What came back, whatever was asked. */
const answers: Told[] = [];
async function ask(name: string, options: InjectOptions, actor: Actor | null = owner) {
  const answer = await world().inject(actor, options);
  answers.push({ name, text: `${answer.statusCode} ${JSON.stringify(answer.headers)} ${answer.body}` });
  return answer;
}
const graphql = async (name: string, query: string, variables?: object, actor: Actor | null = owner) =>
  (await ask(name, { method: 'POST', url: '/graphql', payload: { query, variables } }, actor)).json();
const rest = (
  name: string,
  method: 'GET' | 'POST' | 'PATCH',
  url: string,
  payload?: object | string,
  headers: Record<string, string> = {},
) => ask(name, { method, url, payload, headers: { ...(payload !== undefined && { 'content-type': 'application/json' }), ...headers } });

const { s3Id, s3Secret, password, wrongPassword, newPassword } = planted;

const wireProvider = (provider: string) => provider.toLowerCase();

/** Whatever a tenant does with credentials, and what then fails. */

async function useStorages(): Promise<void> {
  const create = `mutation ($input: CreateStorageInput!) { createStorage(input: $input) ${storageFields} }`;
  const probe = `mutation ($input: TestCredentialInput!) { testCredential(input: $input) ${checks} }`;
  const update = `mutation ($input: UpdateStorageInput!) { updateStorage(input: $input) ${storageFields} }`;
  for (const [name, provider, credentials, bucket = 'acme-kyc'] of storages) {
    const input = { provider, bucket, credentials };
    await graphql(`a test of ${name}`, probe, { input });
    const { data } = await graphql(`creation of ${name}`, create, { input: { ...input, name } });
    await graphql(`creation of ${name}, managed`, create, {
      input: { ...input, name, managed: true, config: { Tags: [{ Key: 'a', Value: 'b' }] } },
    });
    const wire = { name, provider: wireProvider(provider), bucket, credentials };
    const key = { 'idempotency-key': randomUUID() };
    const made = await rest(`creation of ${name} over REST`, 'POST', '/storages/', wire, key);
    await rest(`the same again, ${name}`, 'POST', '/storages/', wire, key);
    await rest(`the same key for something else, ${name}`, 'POST', '/storages/', { ...wire, name: 'Other' }, key);
    const id: string | undefined = data?.createStorage?.id ?? (made.statusCode === 201 ? made.json().id : undefined);
    if (id) await useStorage(name, id, update, credentials);
  }
}

async function useStorage(name: string, id: string, update: string, credentials: object): Promise<void> {
  await graphql(
    `the stored ${name}`,
    `{ storage(id: "${id}") ${'{ id credentials config }'} storages(first: 50) { nodes { credentials } } }`,
  );
  await graphql(`a test of the stored ${name}`, `mutation { testCredential(input: { storageId: "${id}" }) ${checks} }`);
  await graphql(`a change of ${name}`, update, { input: { id, credentials } });
  await graphql(`a wrong change of ${name}`, update, { input: { id, credentials: { ...credentials, more: s3Secret.text } } });
  await rest(`the stored ${name} over REST`, 'GET', `/storages/${id}/`);
  await rest(`a test of ${name} over REST`, 'GET', `/storages/${id}/test-credential/`);
  await rest(`a change of ${name} over REST`, 'PATCH', `/storages/${id}/`, { credentials });
  await rest(`a wrong change of ${name} over REST`, 'PATCH', `/storages/${id}/`, {
    credentials: { aws_secret_access_key: 7, [s3Id.text]: 1 },
  });
  const document = (await rest(`a document in ${name}`, 'POST', '/documents/', { name: 'Payslip', storage: id })).json();
  const form = multipart([{ field: 'files', body: 'the bytes', name: 'a.txt' }]);
  await ask(`an upload to ${name}`, { method: 'POST', url: `/documents/${document.id}/files/`, ...form });
  await graphql(
    `a large upload to ${name}`,
    'mutation ($input: CreateUploadInput!) { createUpload(input: $input) { __typename ... on Error { code message } } }',
    {
      input: { documentId: document.id, name: 'a.bin', size: 50_000_000 },
    },
  );
  await graphql(`history of ${name}`, `{ storage(id: "${id}") { history(first: 50) { nodes { action before after } } } }`);
}

/** Whatever is done with passwords, right and wrong. */

async function useShares(): Promise<void> {
  const { id } = (await rest('a document', 'POST', '/documents/', { name: 'Passport' })).json();
  const form = multipart([{ field: 'files', body: 'the bytes', name: 'a.txt' }]);
  await ask('an upload', { method: 'POST', url: `/documents/${id}/files/`, ...form });
  const expires = new Date(Date.now() + 86_400_000).toISOString();
  const create = `mutation ($input: ShareDocumentInput!) { shareDocument(input: $input) ${shareFields} }`;
  const update = `mutation ($input: UpdateShareInput!) { updateShare(input: $input) ${shareFields} }`;
  const { data } = await graphql('a share', create, { input: { documentId: id, expiresAt: expires, password: password.text } });
  const share = data.shareDocument;
  for (const input of [
    { password: 'x'.repeat(300) + password.text },
    { password: password.text, fileIds: ['x'] },
    { password: password.text, maxDownloads: -1 },
  ])
    await graphql('a share that is refused', create, { input: { documentId: id, expiresAt: expires, ...input } });
  const key = { 'idempotency-key': randomUUID() };
  for (const body of [
    { expires_at: expires, password: password.text },
    { expires_at: expires, password: password.text },
    { expires_at: 'never', password: [password.text] },
  ])
    await rest('a share over REST', 'POST', `/documents/${id}/shares/`, body, key);
  await graphql('a new password', update, { input: { id: share.id, password: newPassword.text } });
  await rest(
    'a new password over REST',
    'PATCH',
    `/documents/${id}/shares/${share.id}/`,
    { password: password.text },
    { 'if-match': '"99"' },
  );
  for (const text of [wrongPassword.text, newPassword.text]) {
    const open =
      'query ($token: String!, $password: String) { sharePreview(token: $token, password: $password) { __typename ... on SharePreview { files { name downloadUrl } } ... on Error { code message } } }';
    await graphql('an opening', open, { token: share.token, password: text }, null);
    await graphql(
      'an opening in the address',
      `{ sharePreview(token: "${share.token}", password: ${JSON.stringify(text)}) { __typename } }`,
      {},
      null,
    );
    await ask('an opening over REST', { url: `/documents/preview/${share.token}/`, headers: { 'x-share-password': text } }, null);
    const payload = new URLSearchParams({ password: text }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' };
    const page = await ask('the form', { method: 'POST', url: `/s/${share.token}`, payload, headers }, null);
    const cookie = String(page.headers['set-cookie'] ?? '').split(';')[0] ?? '';
    await ask('the page', { url: `/s/${share.token}`, headers: { cookie, accept: 'text/html' } }, null);
    await ask('the zip', { url: `/s/${share.token}/files.zip`, headers: { cookie } }, null);
  }
  await graphql(
    'the share',
    `{ share(id: "${share.id}") { ${'id hasPassword accesses { nodes { kind outcome reason } } document { history(first: 50) { nodes { action before after } } }'} } }`,
  );
  await graphql('a revocation', `mutation { revokeShare(input: { id: "${share.id}" }) ${shareFields} }`);
}

/** Requests that nobody can make sense of, with secrets in them. */

async function makeMistakes(): Promise<void> {
  const create = `mutation ($input: CreateStorageInput!) { createStorage(input: $input) ${storageFields} }`;
  const good = { name: 'x', provider: 'AWS_S3', bucket: 'acme-kyc', credentials: s3 };
  for (const input of [
    { ...good, passwort: password.text },
    { ...good, name: { of: s3Secret.text } },
    { ...good, provider: s3Secret.text },
    { ...good, managed: s3Secret.text },
    [good],
  ])
    await graphql('variables that do not fit', create, { input });
  for (const input of [
    { documentId: 'x', expiresAt: password.text, password: password.text },
    { documentId: 'x', password: { text: password.text } },
    { pasword: password.text },
  ])
    await graphql('a share that does not fit', `mutation ($input: ShareDocumentInput!) { shareDocument(input: $input) ${shareFields} }`, {
      input,
    });
  const literal = `{ region: "x", aws_secret_access_key: ${JSON.stringify(s3Secret.text)} }`;
  for (const arguments_ of [
    `name: "x", credentials: ${literal}`,
    `name: "x", provider: ${JSON.stringify(s3Secret.text)}, credentials: ${literal}`,
    `nme: ${JSON.stringify(s3Secret.text)}`,
  ])
    await graphql('an operation that is not valid', `mutation { createStorage(input: { ${arguments_} }) { __typename } }`);
  const body = JSON.stringify(good);
  for (const url of ['/storages/', '/graphql']) {
    for (const [what, payload] of Object.entries({
      'cut in the middle': body.slice(0, -2),
      'with a letter too many': body.replace('}', '}}'),
      'with a name twice': body.replace('"bucket"', '"name"'),
    }))
      await rest(`a body ${what} to ${url}`, 'POST', url, payload);
    await ask(`a form to ${url}`, { method: 'POST', url, payload: body, headers: { 'content-type': 'text/plain' } });
    await rest(`too much to ${url}`, 'POST', url, JSON.stringify({ ...good, name: body.repeat(9000) }));
  }
  for (const body of [
    { ...good, credentials: s3Secret.text },
    { ...good, provider: s3Secret.text },
    { ...good, [s3Secret.text]: 1 },
  ])
    await rest('a body that does not fit', 'POST', '/storages/', body);
}

/** What is missing while all that goes on, so that statements fail with the secrets in hand. */

async function breakDatabase(): Promise<void> {
  const { pool } = world().gateway.database;
  const tables = ['storages', 'shares', 'share_attempts', 'idempotency_keys', 'audit_events'];
  for (const table of tables) {
    await pool.query(`ALTER TABLE ${table} RENAME TO ${table}_away`);
    const input = { name: 'x', provider: 'AWS_S3', bucket: 'acme-kyc', credentials: s3 };
    await graphql(`creation without ${table}`, `mutation ($input: CreateStorageInput!) { createStorage(input: $input) ${storageFields} }`, {
      input,
    });
    const wire = { ...input, provider: 'aws_s3' };
    await rest(`creation over REST without ${table}`, 'POST', '/storages/', wire, { 'idempotency-key': randomUUID() });
    await pool.query(`ALTER TABLE ${table}_away RENAME TO ${table}`);
  }
  const { id } = (await rest('a document', 'POST', '/documents/', { name: 'Passport' })).json();
  await pool.query('ALTER TABLE shares RENAME TO shares_away');
  await rest('a share without shares', 'POST', `/documents/${id}/shares/`, {
    expires_at: new Date(Date.now() + 60_000),
    password: password.text,
  });
  await pool.query('ALTER TABLE shares_away RENAME TO shares');
}

test('a canary is found however it is written', () => {
  const [canary] = canaries.slice(2);
  if (!canary) throw new Error('no canary');
  for (const form of formsOf(canary.text)) expect(foundIn(`before ${form} after`, [canary])).toHaveLength(1);
  for (const before of ['', 'x', 'xy'])
    expect(foundIn(Buffer.from(`${before}${canary.text}z`).toString('base64'), [canary])).toHaveLength(1);
  expect(foundIn('nothing of it', canaries)).toEqual([]);
});

describe('secrets, when all has been done with them and all has failed', () => {
  beforeAll(async () => {
    await useStorages();
    await useShares();
    await makeMistakes();
    await breakDatabase();
  });

  test('were used', () => {
    expect(answers.length).toBeGreaterThan(200);
    for (const code of ['201', '400', '401', '409', '500', '503']) expect(answers.some(({ text }) => text.startsWith(code))).toBe(true);
  });
  test('are in no answer, neither in its headers nor in its body', () => expect(leaks(answers, canaries)).toEqual([]));
  test('are in no line of the log', () => {
    expect(world().logs.length).toBeGreaterThan(200);
    expect(leaks([{ name: 'the log', text: world().logs.join('') }], canaries)).toEqual([]);
  });
  test('are in no row of any table', async () => {
    const rows = await rowsOf(world().gateway.database.pool);
    expect(rows.find(({ name }) => name === 'storages')?.text).toContain('acme-kyc');
    expect(leaks(rows, canaries)).toEqual([]);
  });
  test('what opens a share or an account is in no line of the log and in no row', async () => {
    const given = answers.flatMap(({ text }) =>
      [...text.matchAll(/"token\\?":\\?"([\w-]{36})|grant=([\w.-]+)|[?&]token=([\w.-]+)/g)].map(
        (found) => found[1] ?? found[2] ?? found[3] ?? '',
      ),
    );
    expect(given.length).toBeGreaterThan(3);
    const tokens = [...new Set(given), owner.token].map((text) => secret('a token', text));
    expect(leaks([{ name: 'the log', text: world().logs.join('') }, ...(await rowsOf(world().gateway.database.pool))], tokens)).toEqual([]);
  });
});
