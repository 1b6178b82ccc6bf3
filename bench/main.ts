/**
 * `npm run bench`: Docgate against a hand-written floor on the same PostgreSQL, in alternating rounds. See options.ts.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { signToken } from '../src/auth/token.js';
import { byteCases } from './bytes.js';
import { loadData } from './data.js';
import { type Case, measure, once } from './measure.js';
import { type Options, readOptions } from './options.js';
import { type Server, startPostgres } from './postgres.js';
import { peakMib } from './proc.js';
import { type Result, setting, table, writeReport } from './report.js';
import { graphqlTarget, startDocgate, startFloor, type Target } from './targets.js';
import { deepPage, tenant, user, type Workload, workloads } from './workloads.js';

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
  const targets = [
    await startFloor(port + 1, { ...env, BLOBS: `${dataDir}/blobs/${tenant}/default` }, token),
    await startDocgate('Docgate', port + 2, settings, token),
    ...(plan.unplanned ? [await startDocgate('Docgate, PLAN=off', port + 3, { ...settings, PLAN: 'off' }, token)] : []),
    ...(peer ? [graphqlTarget('peer', peer, token)] : []),
  ];
  try {
    const results = await measureAll(targets, token, { ...plan, dir, port, documents, peer }, postgres);
    report(results, targets, postgres);
  } finally {
    for (const target of targets) await target.stop();
  }
}

async function measureAll(targets: Target[], token: string, wanted: Options, postgres: Server): Promise<Result[]> {
  const [, docgate] = targets;
  if (!docgate) throw new Error('Docgate is not running');
  const operations = workloads(await cursorOfPage(docgate, 50)).map((workload) => operationCase(workload, wanted));
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

/** Walks to a page as a client would, and remembers where it begins. */
async function cursorOfPage(target: Target, wanted: number): Promise<string> {
  let after: string | null = null;
  for (let page = 1; page < wanted; page++) {
    const request = target.requests({ name: '', title: '', query: deepPage, variables: [{ after }] });
    const answer = JSON.parse((await once(target, request)).toString()) as {
      data: { documents: { pageInfo: { endCursor: string | null } } };
    };
    const { endCursor } = answer.data.documents.pageInfo;
    if (!endCursor) break;
    after = endCursor;
  }
  if (!after) throw new Error('there is no second page');
  return after;
}

function report(results: Result[], targets: Target[], postgres: Server): void {
  const memory = targets.flatMap(({ name, pid }) => (pid === null ? [] : [`${name} ${peakMib(pid)}`]));
  const text = [
    '# Speed',
    '',
    '`npm run bench` wrote this page. Ratios are requests per second against a hand-written floor, `bench/floor.ts`, in the same run.',
    '',
    setting(options, postgres.version),
    '',
    table(results),
    '',
    `Peak memory, MiB: ${memory.join(', ')}.`,
  ].join('\n');
  process.stdout.write(`\n${text}\n`);
  if (!options.smoke) writeReport(text);
}
