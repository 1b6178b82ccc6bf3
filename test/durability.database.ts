import { afterAll, beforeAll } from 'vitest';
import { createContext, type RequestContext } from '../src/context.js';
import { readSettings } from '../src/env.js';
import { type Gateway, openGateway } from '../src/gateway.js';
import { type CommitProxy, startCommitProxy } from './durability.faults.js';
import type { Actor, World } from './world.js';

/** A second gateway over what a world has, whose connections to the database a proxy can break. */
export interface DyingDatabase {
  gateway: Gateway;
  proxy: CommitProxy;
  /** For calling services directly, over those connections. */
  context(actor: Actor | null): RequestContext;
}

/** Opens it before the tests of a block and closes it after them. Use it as `dying()` inside tests. */
export function useDyingDatabase(world: () => World): () => DyingDatabase {
  let opened: DyingDatabase | undefined;
  beforeAll(async () => {
    const { environment } = world();
    const proxy = await startCommitProxy(new URL(environment.DATABASE_URL ?? ''));
    const gateway = await openGateway(readSettings({ ...environment, DATABASE_URL: proxy.url, DATABASE_POOL: '2' }));
    const context = (actor: Actor | null) => {
      const viewer = actor && { userId: actor.userId, tenantId: actor.tenantId, scopes: new Set(actor.scopes) };
      return createContext(gateway.services, { requestId: 'test', baseUrl: '', viewer });
    };
    opened = { gateway, proxy, context };
  });
  afterAll(async () => {
    await opened?.gateway.database.close();
    opened?.proxy.close();
  });
  return () => {
    if (!opened) throw new Error('the database is there inside tests only');
    return opened;
  };
}
