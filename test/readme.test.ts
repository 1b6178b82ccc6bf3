import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startAzurite } from './azurite.js';
import { startGcsDouble } from './gcs.double.js';
import { makeBucket, radosgw } from './radosgw.js';
import { unzip } from './unzip.js';
import { useWorld } from './world.js';

// A port is known only when its server runs, and a world must be told before.
const azuritePort = 10_000 + (process.pid % 5000);
const gcsPort = azuritePort + 5000;
const hosts = [`127.0.0.1:${azuritePort}`, `127.0.0.1:${gcsPort}`, ...(radosgw ? [radosgw.host] : [])];
const world = useWorld({ STORAGE_HOSTS: hosts.join(',') });
let address: string;
beforeAll(async () => {
  address = await world().app.listen({ port: 0, host: '127.0.0.1' });
});

/** Without curl it is left out, except in CI, where it must be there. */
const hasCurl = process.env.CI === 'true' || spawnSync('curl', ['--version']).status === 0;

/** The shell lines of a section of the README; for a part of it, also those that the section begins with. */
async function linesOf(title: string, part?: string): Promise<string> {
  const readme = await readFile('README.md', 'utf8');
  const section = readme.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
  const [beginning = '', ...parts] = section.split(/^### /m);
  const wanted = part === undefined ? [beginning] : [beginning, parts.find((text) => text.startsWith(`${part}\n`)) ?? ''];
  return wanted.map((text) => shellIn(text) ?? expect.fail(`the README has no shell lines under "${title}" ${part ?? ''}`)).join('');
}

const shellIn = (text: string) => /^```sh\n(.*?)^```$/ms.exec(text)?.[1];

/** Runs lines as an admin of a new tenant would. @returns what they print, line by line */
async function run(lines: string, cwd: string): Promise<string[]> {
  const { token } = world().actor('admin');
  const told = lines.replace(/^URL=.*$/m, `URL=${address}`).replace(/^TOKEN=.*$/m, `TOKEN=${token}`);
  expect(told).toContain(`URL=${address}\nTOKEN=${token}\n`);
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', told], { cwd });
  return stdout.split(/\n+/).filter((line) => line !== '');
}

async function newFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'readme-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  return dir;
}

test.runIf(hasCurl)('"Migrating a legacy client": its curl lines do what they say, as they stand', async () => {
  const dir = await newFolder();
  const [tested, list, changed, approved, preview, ...more] = await run(await linesOf('Migrating a legacy client'), dir);
  const [files, refused] = more;
  const json = (line = 'null') => JSON.parse(line);
  expect(json(tested)).toMatchObject({ success: true });
  expect(json(list)).toMatchObject({ count: 1, results: [{ name: 'Passport', category: { name: 'KYC' }, files: [{}, {}] }] });
  expect(json(changed)).toMatchObject({ description: 'Of the applicant', status: 'pending' });
  expect(json(approved)).toMatchObject({ status: 'approved' });
  expect(json(preview)).toMatchObject({ document: { name: 'Passport' }, files: [{ name: 'passport.pdf' }, { name: 'note.txt' }] });
  expect(json(files)).toMatchObject([{ name: 'passport.pdf', content_type: 'application/pdf' }, { name: 'note.txt' }]);
  expect(json(refused)).toMatchObject({ status: 412, code: 'PRECONDITION_FAILED', title: 'precondition failed' });
  expect(await readFile(join(dir, 'beginning'), 'utf8')).toBe('%PDF-1.4');
  expect(
    unzip(await readFile(join(dir, 'all.zip')))
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['note.txt', 'passport.pdf']);
});

describe.runIf(hasCurl)('"Storages": its lines, as they stand but for the values of credentials', () => {
  /** Puts real values where the README has examples. */
  const configured = (lines: string, bucket: string, credentials: object) =>
    lines.replace(/^(S3|AZURE)='(.*)'$/m, (_, variable, example) => {
      expect(Object.keys(credentials)).toEqual([...Object.keys(JSON.parse(`{${example}}`).credentials), 'endpoint']);
      return `${variable}='"bucket": "${bucket}", "credentials": ${JSON.stringify(credentials)}'`;
    });

  async function tryAll(lines: string, dir: string): Promise<void> {
    const [unsaved, created, stored, overRest, ...more] = (await run(lines, dir)).map((line) => JSON.parse(line));
    expect(unsaved.data.testCredential).toMatchObject({ success: true });
    expect(created.data.createStorage).toMatchObject({ id: expect.any(String), config: {} });
    expect(stored.data.testCredential).toMatchObject({ success: true });
    expect(overRest).toMatchObject({ success: true });
    expect(more).toEqual([]);
  }

  test('try and create a folder', async () => tryAll(await linesOf('Storages', '`local_fs`'), await newFolder()));

  test.runIf(radosgw)('try and create a bucket of S3', async () => {
    const lines = await linesOf('Storages', '`aws_s3`');
    await tryAll(configured(lines, await makeBucket(), radosgw?.admin ?? {}), await newFolder());
  });

  test('try and create a bucket of Google, by a double of it', async () => {
    const gcs = await startGcsDouble(gcsPort);
    onTestFinished(() => gcs.stop());
    const dir = await newFolder();
    await writeFile(join(dir, 'key.json'), JSON.stringify({ type: 'service_account', ...gcs.credentials }, null, 2));
    await tryAll((await linesOf('Storages', '`gcp_storage`')).replace('acme-kyc', gcs.makeBucket()), dir);
  });

  test('try and create a container of Azure', async () => {
    const azurite = await startAzurite(azuritePort);
    onTestFinished(() => azurite.stop());
    const lines = await linesOf('Storages', '`azure_blob`');
    await tryAll(configured(lines, await azurite.makeContainer(), azurite.credentials), await newFolder());
  });
});
