import { randomUUID } from 'node:crypto';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { print } from 'graphql';
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { signToken } from '../src/auth/token.js';
import { type Role, roles, type Scope } from '../src/auth/viewer.js';
import { createContext, type RequestContext } from '../src/context.js';
import { readSettings } from '../src/env.js';
import { appOf, type Gateway, openGateway } from '../src/gateway.js';
import { migratedDatabase, migratedDir, scratchDir, serverUrl } from './db.scratch.js';
import { UploadFilesDocument, type UploadFilesMutation } from './generated/graphql.js';
import { graphqlUpload, type UploadFile } from './multipart.js';

const SECRET = 'a secret of the tests, longer than 32 bytes';

/** A user of a tenant, and what the token allows. */
export interface Actor {
  tenantId: string;
  userId: string;
  role: Role | null;
  scopes: readonly Scope[];
  token: string;
}

interface GraphqlAnswer {
  // What a test selects is known to the test alone.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  data: any;
  errors?: { message: string; path?: (string | number)[]; extensions: { code: string; fields?: { path: string }[] } }[];
}

/** A whole gateway on a database of its own: PGlite, or the server of TEST_DATABASE_URL. */
export interface World {
  app: FastifyInstance;
  gateway: Gateway;
  /** What starts another gateway over the same database and files. */
  environment: Record<string, string>;
  /** Someone with this role, or with just these scopes; of a new tenant unless one is given. */
  actor(who: Role | Scope[], tenantId?: string): Actor;
  inject(actor: Actor | null, options: InjectOptions): Promise<LightMyRequestResponse>;
  /** Runs an operation as a client does, over HTTP. */
  graphql(actor: Actor | null, query: string, variables?: object): Promise<GraphqlAnswer>;
  /** Runs a typed operation of test/operations and answers its data; throws when GraphQL itself refuses it. */
  execute<Data, Variables extends object>(
    actor: Actor | null,
    operation: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data>;
  /** Stores files with a document, as the GraphQL multipart request specification says. */
  upload(actor: Actor, documentId: string, files: UploadFile[]): Promise<UploadFilesMutation['uploadFiles']>;
  /** The lines logged so far, on worlds whose LOG_LEVEL is not silent. */
  logs: string[];
  /** For calling services directly. */
  context(actor: Actor | null): RequestContext;
}

/** Opens a world before the tests of a file and closes it after them. Use it as `world()` inside tests. */
export function useWorld(environment: Record<string, string> = {}): () => World {
  let world: (World & { close(): Promise<void> }) | undefined;
  beforeAll(async () => {
    world = await openWorld(environment);
  });
  afterAll(() => world?.close());
  return () => {
    if (!world) throw new Error('the world is there inside tests only');
    return world;
  };
}

async function openWorld(environment: Record<string, string>): Promise<World & { close(): Promise<void> }> {
  const home = await (serverUrl ? scratchDir() : migratedDir());
  const server = serverUrl ? await migratedDatabase() : null;
  const settings = readSettings({
    DATA_DIR: home.dir,
    DATABASE_URL: server?.url,
    JWT_SECRET: SECRET,
    LOG_LEVEL: 'silent',
    SEED: 'false',
    ...environment,
  });
  const logs: string[] = [];
  const gateway = await openGateway(settings, { write: (line) => logs.push(line) });
  const app = await appOf(gateway, null);
  const inject: World['inject'] = (actor, options) =>
    app.inject({ ...options, headers: { ...(actor && { authorization: `Bearer ${actor.token}` }), ...options.headers } });
  const graphql: World['graphql'] = async (actor, query, variables) =>
    (await inject(actor, { method: 'POST', url: '/graphql', payload: { query, variables } })).json();
  return {
    app,
    gateway,
    environment: { DATA_DIR: home.dir, DATABASE_URL: server?.url ?? '', JWT_SECRET: SECRET, LOG_LEVEL: 'silent' },
    logs,
    actor: createActor,
    inject,
    graphql,
    async execute(actor, operation, variables) {
      const { data, errors } = await graphql(actor, print(operation), variables);
      if (errors) throw new Error(JSON.stringify(errors));
      return data;
    },
    async upload(actor, id, files) {
      const answer = (await inject(actor, graphqlUpload(print(UploadFilesDocument), { id }, files))).json();
      if (answer.errors) throw new Error(JSON.stringify(answer.errors));
      return answer.data.uploadFiles;
    },
    context: (actor) =>
      createContext(gateway.services, {
        requestId: 'test',
        baseUrl: 'http://localhost',
        viewer: actor && { userId: actor.userId, tenantId: actor.tenantId, scopes: new Set(actor.scopes) },
      }),
    async close() {
      await app.close();
      await gateway.services.renderer.close();
      await gateway.database.close();
      await server?.remove();
      await home.remove();
    },
  };
}

export function createActor(who: Role | Scope[], tenantId: string = randomUUID()): Actor {
  const userId = randomUUID();
  const role = Array.isArray(who) ? null : who;
  const scopes: readonly Scope[] = Array.isArray(who) ? who : roles[who];
  const token = signToken(SECRET, { issuer: 'docgate', audience: 'docgate', userId, tenantId, scope: scopes.join(' '), expiresIn: 3600 });
  return { tenantId, userId, role, scopes, token };
}

/** The SQL statements that reach the database while `work` runs, without those that only frame a transaction. */
export async function statementsOf<Result>(work: () => Promise<Result>): Promise<{ result: Result; statements: string[] }> {
  const statements: string[] = [];
  const original = pg.Client.prototype.query;
  // The method has six overloads; it is passed on whatever it was given.
  const watched = function (this: pg.Client, ...args: unknown[]) {
    const [query] = args;
    const text = typeof query === 'string' ? query : (query as { text?: string }).text;
    if (text && !/^(BEGIN|COMMIT|ROLLBACK|SET|DISCARD|DEALLOCATE)/i.test(text)) statements.push(text);
    return Reflect.apply(original, this, args);
  };
  pg.Client.prototype.query = watched as typeof original;
  try {
    return { result: await work(), statements };
  } finally {
    pg.Client.prototype.query = original;
  }
}
