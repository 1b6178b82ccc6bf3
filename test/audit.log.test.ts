import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { useBundled } from './bundled.js';
import { migratedDir } from './db.scratch.js';

const bundled = useBundled('src/main.ts', 'src/audit-log.ts');

test('the log of a service that was stopped is exported, verified by anyone, and compared with what the database has', async () => {
  const data = await migratedDir();
  onTestFinished(data.remove);
  const env = { PATH: process.env.PATH, DATA_DIR: data.dir, PORT: '0', LOG_LEVEL: 'warn' };
  const auditLog = (...args: string[]) =>
    promisify(execFile)(process.execPath, [bundled('src/audit-log.ts'), ...args], { env, maxBuffer: 64 * 1024 * 1024 }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
    );

  const service = spawn(process.execPath, [bundled('src/main.ts')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void service.kill('SIGKILL'));
  for await (const chunk of service.stdout) if (String(chunk).includes('Try it:')) break;
  expect(await auditLog('verify')).toMatchObject({ code: 2, stderr: expect.stringContaining('in use by process') });
  service.kill('SIGTERM');
  await once(service, 'exit');

  const { code, stdout } = await auditLog('export');
  expect(code).toBe(0);
  const lines = stdout.trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(50);
  const told = expect.stringMatching(new RegExp(`^${lines.length} events in \\d+ histories: all in order\\n$`));
  const file = join(data.dir, 'audit.ndjson');
  await writeFile(file, stdout);
  for (const command of [['verify'], ['verify', file], ['compare', file]]) {
    expect(await auditLog(...command)).toMatchObject({ code: 0, stdout: told });
  }

  await writeFile(file, stdout.replace('document.created', 'document.updated'));
  expect(await auditLog('verify', file)).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/event 1: it was changed.*\n.*: 1 wrong\n$/),
  });
  await writeFile(file, `${await readFile(file, 'utf8')}{}\n`);
  expect(await auditLog('verify', file)).toMatchObject({ code: 2, stderr: expect.stringContaining(`Line ${lines.length + 1} of`) });
  expect(await auditLog('verify', `${file}.not`)).toMatchObject({ code: 2, stderr: expect.stringContaining('no such file') });
  expect(await auditLog('nonsense')).toMatchObject({ code: 2, stderr: expect.stringContaining('npm run -s audit-log -- verify') });
});
