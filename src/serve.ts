import type { Worker } from 'node:cluster';
import type { FastifyInstance } from 'fastify';
import { demoShareToken, seed } from '../prisma/seed.js';
import { RUN_JOBS } from './cluster.js';
import { exampleTabs } from './demo/examples.js';
import { startScreen } from './demo/screen.js';
import { demoTokens } from './demo/tokens.js';
import type { Settings } from './env.js';
import { appOf, type Gateway, openGateway } from './gateway.js';
import { startMover } from './jobs/mover.js';
import { startSweeper } from './jobs/sweeper.js';

interface Job {
  stop: () => Promise<void>;
}

/**
 * Answers requests until SIGTERM or SIGINT.
 *
 * @param worker which of the processes that share the port this is; null: the only one. The first seeds and shows the
 *   start screen, and one of them runs the jobs.
 */
export async function serve(settings: Settings, worker: Worker | null): Promise<void> {
  const gateway = await openGateway(settings, undefined, worker ? { worker: worker.id } : {});
  const { services, database, jwtSecret } = gateway;
  const first = worker === null || worker.id === 1;
  if (settings.seed && first) await seed(services);
  // Tokens that open everything are for the embedded default alone.
  const tokens = database.embedded && !settings.production && jwtSecret ? demoTokens(jwtSecret, settings) : [];
  const app = await appOf(gateway, exampleTabs(tokens.find((token) => token.role === 'admin')?.token ?? null));
  const jobs: Job[] = [];
  if (worker) worker.on('message', (message) => message === RUN_JOBS && void runJobs(gateway, jobs));
  else await runJobs(gateway, jobs);
  const address = await app.listen({ port: settings.port, host: settings.host });
  stopOnSignal(gateway, app, jobs);
  if (!first) return;
  const share = tokens.length > 0 ? await demoShareToken(services) : null;
  process.stdout.write(startScreen(settings.publicUrl ?? address, { tokens, share, graphiql: settings.graphiql }));
}

async function runJobs({ services, database, log }: Gateway, jobs: Job[]): Promise<void> {
  log.info('this process runs the jobs');
  jobs.push(await startSweeper(services, database.embedded), await startMover(services, database.embedded));
}

function stopOnSignal(gateway: Gateway, app: FastifyInstance, jobs: Job[]): void {
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // Control-C reaches all processes of a terminal, and the primary passes it on as well.
      if (!stopping) void stop(gateway, app, jobs);
      stopping = true;
    });
  }
}

/** No new requests; those that run may finish within the grace period. */
async function stop({ settings, services, database, log }: Gateway, app: FastifyInstance, jobs: Job[]): Promise<void> {
  log.info('stopping');
  const late = setTimeout(() => {
    log.warn('some requests did not finish in time');
    process.exit(0);
  }, settings.shutdownGrace * 1000);
  await app.close();
  await Promise.all(jobs.map((job) => job.stop()));
  await services.renderer.close();
  await database.close();
  clearTimeout(late);
  process.exit(0);
}
