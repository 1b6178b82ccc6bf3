import { load } from './client.js';
import type { Options } from './options.js';
import { rssMib } from './proc.js';
import { markdown } from './sections.js';
import type { Target } from './targets.js';
import type { Workload } from './workloads.js';

/** V8 first collects its old generation after more than 100,000: until then whatever survives once looks like a leak. */
const REQUESTS = 500_000;
const SAMPLES = 10;

/** What memory Docgate holds while it answers 500,000 requests of all kinds in turn, after the warm-up. */
export async function measureLeak(docgate: Target, workloads: Workload[], { connections, warmup, smoke }: Options): Promise<string> {
  const requests = workloads.filter(({ writes }) => !writes).flatMap((workload) => docgate.requests(workload).slice(0, 100));
  const wanted = smoke ? 1000 : REQUESTS;
  await load(docgate.origin, requests, connections, warmup);
  const rows: string[][] = [];
  let done = 0;
  while (done < wanted) {
    done += (await load(docgate.origin, requests, connections, 1, wanted / SAMPLES)).completed;
    rows.push([String(done), String(docgate.pid === null ? '' : rssMib(docgate.pid))]);
  }
  return markdown(['requests', 'resident MiB'], rows);
}
