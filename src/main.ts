import type { FastifyInstance } from 'fastify';
import { demoShareToken, seed } from '../prisma/seed.js';
import { exampleTabs } from './demo/examples.js';
import { startScreen } from './demo/screen.js';
import { demoTokens } from './demo/tokens.js';
import { readSettings } from './env.js';
import { appOf, type Gateway, openGateway } from './gateway.js';
import { startMover } from './jobs/mover.js';
import { startSweeper } from './jobs/sweeper.js';

interface Job {
  stop: () => Promise<void>;
}

async function start(): Promise<void> {
  const gateway = await openGateway(readSettings());
  const { settings, services, database, jwtSecret } = gateway;
  if (settings.seed) await seed(services);
  // Tokens that open everything are for the embedded default alone.
  const tokens = database.embedded && !settings.production && jwtSecret ? demoTokens(jwtSecret, settings) : [];
  const app = await appOf(gateway, exampleTabs(tokens.find((token) => token.role === 'admin')?.token ?? null));
  const jobs = [await startSweeper(services, database.embedded), await startMover(services, database.embedded)];
  const address = await app.listen({ port: settings.port, host: settings.host });
  const share = tokens.length > 0 ? await demoShareToken(services) : null;
  process.stdout.write(startScreen(settings.publicUrl ?? address, { tokens, share, graphiql: settings.graphiql }));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(gateway, app, jobs));
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

try {
  await start();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.name === 'Error' ? error.stack : error.message) : String(error)}\n`);
  process.exit(1);
}
