import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { providers } from './blob.drivers.js';
import type { Errand, Outcome } from './blob.large.child.js';

const MiB = 1024 ** 2;
/** Of the object, in bytes; CI takes 1 GiB. */
const size = Number(process.env.TEST_LARGE ?? 64 * MiB);

// What a process holds is told by /proc.
describe.runIf(existsSync('/proc/self/status'))(`an object of ${size / MiB} MiB`, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'docgate-large-'));
    // Packages are found from where the bundle is.
    await symlink(resolve('node_modules'), join(folder, 'node_modules'));
    const asDocgate = { bundle: true, packages: 'external', platform: 'node', format: 'esm', splitting: true } as const;
    await build({ ...asDocgate, entryPoints: ['test/blob.large.child.ts'], outdir: folder, outExtension: { '.js': '.mjs' } });
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(providers)(
    'is written to $name and read back by a process that never holds more than 250 MiB',
    async ({ open }) => {
      const { close, address, dataDir = folder } = await open();
      onTestFinished(close);
      const errand: Errand = { address, dataDir, size };
      const script = join(folder, 'blob.large.child.mjs');
      const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(errand)]);
      const outcome: Outcome = JSON.parse(stdout);
      expect(outcome).toMatchObject({ size, received: outcome.sent });
      expect(outcome.peakMib).toBeLessThanOrEqual(250);
    },
    300_000,
  );
});
