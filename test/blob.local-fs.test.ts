import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bytes, useFolder } from './blob.local-fs.folder.js';

const { keys, drafts, base, root, store } = useFolder();

describe('keys', () => {
  it.each([
    '',
    '/',
    '/etc/passwd',
    'a/',
    'a//b',
    '..',
    '../x',
    'a/../b',
    'a/..',
    './a',
    '.tmp/x',
    '.hidden',
    'a/.hidden',
    'a\\b',
    'a\0b',
    'a b',
    'ä',
    'a\n',
    'x'.repeat(201),
    'a/'.repeat(500),
  ])('%j is refused by every method', async (key) => {
    const refused = { reason: 'UNSUPPORTED' };
    const body = bytes('x');
    await expect(store().put(key, body)).rejects.toMatchObject(refused);
    expect(body.destroyed).toBe(true);
    await expect(store().get(key)).rejects.toMatchObject(refused);
    await expect(store().head(key)).rejects.toMatchObject(refused);
    await expect(store().delete(key)).rejects.toMatchObject(refused);
    expect(await readdir(base())).toEqual(['root']);
    expect(await readdir(root())).toEqual(['.tmp']);
  });

  it.each(['../', '/etc/', 'a/../../', '.tmp/', '\0/'])('prefix %j is refused', async (prefix) => {
    await expect(store().list(prefix)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
  });
});

describe('symbolic links planted in the root', () => {
  beforeEach(async () => {
    await mkdir(join(base(), 'outside'));
    await writeFile(join(base(), 'outside', 'secret'), 'secret');
    await symlink(join(base(), 'outside'), join(root(), 'folder'));
    await symlink(join(base(), 'outside', 'secret'), join(root(), 'file'));
  });

  it.each(['folder/secret', 'file'])('%s is not read', async (key) => {
    await expect(store().get(key)).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await expect(store().head(key)).rejects.toMatchObject({ reason: 'FORBIDDEN' });
  });

  it('nothing is written, made, listed or deleted behind them', async () => {
    await expect(store().put('folder/new', bytes('x'))).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await expect(store().put('folder/deep/new', bytes('x'))).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await expect(store().put('file', bytes('x'))).rejects.toMatchObject({ reason: 'ALREADY_EXISTS' });
    await expect(store().delete('folder/secret')).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await expect(store().list('folder/')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await store().delete('file');
    expect(await keys()).toEqual([]);
    expect(await readFile(join(base(), 'outside', 'secret'), 'utf8')).toBe('secret');
    expect(await readdir(join(base(), 'outside'))).toEqual(['secret']);
  });

  it('in place of the temporary folder stop writing and sweeping', async () => {
    await rm(join(root(), '.tmp'), { recursive: true });
    await symlink(join(base(), 'outside'), join(root(), '.tmp'));
    await expect(store().put('new', bytes('x'))).rejects.toMatchObject({ reason: 'UNREACHABLE' });
    await expect(store().sweepTemporary(-60_000)).rejects.toMatchObject({ reason: 'UNREACHABLE' });
    expect(await readdir(join(base(), 'outside'))).toEqual(['secret']);
  });
});

describe('a folder that is not there, as when its disk is not mounted', () => {
  it.each(['gone', 'empty'])('(%s) is UNREACHABLE, never a lost object, and is not written to', async (state) => {
    await store().put('a/b', bytes('x'));
    await rename(root(), join(base(), 'elsewhere'));
    if (state === 'empty') await mkdir(root());
    const unreachable = { reason: 'UNREACHABLE', code: 'UNAVAILABLE' };
    await expect(store().get('a/b')).rejects.toMatchObject(unreachable);
    await expect(store().head('a/b')).rejects.toMatchObject(unreachable);
    await expect(store().delete('a/b')).rejects.toMatchObject(unreachable);
    await expect(store().put('a/c', bytes('x'))).rejects.toMatchObject(unreachable);
    await expect(keys()).rejects.toMatchObject(unreachable);
    const checks = await store().probe();
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual([['reach', false]]);
    expect(checks[0]?.detail).toMatch(/disk is mounted/);
    expect(existsSync(join(root(), 'a'))).toBe(false);
  });
});

describe('a killed process', () => {
  it('leaves no object, and the sweep removes what it left', async () => {
    const script = `
      import { PassThrough } from 'node:stream';
      import { createLocalFsStore } from ${JSON.stringify(new URL('../src/blob/local-fs.ts', import.meta.url).href)};
      const source = new PassThrough();
      createLocalFsStore(${JSON.stringify(root())}).put('half/done', source);
      source.write(Buffer.alloc(1_000_000), () => process.stdout.write('written'));
      // A pending upload alone does not keep a process alive.
      setInterval(() => undefined, 1000);
    `;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    await once(child.stdout, 'data');
    await vi.waitFor(async () => expect((await stat(join(root(), '.tmp', String(await drafts())))).size).toBeGreaterThan(0));
    child.kill('SIGKILL');
    expect(await exited).toEqual([null, 'SIGKILL']);
    expect(await keys()).toEqual([]);
    await expect(store().head('half/done')).rejects.toMatchObject({ reason: 'NOT_FOUND' });
    expect(await drafts()).toHaveLength(1);
    expect(await store().sweepTemporary(60_000)).toBe(0);
    expect(await store().sweepTemporary(-1000)).toBe(1);
    expect(await drafts()).toEqual([]);
    await store().put('half/done', bytes('again'));
  });

  it('and its sweep leave a running upload and every object alone', async () => {
    await store().put('kept', bytes('kept'));
    await utimes(join(root(), 'kept'), 0, 0);
    await writeFile(join(root(), '.tmp', 'old'), 'x');
    await utimes(join(root(), '.tmp', 'old'), 0, 0);
    const source = new PassThrough();
    source.write('run');
    const running = store().put('running', source);
    await vi.waitFor(async () => expect(await drafts()).toHaveLength(2));
    expect(await store().sweepTemporary(60_000)).toBe(1);
    source.end('ning');
    await running;
    expect(String(await buffer(await store().get('running')))).toBe('running');
    expect(await keys()).toEqual(['kept', 'running']);
  });

  it('or a sweep under a stalled upload makes that upload fail, not its bytes vanish', async () => {
    const source = new PassThrough();
    source.write('stalled');
    const stored = store().put('stalled', source);
    await vi.waitFor(async () => expect(await drafts()).toHaveLength(1));
    await store().sweepTemporary(-60_000);
    source.end();
    await expect(stored).rejects.toMatchObject({ reason: 'UNKNOWN' });
    expect(await keys()).toEqual([]);
  });
});

describe('rights', () => {
  const nobody = 65534;
  const isRoot = process.geteuid?.() === 0;
  afterEach(async () => {
    if (isRoot) process.seteuid?.(0);
    for (const path of [root(), join(root(), '.tmp')]) await chmod(path, 0o700);
  });

  /** Root may do anything anywhere, so it steps down first. */
  async function withRights(mode: number): Promise<void> {
    if (isRoot) for (const path of [base(), root(), join(root(), '.tmp')]) await chown(path, nobody, nobody);
    for (const path of [join(root(), '.tmp'), root()]) await chmod(path, mode);
    if (isRoot) process.seteuid?.(nobody);
  }

  it('that do not let it write are FORBIDDEN, without a path', async () => {
    await store().put('there', bytes('x'));
    await withRights(0o500);
    const error = await store()
      .put('new', bytes('x'))
      .catch((cause: unknown) => cause);
    expect(error).toMatchObject({ reason: 'FORBIDDEN', code: 'STORAGE_REFUSED' });
    expect(String(error)).not.toContain(base());
    await expect(store().delete('there')).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    expect((await store().probe()).find(({ ok }) => !ok)).toMatchObject({ name: 'write', detail: expect.stringMatching(/right/) });
  });

  it('that do not let it look are not a missing object', async () => {
    await withRights(0o000);
    await expect(store().get('a/b')).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await expect(store().head('a')).rejects.toMatchObject({ reason: 'FORBIDDEN' });
  });

  it('are the owner’s only on what it makes', async () => {
    await store().put('a/b', bytes('x'));
    const modes = await Promise.all(
      ['', '.tmp', 'a', 'a/b'].map(async (path) => ((await stat(join(root(), path))).mode & 0o777).toString(8)),
    );
    expect(modes).toEqual(['700', '700', '700', '600']);
  });
});

describe.skipIf(!existsSync('/proc/self/fd'))('file descriptors', () => {
  const descriptors = () => readdirSync('/proc/self/fd').length;

  it('are freed by 500 readers that stop half-way, and by failed reads', async () => {
    await store().put('big', Readable.from([Buffer.alloc(1_000_000)]));
    const before = descriptors();
    for (let i = 0; i < 500; i += 1) {
      const stream = await store().get('big');
      if (i % 2) await once(stream, 'readable');
      stream.destroy();
      await once(stream, 'close');
    }
    for (let i = 0; i < 50; i += 1)
      await store()
        .get('big', { range: { start: 1_000_000, end: 1_000_001 } })
        .catch(() => undefined);
    expect(descriptors()).toBeLessThanOrEqual(before + 2);
  });

  it('are freed by cut uploads and lists', async () => {
    for (let i = 0; i < 50; i += 1) await store().put(`many/${i}`, bytes('x'));
    const before = descriptors();
    for (let i = 0; i < 100; i += 1) {
      for await (const _ of store().list('many/')) break;
      const source = new PassThrough();
      source.write('x');
      const stored = store().put('cut', source);
      await sleep(1);
      source.destroy();
      await expect(stored).rejects.toMatchObject({ reason: 'UNKNOWN' });
    }
    expect(descriptors()).toBeLessThanOrEqual(before + 2);
  });
});

it('does not wait for ever on a planted pipe', async () => {
  await once(spawn('mkfifo', [join(root(), 'pipe')]), 'exit');
  await expect(store().get('pipe')).rejects.toMatchObject({ reason: 'NOT_FOUND' });
});
