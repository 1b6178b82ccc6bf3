/**
 * `npm run bench`: Docgate against a hand-written floor on the same PostgreSQL, in alternating rounds. Instead of that, one or
 * more of: `--growth` (pages, counts and search; with `--documents 1000000`), `--processes` (CLUSTER), `--busy` (the event loop beside an
 * upload and previews), `--leak` (memory over 500,000 requests), `--startup`. See options.ts.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { signToken } from '../src/auth/token.js';
import { measureBusy } from './busy.js';
import { byteCases } from './bytes.js';
import { loadData } from './data.js';
import { cursorOfPage, measureGrowth } from './growth.js';
import { measureLeak } from './leak.js';
import { type Case, measure } from './measure.js';
import { type Options, readOptions, type Section } from './options.js';
import { type Server, startPostgres } from './postgres.js';
import { peakMib } from './proc.js';
import { measureProcesses } from './processes.js';
import { type Result, setting, table } from './report.js';
import { writeSection } from './sections.js';
import { measureStartup } from './startup.js';
import { graphqlTarget, startDocgate, startFloor, type Target } from './targets.js';
import { tenant, user, type Workload, workloads } from './workloads.js';

const JWT_SECRET = 'the secret of the benchmark, longer than 32 bytes';
const SECRETS_KEYS = Buffer.alloc(32, 7).toString('base64');

const options = readOptions(process.argv.slice(2));
mkdirSync(options.dir, { recursive: true });
execFileSync('npm', ['run', '--silent', 'build'], { cwd: `${import.meta.dirname}/..`, stdio: 'inherit' });
const server = await startPostgres(`${options.dir}/postgres`, options.port);
try {
  await run(options, server);
} finally {
  server.stop();
}

async function run({ dir, port, documents, peer, ...plan }: Options, postgres: Server): Promise<void> {
  const url = postgres.url(`bench_${documents}`);
  const dataDir = `${dir}/data-${documents}`;
  await loadData(url, documents, dataDir, SECRETS_KEYS);
  const token = signToken(JWT_SECRET, {
    issuer: 'docgate',
    audience: 'docgate',
    userId: user,
    tenantId: tenant,
    roles: ['admin'],
    expiresIn: 86_400,
  });
  const env = { DATABASE_URL: url, JWT_SECRET };
  const settings = { ...env, SECRETS_KEYS, DATA_DIR: dataDir, NODE_ENV: 'production', JWT_ISSUER: 'docgate', JWT_AUDIENCE: 'docgate' };
  const docgate: StartDocgate = (name, at, more) => startDocgate(name, at, { ...settings, ...more }, token);
  if (plan.sections.length > 0) {
    for (const section of plan.sections) await measureSection(section, docgate, token, postgres);
    return;
  }
  const targets = [
    await startFloor(port + 1, { ...env, BLOBS: `${dataDir}/blobs/${tenant}/default` }, token),
    await docgate('Docgate', port + 2),
    ...(plan.unplanned ? [await docgate('Docgate, PLAN=off', port + 3, { PLAN: 'off' })] : []),
    ...(peer ? [graphqlTarget('peer', peer, token)] : []),
  ];
  try {
    const results = await measureAll(targets, token, { ...plan, dir, port, documents, peer }, postgres);
    report(results, targets, postgres);
  } finally {
    await stopAll(targets);
  }
}

type StartDocgate = (name: string, port: number, more?: Record<string, string>) => Promise<Target>;

/** One thing besides the workloads, and its section of the report. */
async function measureSection(section: Section, start: StartDocgate, token: string, postgres: Server): Promise<void> {
  const { port } = options;
  if (section === 'startup') return write('Start-up', await measureStartup(options.dir, port + 2), postgres);
  if (section === 'processes') {
    const [w1] = workloads('');
    if (!w1) throw new Error('no W1');
    const cluster = (processes: number) => start('Docgate', port + 2, { CLUSTER: String(processes) });
    return write('Several processes', await measureProcesses(cluster, w1, postgres, options), postgres);
  }
  const docgate = await start('Docgate', port + 2);
  try {
    const all = workloads((await cursorOfPage(docgate, 50)) ?? '');
    if (section === 'growth') write('Growth', await measureGrowth(docgate, token, options.documents), postgres);
    if (section === 'leak') write('Memory', await measureLeak(docgate, all, options), postgres);
    const [w1] = all;
    if (section === 'busy' && w1) write('Event loop', await measureBusy(docgate, token, w1, postgres, options), postgres);
  } finally {
    await docgate.stop();
  }
}

function write(title: string, text: string, { version }: Server): void {
  const body = `${setting(version)}\n\n${text}`;
  process.stdout.write(`## ${title}\n\n${body}\n`);
  if (!options.smoke) writeSection(title, body);
}

async function stopAll(targets: Target[]): Promise<void> {
  for (const target of targets) await target.stop();
}

async function measureAll(targets: Target[], token: string, wanted: Options, postgres: Server): Promise<Result[]> {
  const [, docgate] = targets;
  if (!docgate) throw new Error('Docgate is not running');
  const operations = workloads((await cursorOfPage(docgate, 50)) ?? '').map((workload) => operationCase(workload, wanted));
  // A peer has no files of ours.
  const bytes = await byteCases(docgate, token, wanted);
  const results: Result[] = [];
  for (const workload of [...operations, ...bytes]) {
    if (wanted.only && !wanted.only.includes(workload.name)) continue;
    const able = bytes.includes(workload) ? targets.filter(({ name }) => name === 'floor' || name === 'Docgate') : targets;
    const measured = await measure(workload, able, postgres, wanted);
    const result = { workload: workload.name, connections: workload.connections, measured };
    process.stdout.write(
      `${table([result])
        .split('\n')
        .slice(results.length === 0 ? 0 : 2)
        .join('\n')}\n`,
    );
    results.push(result);
  }
  return results;
}

function operationCase(workload: Workload, { connections }: Options): Case {
  return {
    name: workload.name,
    connections,
    writes: workload.writes ?? false,
    requests: (target) => target.requests(workload),
    essence: (body) => (workload.writes ? shapeOf(JSON.parse(body.toString())) : JSON.parse(body.toString())),
  };
}

/** An answer's keys and types, without its values. */
function shapeOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, shapeOf(part)]));
}

function report(results: Result[], targets: Target[], postgres: Server): void {
  const memory = targets.flatMap(({ name, pid }) => (pid === null ? [] : [`${name} ${peakMib(pid)}`]));
  const { documents, rounds, seconds, warmup } = options;
  const text = [
    `${documents} documents; medians of ${rounds} alternating rounds of ${seconds} s after ${warmup} s of warm-up.`,
    'Ratios are requests per second against a hand-written floor, `bench/floor.ts`, in the same run.',
    '',
    table(results),
    '',
    `Peak memory, MiB: ${memory.join(', ')}.`,
  ].join('\n');
  // Some workloads alone, next to others of another run, could not be told from a run of all.
  if (options.only) process.stdout.write(`\n${setting(postgres.version)}\n${text}\n\nNot written to results.md because of --only.\n`);
  else write('Workloads', text, postgres);
}
