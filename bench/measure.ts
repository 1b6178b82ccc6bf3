import { isDeepStrictEqual } from 'node:util';
import { type HttpRequest, type Load, load } from './client.js';
import type { Server } from './postgres.js';
import { cpuMs } from './proc.js';
import type { Target } from './targets.js';

const TIMES = 3;

/** What one round of a target showed. CPU is in ms per request. */
export interface Round {
  load: Load;
  cpu: number | null;
  databaseCpu: number;
  /** How late the event loop was, 99th percentile in ms; null: not known. */
  loopDelay: number | null;
}

export interface Measured {
  target: string;
  /** The round of the median rate. */
  median: Round;
  /** SQL statements of one request. */
  statements: number;
  ratio: number;
}

export interface Case {
  name: string;
  connections: number;
  /** Whether answers differ by ids and times. */
  writes: boolean;
  requests: (target: Target) => HttpRequest[];
  /** What must be the same in all targets' answers. */
  essence: (body: Buffer) => unknown;
}

interface Plan {
  rounds: number;
  seconds: number;
  warmup: number;
}

/** Measures all targets in alternating rounds, so that whatever else the machine does hits them alike. The first is the floor. */
export async function measure(workload: Case, targets: Target[], server: Server, plan: Plan): Promise<Measured[]> {
  await assertSame(workload, targets);
  const statements = new Map<string, number>();
  for (const target of targets) {
    statements.set(target.name, await statementsOf(target, workload, server));
    await checkedLoad(workload, target, plan.warmup);
  }
  const rounds = new Map<string, Round[]>(targets.map(({ name }) => [name, []]));
  for (let round = 0; round < plan.rounds; round++) {
    for (const target of targets) rounds.get(target.name)?.push(await measureRound(workload, target, server, plan.seconds));
  }
  const medians = targets.map(({ name }) => ({ name, median: medianOf(rounds.get(name) ?? []) }));
  const floor = medians[0]?.median.load.rate ?? Number.NaN;
  return medians.map(({ name, median }) => ({
    target: name,
    median,
    statements: statements.get(name) ?? 0,
    ratio: median.load.rate / floor,
  }));
}

/** The fewest of several times: what happens once, or by the clock, is no part of a request. */
async function statementsOf(target: Target, workload: Case, server: Server): Promise<number> {
  const counts: number[] = [];
  for (let time = 0; time < TIMES; time++) {
    counts.push((await server.statementsOf(() => once(target, workload.requests(target)))).length);
  }
  return Math.min(...counts);
}

async function measureRound(workload: Case, target: Target, server: Server, seconds: number): Promise<Round> {
  const cpu = () => (target.pid === null ? null : cpuMs(target.pid));
  await target.loopDelay?.();
  const before = { cpu: cpu(), database: cpuMs(server.pid, true) };
  const result = await checkedLoad(workload, target, seconds);
  const after = { cpu: cpu(), database: cpuMs(server.pid, true) };
  const each = (from: number, to: number) => (to - from) / Math.max(1, result.completed);
  return {
    load: result,
    cpu: before.cpu === null || after.cpu === null ? null : each(before.cpu, after.cpu),
    databaseCpu: each(before.database, after.database),
    loopDelay: (await target.loopDelay?.())?.p99 ?? null,
  };
}

async function checkedLoad(workload: Case, target: Target, seconds: number): Promise<Load> {
  const result = await load(target.origin, workload.requests(target), workload.connections, seconds);
  const bad = [...result.statuses].filter(([status]) => status < 200 || status > 299);
  if (bad.length > 0 || result.failures > 0) {
    throw new Error(`${workload.name} on ${target.name}: statuses ${JSON.stringify(bad)}, ${result.failures} answers with errors`);
  }
  return result;
}

async function assertSame(workload: Case, targets: Target[]): Promise<void> {
  const answers: { name: string; essence: unknown }[] = [];
  for (const target of targets) {
    const requests = workload.requests(target);
    // The first and the last stand for all.
    const bodies = [await once(target, requests), await once(target, requests.slice(-1))];
    answers.push({ name: target.name, essence: bodies.map((body) => workload.essence(body)) });
  }
  const [floor, ...others] = answers;
  for (const other of others) {
    if (isDeepStrictEqual(other.essence, floor?.essence)) continue;
    throw new Error(`${workload.name}: ${other.name} answers ${show(other.essence)}\nbut the floor ${show(floor?.essence)}`);
  }
}

const show = (value: unknown) => JSON.stringify(value).slice(0, 2000);

export async function once(target: Target, [request]: HttpRequest[]): Promise<Buffer> {
  if (!request) throw new Error('no request');
  const { method, path, headers, body } = request;
  const response = await fetch(target.origin + path, { method, headers, body: body && new Uint8Array(body) });
  return Buffer.from(await response.arrayBuffer());
}

function medianOf(rounds: Round[]): Round {
  const sorted = [...rounds].sort((a, b) => a.load.rate - b.load.rate);
  const median = sorted[Math.floor(sorted.length / 2)];
  if (!median) throw new Error('no rounds');
  return median;
}
