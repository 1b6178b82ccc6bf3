import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import type { Measured } from './measure.js';
import { markdown } from './sections.js';

export interface Result {
  workload: string;
  connections: number;
  measured: Measured[];
}

const columns = ['', 'req/s', 'ratio', 'p50 ms', 'p99 ms', 'CPU ms/req: server', 'PostgreSQL', 'statements', 'event loop p99 ms'];

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
      median.loopDelay?.toFixed(1) ?? '',
    ]),
  );
  return markdown(columns, rows);
}

/** Where and with what it was measured. @param postgres its version */
export function setting(postgres: string): string {
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: import.meta.dirname })
    .toString()
    .trim();
  const [cpu] = cpus();
  return [
    `Commit ${commit}; Node ${process.version}, ${postgres}; ${cpus().length} × ${cpu?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB.`,
    'Client, servers and PostgreSQL share the CPUs.',
  ].join('\n');
}
