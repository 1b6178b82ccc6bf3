import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { useBundled } from './bundled.js';
import type { World } from './world.js';

/** A gateway in a process of its own, over the database and the files of a world. */
export interface Child {
  process: ChildProcess;
  address: string;
}

/** Starts a gateway that kills itself the `times`-th time that it comes by `point`. Resolves when it serves, or is dead. */
export type StartGateway = (point: string, times: number, job?: 'serving' | 'moving') => Promise<Child>;

/** Starts test/durability.child.ts over a world. Use it inside tests. */
export function useGateways(world: () => World): StartGateway {
  const child = 'test/durability.child.ts';
  const bundled = useBundled(child);
  return async (point, times, job = 'serving') => {
    const started = spawn(process.execPath, [bundled(child), point, String(times), job], {
      env: { ...process.env, ...world().environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [address] = await Promise.race([once(started.stdout ?? started, 'data'), once(started, 'exit')]);
    return { process: started, address: String(address).trim() };
  };
}
