import { link, open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createLocalFsStore, prepareLocalFs } from '../src/blob/local-fs.js';
import { bytes, useFolder } from './blob.local-fs.folder.js';

const { keys, drafts, base, store } = useFolder();

// Passed through, until a test makes one of them fail as a disk does.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, open: vi.fn(real.open), link: vi.fn(real.link) };
});
const fault = (code: string) => Object.assign(new Error(`${code}: failed, open '/srv/secret/path'`), { code });

afterEach(() => {
  vi.mocked(open).mockReset();
  vi.mocked(link).mockReset();
});

describe('preparing', () => {
  it('makes a folder at any depth durable, once, and refuses one that it may not make', async () => {
    const deep = join(base(), 'x', 'y', 'z');
    await prepareLocalFs(deep);
    expect(
      vi
        .mocked(open)
        .mock.calls.slice(-4)
        .map(([path]) => path),
    ).toEqual([deep, join(base(), 'x', 'y'), join(base(), 'x'), base()]);
    await createLocalFsStore(deep).put('kept', bytes('x'));
    await prepareLocalFs(deep);
    expect(await createLocalFsStore(deep).head('kept')).toMatchObject({ size: 1 });
    await expect(prepareLocalFs(join(deep, 'kept', 'under'))).rejects.toMatchObject({ name: 'StorageError', reason: 'UNKNOWN' });
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
    const error = await store()
      .put('a/b', bytes('x'))
      .catch((cause: unknown) => cause);
    expect(error).toMatchObject({ reason: 'UNKNOWN', code: 'UNAVAILABLE', message: expect.stringMatching(words) });
    expect(String(error)).not.toContain('/srv');
    vi.mocked(open).mockReset();
    expect(await keys()).toEqual([]);
    expect(await drafts()).toEqual([]);
  });

  it.each([2, 3])('when syncing folder %i of the path takes the object back', async (nth) => {
    await failOn('sync', 'EIO', nth);
    await expect(store().put('a/b', bytes('x'))).rejects.toMatchObject({ reason: 'UNKNOWN' });
    vi.mocked(open).mockReset();
    expect(await keys()).toEqual([]);
    await store().put('a/b', bytes('x'));
  });

  it('to keep a deletion does not report it as done', async () => {
    await store().put('a', bytes('x'));
    await failOn('sync', 'EIO');
    await expect(store().delete('a')).rejects.toMatchObject({ reason: 'UNKNOWN' });
  });

  it('or has no hard links is named as what it is', async () => {
    vi.mocked(link).mockRejectedValue(fault('EPERM'));
    await expect(store().put('a', bytes('x'))).rejects.toMatchObject({
      reason: 'UNSUPPORTED',
      message: expect.stringMatching(/hard links/),
    });
    expect(await store().probe()).toContainEqual(expect.objectContaining({ name: 'write', ok: false }));
    expect(await drafts()).toEqual([]);
  });

  it('while reading is not taken for a missing object', async () => {
    await store().put('a', bytes('x'));
    vi.mocked(open).mockRejectedValueOnce(fault('EIO'));
    await expect(store().get('a')).rejects.toMatchObject({ reason: 'UNKNOWN' });
    vi.mocked(open).mockRejectedValueOnce(fault('EMFILE'));
    await expect(store().get('a')).rejects.toMatchObject({ reason: 'UNKNOWN' });
  });
});
