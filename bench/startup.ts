import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { markdown } from './sections.js';

const ROUNDS = 3;
const root = `${import.meta.dirname}/..`;

/** How long it takes until Docgate answers, on the embedded database as a newcomer has it. */
export async function measureStartup(dir: string, port: number): Promise<string> {
  const dataDir = `${dir}/startup`;
  rmSync(dataDir, { recursive: true, force: true });
  mkdirSync(dataDir, { recursive: true });
  const env = { ...process.env, DATA_DIR: dataDir, PORT: String(port), NODE_ENV: 'development', DATABASE_URL: '', LOG_LEVEL: 'warn' };
  const first = await started(env);
  const later = await medianOf(() => started(env));
  const imported = await medianOf(importTime);
  const rows = [
    ['`npm start`, the first', first],
    ['`npm start`, a later one', later],
    ['import of all modules in a new process', imported],
  ] as const;
  return markdown(
    ['', 's'],
    rows.map(([title, ms]) => [title, (ms / 1000).toFixed(2)]),
  );
}

/** Until the start screen is printed: then the port is open. */
async function started(env: NodeJS.ProcessEnv): Promise<number> {
  const begun = performance.now();
  const child = spawn('npm', ['start', '--silent'], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  const ms = performance.now() - begun;
  await stopGroup(child);
  return ms;
}

async function stopGroup(child: ChildProcess): Promise<void> {
  const ended = once(child, 'close');
  child.stdout?.resume();
  // npm's own child is what listens.
  if (child.pid) process.kill(-child.pid, 'SIGTERM');
  await ended;
}

/** An environment that is refused: everything is loaded by then, and nothing is open. */
async function importTime(): Promise<number> {
  const begun = performance.now();
  const env = { ...process.env, PORT: 'none' };
  const child = spawn(process.execPath, ['--enable-source-maps', `${root}/dist/main.js`], { env, stdio: 'ignore' });
  await once(child, 'exit');
  return performance.now() - begun;
}

async function medianOf(measure: () => Promise<number>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push(await measure());
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN;
}
