import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { World } from './world.js';

/** A gateway in a process of its own, over the database and the files of a world. */
export interface Child {
  process: ChildProcess;
  address: string;
}

/** Starts test/durability.child.ts: it kills itself the `times`-th time that it comes by `point`. Resolves when it serves, or is dead. */
export async function startGateway(
  { gateway: { settings } }: World,
  point: string,
  times: number,
  job: 'serving' | 'moving' = 'serving',
): Promise<Child> {
  const script = fileURLToPath(new URL('./durability.child.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, point, String(times), job], {
    env: {
      ...process.env,
      DATA_DIR: settings.dataDir,
      DATABASE_URL: settings.databaseUrl ?? '',
      JWT_SECRET: 'a secret of the tests, longer than 32 bytes',
      LOG_LEVEL: 'silent',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [address] = await Promise.race([once(child.stdout ?? child, 'data'), once(child, 'exit')]);
  return { process: child, address: String(address).trim() };
}
