import cors from '@fastify/cors';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import { newId } from './db/id.js';
import { graphqlDoor } from './graphql/door.js';
import type { TrustedDocuments } from './graphql/trusted.js';
import type { GraphiqlTabs } from './graphql/yoga.js';
import { answerUnreadable, limitIdle } from './http/connection.js';
import type { HttpServices } from './http/context.js';
import { type HealthChecks, health } from './http/health.js';
import { takeTurns } from './http/turns.js';
import { restDoor } from './rest/door.js';
import { answerError } from './rest/errors.js';

export interface AppOptions extends HttpServices {
  /** Null: no GraphiQL. */
  graphiql: GraphiqlTabs | null;
  /** Whether queries may be planned. */
  plan: boolean;
  /** The only operations that are answered; null: all are. */
  trusted: TrustedDocuments | null;
  corsOrigins: string[];
  /** Addresses and CIDR ranges of the proxies that say the truth about clients. */
  trustProxy: string[];
  /** How long a client may pause in the middle of a body or an answer, in milliseconds. */
  idleTimeout: number;
  checks: HealthChecks;
}

/** The whole gateway as one HTTP application. Listens to no port by itself: tests inject requests. */
export async function createApp({
  graphiql,
  plan,
  trusted,
  corsOrigins,
  trustProxy,
  idleTimeout,
  checks,
  ...http
}: AppOptions): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: http.services.log as FastifyBaseLogger, // pino's own type would become a parameter of every plugin's.
    // Its lines would show addresses, which may carry a link's signature or a share's token: ours have the route instead.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: (request) => acceptable(request.headers['x-request-id']) ?? newId(),
    routerOptions: { ignoreTrailingSlash: true },
    forceCloseConnections: 'idle',
    // What no route can be found for, such as a path with half a character.
    frameworkErrors: answerError,
    clientErrorHandler: answerUnreadable,
    trustProxy: trustProxy.length > 0 && trustProxy,
  });
  app.decorate('docgate', http);
  takeTurns(app);
  limitIdle(app, idleTimeout);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions, log } = request;
    log.info({ method, route: routeOptions.url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request');
  });
  if (corsOrigins.length > 0) await app.register(cors, () => corsOptions(corsOrigins));
  await app.register(health, { checks });
  await app.register(graphqlDoor, { graphiql, plan, trusted });
  await app.register(restDoor);
  return app;
}

const acceptable = (id: string | string[] | undefined) => (typeof id === 'string' && /^[\w.-]{8,64}$/.test(id) ? id : undefined);

/** What a client of tus reads of an answer. */
const tusHeaders = [
  'tus-resumable',
  'tus-version',
  'tus-extension',
  'tus-max-size',
  'upload-offset',
  'upload-length',
  'upload-metadata',
  'upload-expires',
];

/** A browser's question before a request is answered here; any other OPTIONS by its path, which says what it can do. */
const corsOptions = (origin: string[]) => async (request: FastifyRequest) => ({
  origin,
  preflight: request.headers['access-control-request-method'] !== undefined,
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  exposedHeaders: ['etag', 'content-disposition', 'content-range', 'x-request-id', 'retry-after', 'location', ...tusHeaders],
  maxAge: 600,
});
