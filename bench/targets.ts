import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { HttpRequest } from './client.js';
import type { Workload } from './workloads.js';

/** Something that answers the workloads. */
export interface Target {
  name: string;
  origin: string;
  /** Null: a process that is not ours. */
  pid: number | null;
  requests(workload: Workload): HttpRequest[];
  /** How late the timers of its event loop were since this was asked last, in ms. */
  loopDelay?: () => Promise<LoopDelay>;
  stop(): Promise<void>;
}

export interface LoopDelay {
  p99: number;
  max: number;
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
  const options = ['--enable-source-maps', '--import', `${import.meta.dirname}/loop-delay.mjs`];
  const child = await start([...options, `${import.meta.dirname}/../dist/main.js`], { ...env, PORT: String(port) });
  const loopDelay = async () => {
    child.send('loop delay');
    const [delay] = await once(child, 'message');
    return delay as LoopDelay; // As loop-delay.mjs sends it.
  };
  const origin = `http://127.0.0.1:${port}`;
  return { ...graphqlTarget(name, `${origin}/graphql`, token), pid: child.pid ?? null, loopDelay, stop: () => stop(child) };
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

/** Starts a node process and waits until it listens. */
async function start(args: string[], env: Record<string, string>): Promise<ChildProcess> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const { stdout } = child;
  if (!stdout) throw new Error('no output');
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${args.at(-1)} did not start`);
  });
  await Promise.race([readiness(stdout), ended]);
  ended.catch(() => undefined);
  // Whatever else it prints must not fill the pipe.
  stdout.resume();
  return child;
}

async function readiness(stdout: Readable): Promise<void> {
  for await (const line of createInterface({ input: stdout })) if (/^ready$|Server listening at/.test(line)) return;
}

async function stop(child: ChildProcess): Promise<void> {
  // One that crashed says nothing any more.
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
