import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Measured } from './measure.js';
import type { Options } from './options.js';

export interface Result {
  workload: string;
  connections: number;
  measured: Measured[];
}

const columns = ['', 'req/s', 'ratio', 'p50 ms', 'p99 ms', 'CPU ms/req: server', 'PostgreSQL', 'statements'];

/** The results as a table in Markdown. */
export function table(results: Result[]): string {
  const rows = results.flatMap(({ workload, connections, measured }) =>
    measured.map(({ target, median, ratio, statements }) => [
      `${workload} ${target}${connections === 32 ? '' : ` (c = ${connections})`}`,
      median.load.rate.toFixed(0),
      ratio.toFixed(2),
      median.load.p50.toFixed(1),
      median.load.p99.toFixed(1),
      median.cpu?.toFixed(2) ?? '',
      median.databaseCpu.toFixed(2),
      String(statements),
    ]),
  );
  return [columns, columns.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Where and with what it was measured. */
export function setting(options: Options, postgres: string): string {
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: import.meta.dirname })
    .toString()
    .trim();
  const [cpu] = cpus();
  return [
    `Commit ${commit}; Node ${process.version}, ${postgres}; ${cpus().length} × ${cpu?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB.`,
    `${options.documents} documents; medians of ${options.rounds} alternating rounds of ${options.seconds} s after ${options.warmup} s of warm-up.`,
    'Client, servers and PostgreSQL share the CPUs.',
  ].join('\n');
}

export function writeReport(text: string): void {
  const path = join(import.meta.dirname, 'results.md');
  writeFileSync(path, `${text}\n`);
}

export const packageVersion = (): string =>
  (JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as { version: string }).version;
