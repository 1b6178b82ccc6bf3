import { load } from './client.js';
import type { Options } from './options.js';
import type { Server } from './postgres.js';
import { cpuMs } from './proc.js';
import { all, pin } from './processors.js';
import { markdown } from './sections.js';
import type { Target } from './targets.js';
import type { Workload } from './workloads.js';

/**
 * W1 with one process and with two, PostgreSQL on a processor of its own. The client and the workers share the rest, and
 * all of them when there are two: the CPU for a request tells more than the rate.
 *
 * @param start starts Docgate with this many processes
 */
export async function measureProcesses(
  start: (processes: number) => Promise<Target>,
  workload: Workload,
  postgres: Server,
  options: Options,
): Promise<string> {
  const rows: string[][] = [];
  pin(postgres.pid, '1');
  try {
    for (const processes of [1, 2, 1, 2]) {
      const docgate = await start(processes);
      try {
        rows.push([String(processes), ...(await cost(docgate, workload, postgres, options))]);
      } finally {
        await docgate.stop();
      }
    }
  } finally {
    pin(postgres.pid, all);
  }
  return markdown(['processes', 'req/s', 'p50 ms', 'p99 ms', 'CPU ms/req: Docgate', 'PostgreSQL'], rows);
}

async function cost(docgate: Target, workload: Workload, postgres: Server, { connections, seconds, warmup }: Options): Promise<string[]> {
  const cpu = () => ({ docgate: docgate.pid === null ? 0 : cpuMs(docgate.pid, true), postgres: cpuMs(postgres.pid, true) });
  await load(docgate.origin, docgate.requests(workload), connections, warmup);
  const before = cpu();
  const { rate, completed, p50, p99 } = await load(docgate.origin, docgate.requests(workload), connections, seconds);
  const after = cpu();
  const each = (part: 'docgate' | 'postgres') => ((after[part] - before[part]) / completed).toFixed(2);
  return [rate.toFixed(0), p50.toFixed(1), p99.toFixed(1), each('docgate'), each('postgres')];
}
