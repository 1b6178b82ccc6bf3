import type { FastifyPluginAsync } from 'fastify';
import type { Logger } from 'pino';

export interface HealthChecks {
  /** Each rejects when its part is not usable. */
  database: () => Promise<void>;
  storage: () => Promise<void>;
}

/** `/health/live`: the process runs. `/health/ready`: it can serve; a load balancer should ask this one. */
export const health: FastifyPluginAsync<{ checks: HealthChecks }> = async (app, { checks }) => {
  app.get('/health/live', { logLevel: 'silent' }, async () => ({ status: 'ok' }));
  app.get('/health/ready', { logLevel: 'silent' }, async (request, reply) => {
    const [database, storage] = await Promise.all([probe(checks.database, request.log), probe(checks.storage, request.log)]);
    const ready = database === 'ok' && storage === 'ok';
    return reply.status(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable', checks: { database, storage } });
  });
};

async function probe(check: () => Promise<void>, log: Pick<Logger, 'warn'>): Promise<'ok' | 'unavailable'> {
  try {
    await check();
    return 'ok';
  } catch (error) {
    log.warn({ err: error }, 'not ready');
    return 'unavailable';
  }
}
