import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { providers } from './blob.drivers.js';
import type { Errand, Outcome } from './blob.large.child.js';
import { useBundled } from './bundled.js';

const MiB = 1024 ** 2;
/** Of the object, in bytes; CI takes 1 GiB. */
const size = Number(process.env.TEST_LARGE ?? 64 * MiB);

// What a process holds is told by /proc.
describe.runIf(existsSync('/proc/self/status'))(`an object of ${size / MiB} MiB`, () => {
  const child = 'test/blob.large.child.ts';
  const bundled = useBundled(child);

  it.each(providers)(
    'is written to $name and read back by a process that never holds more than 250 MiB',
    async ({ open }) => {
      const { close, address, dataDir = '' } = await open();
      onTestFinished(close);
      const errand: Errand = { address, dataDir, size };
      const { stdout } = await promisify(execFile)(process.execPath, [bundled(child), JSON.stringify(errand)]);
      const outcome: Outcome = JSON.parse(stdout);
      expect(outcome).toMatchObject({ size, received: outcome.sent });
      expect(outcome.peakMib).toBeLessThanOrEqual(250);
    },
    300_000,
  );
});
