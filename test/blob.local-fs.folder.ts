import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach } from 'vitest';
import { createLocalFsStore, type LocalFsStore, prepareLocalFs } from '../src/blob/local-fs.js';

export const bytes = (text: string) => Readable.from([Buffer.from(text)]);

/** A folder of its own for each test, and the store of it. */
export function useFolder() {
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
    await rm(base, { recursive: true });
  });

  async function keys(): Promise<string[]> {
    const found: string[] = [];
    for await (const { key } of store.list('')) found.push(key);
    return found.sort();
  }
  const drafts = () => readdir(join(root, '.tmp'));

  return { keys, drafts, base: () => base, root: () => root, store: () => store };
}
