import cluster, { type Worker } from 'node:cluster';
import type { BaseLogger } from 'pino';

/** What the primary tells the one worker that shall run what runs by the clock. */
export const RUN_JOBS = 'run the jobs';

/** How long a worker that crashed waits for its successor, in ms: longer each time, until one lives for a while. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 10_000;
const STEADY = 60_000;

interface SupervisorOptions {
  workers: number;
  /** In seconds. */
  shutdownGrace: number;
  log: Pick<BaseLogger, 'info' | 'error' | 'fatal'>;
}

/**
 * Keeps this many copies of the process alive, which share one port. The first starts alone, as it brings the database up
 * to date. One that crashes is replaced; when none is left and none can start, this process ends as the last one did.
 * SIGTERM and SIGINT end all, once their requests are answered.
 */
export function supervise(options: SupervisorOptions): void {
  const supervisor = new Supervisor(options);
  cluster.on('listening', (worker) => supervisor.listens(worker));
  cluster.on('exit', (worker, code) => supervisor.ended(worker, code));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => supervisor.stop());
  supervisor.fork();
}

class Supervisor {
  readonly #workers = new Set<Worker>();
  /** Since when, by the clock of `performance.now`. */
  readonly #listening = new Map<Worker, number>();
  #runsJobs: Worker | null = null;
  #pause = FIRST_PAUSE;
  #stopping = false;

  constructor(private readonly options: SupervisorOptions) {}

  fork(): void {
    if (!this.#stopping) this.#workers.add(cluster.fork());
  }

  listens(worker: Worker): void {
    this.#listening.set(worker, performance.now());
    this.#appoint();
    while (!this.#stopping && this.#workers.size < this.options.workers) this.fork();
  }

  ended(worker: Worker, code: number | null): void {
    const since = this.#listening.get(worker);
    this.#workers.delete(worker);
    this.#listening.delete(worker);
    if (this.#stopping) {
      this.#endWhenAlone();
      return;
    }
    if (this.#workers.size === 0 && since === undefined) {
      this.options.log.fatal({ worker: worker.id }, 'no worker can start');
      process.exit(code || 1);
    }
    if (since !== undefined && performance.now() - since > STEADY) this.#pause = FIRST_PAUSE;
    this.options.log.error({ worker: worker.id, code, pause: this.#pause }, 'a worker died; another takes its place');
    this.#replace();
    if (this.#runsJobs === worker) this.#runsJobs = null;
    this.#appoint();
  }

  #replace(): void {
    setTimeout(() => this.fork(), this.#pause);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.options.log.info('stopping all workers');
    for (const { process: worker } of this.#workers) worker.kill('SIGTERM');
    this.#endWhenAlone();
    // They end by themselves after the grace period.
    setTimeout(() => this.#kill(), this.options.shutdownGrace * 1000 + 5_000);
  }

  #endWhenAlone(): void {
    if (this.#workers.size === 0) process.exit(0);
  }

  #kill(): void {
    for (const { process: worker } of this.#workers) worker.kill('SIGKILL');
  }

  #appoint(): void {
    const [worker = null] = this.#runsJobs ? [this.#runsJobs] : this.#listening.keys();
    if (worker && worker !== this.#runsJobs) worker.send(RUN_JOBS);
    this.#runsJobs = worker;
  }
}
