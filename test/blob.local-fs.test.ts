import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import {
  chmod,
  chown,
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLocalFsStore, type LocalFsStore, prepareLocalFs } from '../src/blob/local-fs.js';

// Passed through, until a test makes one of them fail as a disk does.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, open: vi.fn(real.open), link: vi.fn(real.link) };
});

const bytes = (text: string) => Readable.from([Buffer.from(text)]);
const fault = (code: string) => Object.assign(new Error(`${code}: failed, open '/srv/secret/path'`), { code });

let base: string;
let root: string;
let store: LocalFsStore;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'docgate-local-'));
  root = join(base, 'root');
  await prepareLocalFs(root);
  store = createLocalFsStore(root);
});
afterEach(async () => {
  vi.mocked(open).mockReset();
  vi.mocked(link).mockReset();
  await rm(base, { recursive: true });
});

async function keys(): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list('')) found.push(key);
  return found.sort();
}
const drafts = () => readdir(join(root, '.tmp'));

describe('preparing', () => {
  it('makes a folder at any depth durable, once, and refuses one that it may not make', async () => {
    const deep = join(base, 'x', 'y', 'z');
    await prepareLocalFs(deep);
    expect(
      vi
        .mocked(open)
        .mock.calls.slice(-4)
        .map(([path]) => path),
    ).toEqual([deep, join(base, 'x', 'y'), join(base, 'x'), base]);
    await createLocalFsStore(deep).put('kept', bytes('x'));
    await prepareLocalFs(deep);
    expect(await createLocalFsStore(deep).head('kept')).toMatchObject({ size: 1 });
    await expect(prepareLocalFs(join(deep, 'kept', 'under'))).rejects.toMatchObject({ name: 'StorageError', reason: 'UNKNOWN' });
  });
});

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
    await expect(store.put(key, body)).rejects.toMatchObject(refused);
    expect(body.destroyed).toBe(true);
    await expect(store.get(key)).rejects.toMatchObject(refused);
    await expect(store.head(key)).rejects.toMatchObject(refused);
    await expect(store.delete(key)).rejects.toMatchObject(refused);
    expect(await readdir(base)).toEqual(['root']);
    expect(await readdir(root)).toEqual(['.tmp']);
  });

  it.each(['../', '/etc/', 'a/../../', '.tmp/', '\0/'])('prefix %j is refused', async (prefix) => {
    await expect(store.list(prefix)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
  });
});

describe('symbolic links planted in the root', () => {
  beforeEach(async () => {
    await mkdir(join(base, 'outside'));
    await writeFile(join(base, 'outside', 'secret'), 'secret');
    await symlink(join(base, 'outside'), join(root, 'folder'));
    await symlink(join(base, 'outside', 'secret'), join(root, 'file'));
  });

  it.each(['folder/secret', 'file'])('%s is not read', async (key) => {
    await expect(store.get(key)).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await expect(store.head(key)).rejects.toMatchObject({ reason: 'FORBIDDEN' });
  });

  it('nothing is written, made, listed or deleted behind them', async () => {
    await expect(store.put('folder/new', bytes('x'))).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await expect(store.put('folder/deep/new', bytes('x'))).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await expect(store.put('file', bytes('x'))).rejects.toMatchObject({ reason: 'ALREADY_EXISTS' });
    await expect(store.delete('folder/secret')).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await expect(store.list('folder/')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await store.delete('file');
    expect(await keys()).toEqual([]);
    expect(await readFile(join(base, 'outside', 'secret'), 'utf8')).toBe('secret');
    expect(await readdir(join(base, 'outside'))).toEqual(['secret']);
  });

  it('in place of the temporary folder stop writing and sweeping', async () => {
    await rm(join(root, '.tmp'), { recursive: true });
    await symlink(join(base, 'outside'), join(root, '.tmp'));
    await expect(store.put('new', bytes('x'))).rejects.toMatchObject({ reason: 'UNREACHABLE' });
    await expect(store.sweepTemporary(-60_000)).rejects.toMatchObject({ reason: 'UNREACHABLE' });
    expect(await readdir(join(base, 'outside'))).toEqual(['secret']);
  });
});

describe('a folder that is not there, as when its disk is not mounted', () => {
  it.each(['gone', 'empty'])('(%s) is UNREACHABLE, never a lost object, and is not written to', async (state) => {
    await store.put('a/b', bytes('x'));
    await rename(root, join(base, 'elsewhere'));
    if (state === 'empty') await mkdir(root);
    const unreachable = { reason: 'UNREACHABLE', code: 'UNAVAILABLE' };
    await expect(store.get('a/b')).rejects.toMatchObject(unreachable);
    await expect(store.head('a/b')).rejects.toMatchObject(unreachable);
    await expect(store.delete('a/b')).rejects.toMatchObject(unreachable);
    await expect(store.put('a/c', bytes('x'))).rejects.toMatchObject(unreachable);
    await expect(keys()).rejects.toMatchObject(unreachable);
    const checks = await store.probe();
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual([['reach', false]]);
    expect(checks[0]?.detail).toMatch(/disk is mounted/);
    expect(existsSync(join(root, 'a'))).toBe(false);
  });
});

describe('a killed process', () => {
  it('leaves no object, and the sweep removes what it left', async () => {
    const script = `
      import { PassThrough } from 'node:stream';
      import { createLocalFsStore } from ${JSON.stringify(new URL('../src/blob/local-fs.ts', import.meta.url).href)};
      const source = new PassThrough();
      createLocalFsStore(${JSON.stringify(root)}).put('half/done', source);
      source.write(Buffer.alloc(1_000_000), () => process.stdout.write('written'));
      // A pending upload alone does not keep a process alive.
      setInterval(() => undefined, 1000);
    `;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    await once(child.stdout, 'data');
    await vi.waitFor(async () => expect((await stat(join(root, '.tmp', String(await drafts())))).size).toBeGreaterThan(0));
    child.kill('SIGKILL');
    expect(await exited).toEqual([null, 'SIGKILL']);
    expect(await keys()).toEqual([]);
    await expect(store.head('half/done')).rejects.toMatchObject({ reason: 'NOT_FOUND' });
    expect(await drafts()).toHaveLength(1);
    expect(await store.sweepTemporary(60_000)).toBe(0);
    expect(await store.sweepTemporary(-1000)).toBe(1);
    expect(await drafts()).toEqual([]);
    await store.put('half/done', bytes('again'));
  });

  it('and its sweep leave a running upload and every object alone', async () => {
    await store.put('kept', bytes('kept'));
    await utimes(join(root, 'kept'), 0, 0);
    await writeFile(join(root, '.tmp', 'old'), 'x');
    await utimes(join(root, '.tmp', 'old'), 0, 0);
    const source = new PassThrough();
    source.write('run');
    const running = store.put('running', source);
    await vi.waitFor(async () => expect(await drafts()).toHaveLength(2));
    expect(await store.sweepTemporary(60_000)).toBe(1);
    source.end('ning');
    await running;
    expect(String(await buffer(await store.get('running')))).toBe('running');
    expect(await keys()).toEqual(['kept', 'running']);
  });

  it('or a sweep under a stalled upload makes that upload fail, not its bytes vanish', async () => {
    const source = new PassThrough();
    source.write('stalled');
    const stored = store.put('stalled', source);
    await vi.waitFor(async () => expect(await drafts()).toHaveLength(1));
    await store.sweepTemporary(-60_000);
    source.end();
    await expect(stored).rejects.toMatchObject({ reason: 'UNKNOWN' });
    expect(await keys()).toEqual([]);
  });
});

describe('a disk that fails', () => {
  /** Lets the n-th file or folder that is opened from now on fail in one of its methods. */
  async function failOn(method: 'appendFile' | 'sync' | 'close', code: string, nth = 1): Promise<void> {
    const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises');
    let opened = 0;
    vi.mocked(open).mockImplementation(async (...args) => {
      const file = await real.open(...args);
      opened += 1;
      if (opened !== nth) return file;
      const close = file.close.bind(file);
      file[method] = async () => {
        if (method === 'close') await close();
        throw fault(code);
      };
      return file;
    });
  }

  it.each([
    ['appendFile', 'ENOSPC', /full/],
    ['appendFile', 'EDQUOT', /quota/],
    ['appendFile', 'EIO', /log/],
    ['sync', 'EIO', /log/],
    ['sync', 'ENOSPC', /full/],
    ['close', 'EDQUOT', /quota/],
  ] as const)('in %s with %s leaves nothing and says so in plain words', async (method, code, words) => {
    await failOn(method, code);
    const error = await store.put('a/b', bytes('x')).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ reason: 'UNKNOWN', code: 'UNAVAILABLE', message: expect.stringMatching(words) });
    expect(String(error)).not.toContain('/srv');
    vi.mocked(open).mockReset();
    expect(await keys()).toEqual([]);
    expect(await drafts()).toEqual([]);
  });

  it.each([2, 3])('when syncing folder %i of the path takes the object back', async (nth) => {
    await failOn('sync', 'EIO', nth);
    await expect(store.put('a/b', bytes('x'))).rejects.toMatchObject({ reason: 'UNKNOWN' });
    vi.mocked(open).mockReset();
    expect(await keys()).toEqual([]);
    await store.put('a/b', bytes('x'));
  });

  it('to keep a deletion does not report it as done', async () => {
    await store.put('a', bytes('x'));
    await failOn('sync', 'EIO');
    await expect(store.delete('a')).rejects.toMatchObject({ reason: 'UNKNOWN' });
  });

  it('or has no hard links is named as what it is', async () => {
    vi.mocked(link).mockRejectedValue(fault('EPERM'));
    await expect(store.put('a', bytes('x'))).rejects.toMatchObject({ reason: 'UNSUPPORTED', message: expect.stringMatching(/hard links/) });
    expect(await store.probe()).toContainEqual(expect.objectContaining({ name: 'write', ok: false }));
    expect(await drafts()).toEqual([]);
  });

  it('while reading is not taken for a missing object', async () => {
    await store.put('a', bytes('x'));
    vi.mocked(open).mockRejectedValueOnce(fault('EIO'));
    await expect(store.get('a')).rejects.toMatchObject({ reason: 'UNKNOWN' });
    vi.mocked(open).mockRejectedValueOnce(fault('EMFILE'));
    await expect(store.get('a')).rejects.toMatchObject({ reason: 'UNKNOWN' });
  });
});

describe('rights', () => {
  const nobody = 65534;
  const isRoot = process.geteuid?.() === 0;
  afterEach(async () => {
    if (isRoot) process.seteuid?.(0);
    for (const path of [root, join(root, '.tmp')]) await chmod(path, 0o700);
  });

  /** Root may do anything anywhere, so it steps down first. */
  async function withRights(mode: number): Promise<void> {
    if (isRoot) for (const path of [base, root, join(root, '.tmp')]) await chown(path, nobody, nobody);
    for (const path of [join(root, '.tmp'), root]) await chmod(path, mode);
    if (isRoot) process.seteuid?.(nobody);
  }

  it('that do not let it write are FORBIDDEN, without a path', async () => {
    await store.put('there', bytes('x'));
    await withRights(0o500);
    const error = await store.put('new', bytes('x')).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ reason: 'FORBIDDEN', code: 'STORAGE_REFUSED' });
    expect(String(error)).not.toContain(base);
    await expect(store.delete('there')).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    expect((await store.probe()).find(({ ok }) => !ok)).toMatchObject({ name: 'write', detail: expect.stringMatching(/right/) });
  });

  it('that do not let it look are not a missing object', async () => {
    await withRights(0o000);
    await expect(store.get('a/b')).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    await expect(store.head('a')).rejects.toMatchObject({ reason: 'FORBIDDEN' });
  });

  it('are the owner’s only on what it makes', async () => {
    await store.put('a/b', bytes('x'));
    const modes = await Promise.all(
      ['', '.tmp', 'a', 'a/b'].map(async (path) => ((await stat(join(root, path))).mode & 0o777).toString(8)),
    );
    expect(modes).toEqual(['700', '700', '700', '600']);
  });
});

describe.skipIf(!existsSync('/proc/self/fd'))('file descriptors', () => {
  const descriptors = () => readdirSync('/proc/self/fd').length;

  it('are freed by 500 readers that stop half-way, and by failed reads', async () => {
    await store.put('big', Readable.from([Buffer.alloc(1_000_000)]));
    const before = descriptors();
    for (let i = 0; i < 500; i += 1) {
      const stream = await store.get('big');
      if (i % 2) await once(stream, 'readable');
      stream.destroy();
      await once(stream, 'close');
    }
    for (let i = 0; i < 50; i += 1) await store.get('big', { range: { start: 1_000_000, end: 1_000_001 } }).catch(() => undefined);
    expect(descriptors()).toBeLessThanOrEqual(before + 2);
  });

  it('are freed by cut uploads and lists', async () => {
    for (let i = 0; i < 50; i += 1) await store.put(`many/${i}`, bytes('x'));
    const before = descriptors();
    for (let i = 0; i < 100; i += 1) {
      for await (const _ of store.list('many/')) break;
      const source = new PassThrough();
      source.write('x');
      const stored = store.put('cut', source);
      await sleep(1);
      source.destroy();
      await expect(stored).rejects.toMatchObject({ reason: 'UNKNOWN' });
    }
    expect(descriptors()).toBeLessThanOrEqual(before + 2);
  });
});

it('does not wait for ever on a planted pipe', async () => {
  await once(spawn('mkfifo', [join(root, 'pipe')]), 'exit');
  await expect(store.get('pipe')).rejects.toMatchObject({ reason: 'NOT_FOUND' });
});
