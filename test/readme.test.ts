import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { unzip } from './unzip.js';
import { useWorld } from './world.js';

const world = useWorld();

/** Without curl it is left out, except in CI, where it must be there. */
const hasCurl = process.env.CI === 'true' || spawnSync('curl', ['--version']).status === 0;

/** The shell lines of a section of the README. */
async function linesOf(title: string): Promise<string> {
  const readme = await readFile('README.md', 'utf8');
  const section = readme.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
  const lines = /^```sh\n(.*?)^```$/ms.exec(section)?.[1];
  if (lines === undefined) throw new Error(`the README has no shell lines under "${title}"`);
  return lines;
}

test.runIf(hasCurl)('"Migrating a legacy client": its curl lines do what they say, as they stand', { timeout: 60_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'readme-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const address = await world().app.listen({ port: 0, host: '127.0.0.1' });
  const { token } = world().actor('admin');
  const lines = (await linesOf('Migrating a legacy client'))
    .replace(/^URL=.*$/m, `URL=${address}`)
    .replace(/^TOKEN=.*$/m, `TOKEN=${token}`);
  expect(lines).toContain(`URL=${address}\nTOKEN=${token}\n`);
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', lines], { cwd: dir });
  const [tested, list, changed, approved, preview, ...more] = stdout.split(/\n+/).filter((line) => line !== '');
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
