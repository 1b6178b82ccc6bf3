import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readSettings, SettingsError } from '../src/env.js';
import { useBundled } from './bundled.js';
import { migratedDatabase, scratchDir, serverUrl } from './db.scratch.js';

test.each(['2', 'auto'])('CLUSTER=%s is refused for the embedded database, with what to do', (CLUSTER) => {
  const act = () => readSettings({ CLUSTER });
  expect(act).toThrow(SettingsError);
  expect(act).toThrow(/CLUSTER: the embedded database belongs to one process; set DATABASE_URL, or leave CLUSTER out/);
});

test.each(['0', '-1', '1.5', '65', 'all'])('CLUSTER=%s is no number of processes', (CLUSTER) => {
  expect(() => readSettings({ CLUSTER, DATABASE_URL: 'postgres://localhost/docgate' })).toThrow(/CLUSTER: a number from 1 to 64, or auto/);
});

/** A line of the log. */
interface Line {
  msg: string;
  worker?: number;
  pid: number;
}

interface Docgate {
  process: ChildProcess;
  lines: Line[];
  errors: () => string;
  exited: Promise<[code: number | null]>;
}

/** Several processes on one database, hence on a server. */
describe.runIf(serverUrl)('two workers on one port', () => {
  const bundled = useBundled();
  let database: Awaited<ReturnType<typeof migratedDatabase>>;
  let data: Awaited<ReturnType<typeof scratchDir>>;
  let running: Docgate | null = null;

  beforeEach(async () => {
    database = await migratedDatabase();
    data = await scratchDir();
  });
  afterEach(async () => {
    running?.process.kill('SIGKILL');
    for (const pid of workersOf(running)) killIfAlive(pid);
    await running?.exited;
    await database.remove();
    await data.remove();
  });

  function start(env: Record<string, string> = {}): Docgate {
    const settings = { CLUSTER: '2', PORT: '0', DATABASE_URL: database.url, DATA_DIR: data.dir, LOG_LEVEL: 'info', SEED: 'off', ...env };
    const child = spawn(process.execPath, [bundled('src/main.ts')], { env: { ...process.env, ...settings } });
    const lines: Line[] = [];
    let errors = '';
    createInterface({ input: child.stdout }).on('line', (text) => text.startsWith('{') && lines.push(JSON.parse(text)));
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    // Its arguments are the code and the signal.
    running = { process: child, lines, errors: () => errors, exited: once(child, 'exit') as Promise<[number | null]> };
    return running;
  }

  test('both answer, one runs the jobs; one that is killed is replaced, also at the jobs; SIGTERM ends all', async () => {
    const docgate = start();
    await until(() => listening(docgate).length === 2);
    const origin = await addressOf(docgate);
    await until(async () => {
      await answers(origin);
      return new Set(named(docgate, 'request').map(({ worker }) => worker)).size === 2;
    });
    const [jobs, ...more] = named(docgate, 'this process runs the jobs');
    expect(more).toEqual([]);
    process.kill(jobs?.pid ?? 0, 'SIGKILL');
    await until(() => named(docgate, 'this process runs the jobs').length === 2 && listening(docgate).length === 3);
    expect(named(docgate, 'a worker died; another takes its place')).toHaveLength(1);
    expect(named(docgate, 'this process runs the jobs')[1]?.pid).not.toBe(jobs?.pid);
    await answers(origin);
    docgate.process.kill('SIGTERM');
    expect(await docgate.exited).toEqual([0, null]);
    expect(workersOf(docgate).filter(isAlive)).toEqual([]);
  });

  test('when none can start, all ends with the reason', async () => {
    const docgate = start({ DATABASE_URL: 'postgres://postgres@127.0.0.1:1/nowhere' });
    expect(await docgate.exited).toEqual([1, null]);
    expect(docgate.errors()).toContain('ECONNREFUSED');
    expect(docgate.lines.map(({ msg }) => msg)).toContain('no worker can start');
  });
});

const named = ({ lines }: Docgate, msg: string) => lines.filter((line) => line.msg === msg);
const listening = ({ lines }: Docgate) => lines.filter(({ msg, worker }) => worker !== undefined && msg.startsWith('Server listening at'));
const workersOf = (docgate: Docgate | null) => [
  ...new Set(docgate?.lines.flatMap(({ pid, worker }) => (worker === undefined ? [] : [pid]))),
];

async function addressOf({ lines }: Docgate): Promise<string> {
  const [, origin = ''] = /listening at (\S+)/.exec(lines.find(({ msg }) => msg.startsWith('Server listening at'))?.msg ?? '') ?? [];
  return origin;
}

/** Without a token. Over a connection of its own: those go to the workers in turn. */
async function answers(origin: string): Promise<void> {
  const response = await fetch(`${origin}/documents/`, { headers: { connection: 'close' } });
  expect(response.status).toBe(401);
  await response.arrayBuffer();
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function killIfAlive(pid: number): void {
  if (isAlive(pid)) process.kill(pid, 'SIGKILL');
}
