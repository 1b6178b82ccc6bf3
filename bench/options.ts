import { parseArgs } from 'node:util';

export interface Options {
  /** Each target is measured this often for each workload; the median counts. */
  rounds: number;
  /** How long a round takes. */
  seconds: number;
  /** How long each target is warmed up for each workload, in seconds. */
  warmup: number;
  connections: number;
  documents: number;
  /** Names of workloads; null: all. */
  only: string[] | null;
  /** Without the planned reads as well; they are what `PLAN=off` switches off. */
  unplanned: boolean;
  port: number;
  dir: string;
  /** A GraphQL endpoint that is sent the same operations with the same token. */
  peer: string | null;
  smoke: boolean;
  /** What is measured instead of the workloads; see main.ts. */
  sections: Section[];
}

const sectionNames = ['growth', 'processes', 'busy', 'leak', 'startup'] as const;
export type Section = (typeof sectionNames)[number];

export function readOptions(args: string[]): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: {
      rounds: text,
      seconds: text,
      warmup: text,
      connections: text,
      documents: text,
      only: text,
      port: text,
      dir: text,
      peer: text,
      smoke: { type: 'boolean', default: false },
      unplanned: { type: 'boolean', default: false },
      ...Object.fromEntries(sectionNames.map((name) => [name, { type: 'boolean' } as const])),
    },
  });
  const { smoke } = values;
  return {
    rounds: Number(values.rounds ?? (smoke ? 1 : 3)),
    seconds: Number(values.seconds ?? (smoke ? 0.4 : 8)),
    warmup: Number(values.warmup ?? (smoke ? 0.1 : 10)),
    connections: Number(values.connections ?? 32),
    documents: Number(values.documents ?? (smoke ? 4000 : 50_000)),
    only: values.only?.split(',') ?? null,
    unplanned: values.unplanned,
    port: Number(values.port ?? 4500),
    dir: values.dir ?? '/tmp/docgate-bench',
    peer: values.peer ?? null,
    smoke,
    sections: sectionNames.filter((name) => (values as Record<string, unknown>)[name] === true),
  };
}
