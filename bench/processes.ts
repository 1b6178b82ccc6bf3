import { load } from './client.js';
import type { Options } from './options.js';
import type { Server } from './postgres.js';
import { childrenOf, cpuMs } from './proc.js';
import { all, pin, ration } from './processors.js';
import { markdown } from './sections.js';
import type { Target } from './targets.js';
import type { Workload } from './workloads.js';

/** What each process may have of a processor in the second half, so that those of a small machine suffice for all. */
const PART = 0.25;

/**
 * W1 with one process and with two, PostgreSQL on a processor of its own, and again with a quarter of a processor for each
 * process. On two processors only the latter shows what two processes do: client and workers share one of them.
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
    for (const part of [null, PART]) {
      for (const processes of [1, 2, 1, 2]) {
        const docgate = await start(processes);
        const undo = part === null ? [] : serversOf(docgate, processes).map((pid) => ration(pid, part));
        try {
          const title = part === null ? String(processes) : `${processes}, each with ${part} of a processor`;
          rows.push([title, ...(await cost(docgate, workload, postgres, options))]);
        } finally {
          await docgate.stop();
          for (const remove of undo) remove();
        }
      }
    }
  } finally {
    pin(postgres.pid, all);
  }
  return markdown(['processes', 'req/s', 'p50 ms', 'p99 ms', 'CPU ms/req: Docgate', 'PostgreSQL'], rows);
}

/** The processes that answer. With several, the one that was started only keeps them alive. */
function serversOf({ pid }: Target, processes: number): number[] {
  if (pid === null) return [];
  return processes === 1 ? [pid] : childrenOf(pid);
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
