import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const BIN = process.env.PG_BIN ?? '/usr/lib/postgresql/15/bin';

/** A PostgreSQL of the benchmark's own: nobody else's data, settings or load. */
export interface Server {
  url: (database: string) => string;
  version: string;
  /** Of the postmaster; its children are the sessions. */
  pid: number;
  /** The statements that reach the server while `work` runs, those that frame a transaction included. */
  statementsOf(work: () => Promise<unknown>): Promise<string[]>;
  stop(): void;
}

/** @param dir kept between runs with its data; nothing else may be in it */
export async function startPostgres(dir: string, port: number): Promise<Server> {
  const log = `${dir}/log`;
  const data = `${dir}/data`;
  mkdirSync(dir, { recursive: true });
  // PostgreSQL refuses to run as root.
  const asServer = process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', 'env'] : ['env'];
  const run = (...command: string[]) => execFileSync(asServer[0] ?? 'env', [...asServer.slice(1), ...command], { stdio: 'pipe', cwd: '/' });
  if (process.getuid?.() === 0) execFileSync('chown', ['postgres:postgres', dir]);
  if (!existsSync(`${data}/PG_VERSION`))
    run(`${BIN}/initdb`, '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8');
  const options = `-p ${port} -k ${dir} -c listen_addresses=127.0.0.1 -c shared_buffers=512MB -c max_connections=100 -c max_wal_size=2GB`;
  rmSync(log, { force: true });
  run(`${BIN}/pg_ctl`, '-D', data, '-l', log, '-w', '-o', options, 'start');
  const url = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`;
  return {
    url,
    version: run(`${BIN}/postgres`, '--version').toString().trim(),
    pid: Number(readFileSync(`${data}/postmaster.pid`, 'utf8').split('\n')[0]),
    statementsOf: (work) => logged(url('postgres'), log, work),
    stop: () => void run(`${BIN}/pg_ctl`, '-D', data, '-m', 'fast', 'stop'),
  };
}

async function logged(url: string, log: string, work: () => Promise<unknown>): Promise<string[]> {
  await configure(url, `ALTER SYSTEM SET log_statement = 'all'`);
  const before = readFileSync(log, 'utf8').length;
  try {
    await work();
    await sleep(200);
    const lines = readFileSync(log, 'utf8').slice(before);
    // A connection that is opened meanwhile sets its time zone: that is no part of any request.
    return [...lines.matchAll(/LOG: {2}(?:execute [^:]+|statement): (?!SET TIME ZONE)(.*)/g)].flatMap(([, text]) => text ?? []);
  } finally {
    await configure(url, `ALTER SYSTEM RESET log_statement`);
  }
}

async function configure(url: string, command: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(command);
    await client.query('SELECT pg_reload_conf()');
  });
  await sleep(300);
}

export async function withClient<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
