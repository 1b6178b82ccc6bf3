import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { HttpRequest } from './client.js';
import type { Workload } from './workloads.js';

/** Something that answers the workloads. */
export interface Target {
  name: string;
  origin: string;
  /** Null: a process that is not ours. */
  pid: number | null;
  requests(workload: Workload): HttpRequest[];
  stop(): Promise<void>;
}

const json = { 'content-type': 'application/json' };

export async function startFloor(port: number, env: Record<string, string>, token: string): Promise<Target> {
  const child = await start(['--import', 'tsx', `${import.meta.dirname}/floor.ts`], { ...env, PORT: String(port) });
  return {
    name: 'floor',
    origin: `http://127.0.0.1:${port}`,
    pid: child.pid ?? null,
    requests: ({ name, query, variables }) =>
      variables.map((values) => ({
        method: 'POST',
        path: `/${name}`,
        headers: { ...json, authorization: `Bearer ${token}` },
        body: Buffer.from(JSON.stringify({ query, variables: values })),
      })),
    stop: () => stop(child),
  };
}

/** @param env what differs from production's defaults */
export async function startDocgate(name: string, port: number, env: Record<string, string>, token: string): Promise<Target> {
  const child = await start(['--enable-source-maps', '--max-semi-space-size=32', `${import.meta.dirname}/../dist/main.js`], {
    ...env,
    PORT: String(port),
  });
  const origin = `http://127.0.0.1:${port}`;
  return { ...graphqlTarget(name, `${origin}/graphql`, token), pid: child.pid ?? null, stop: () => stop(child) };
}

/** Any GraphQL server over the same data. */
export function graphqlTarget(name: string, url: string, token: string): Target {
  const { origin, pathname } = new URL(url);
  return {
    name,
    origin,
    pid: null,
    requests: ({ query, variables }) =>
      variables.map((values) => ({
        method: 'POST',
        path: pathname,
        headers: { ...json, accept: 'application/json', authorization: `Bearer ${token}` },
        body: Buffer.from(JSON.stringify({ query, variables: values })),
      })),
    stop: async () => undefined,
  };
}

/** Starts a node process and waits for the first line that it prints. */
async function start(args: string[], env: Record<string, string>): Promise<ChildProcess> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${args.at(-1)} did not start`);
  });
  await Promise.race([once(lines, 'line'), ended]);
  ended.catch(() => undefined);
  // Whatever else it prints must not fill the pipe.
  child.stdout.resume();
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  // One that crashed says nothing any more.
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
