import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';

/**
 * Bundles programs before the tests of a file or a block, as `npm run build` does: they start in a third of the time that
 * their sources take. Answers the path of one, inside tests only.
 *
 * @param sources for example "test/move.child.ts"; the service's own programs if left out
 */
export function useBundled(...sources: string[]): (source: string) => string {
  let folder = '';
  beforeAll(async () => {
    // Beside the packages that stay outside of it, and below the migrations.
    folder = await mkdtemp(join('node_modules', '.bundle-'));
    await promisify(execFile)(process.execPath, ['esbuild.config.js', '--outdir', folder, ...sources]);
  });
  afterAll(() => rm(folder, { recursive: true }));
  return (source) => join(folder, basename(source).replace(/ts$/, 'js'));
}
