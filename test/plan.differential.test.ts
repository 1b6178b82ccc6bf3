import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { parse, print } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workloads } from '../bench/workloads.js';
import { exampleTabs } from '../src/demo/examples.js';
import { appOf } from '../src/gateway.js';
import { createPlanData } from './plan.world.js';
import { type Pools, type RandomOperation, randomOperation } from './random.operation.js';
import { type Actor, statementsOf, useWorld } from './world.js';

/** How many generated operations are tried; thousands once in a while. */
const ROUNDS = Number(process.env.PLAN_ROUNDS ?? 500);
const world = useWorld({ LOG_LEVEL: 'warn' });
let unplanned: FastifyInstance;
let actors: (Actor | null)[];
let pools: Pools;

beforeAll(async () => {
  const { gateway } = world();
  unplanned = await appOf({ ...gateway, settings: { ...gateway.settings, plan: false } }, null);
  const admin = world().actor('admin');
  const stranger = world().actor('admin');
  const ids = await createPlanData(() => world().context(admin));
  const foreign = await createPlanData(() => world().context(stranger));
  const of = (scopes: Parameters<ReturnType<typeof world>['actor']>[0]) => world().actor(scopes, admin.tenantId);
  actors = [
    ...Array.from({ length: 12 }, () => admin),
    of('viewer'),
    stranger,
    of(['documents:read']),
    of(['documents:read', 'categories:read']),
    of(['categories:read', 'shares:read']),
    of([]),
    null,
  ];
  pools = {
    ids: [...ids, ...ids.slice(0, 20), ...foreign.slice(0, 5), 'nobody-has-this-id', '', 'x', 'a\0b', '😀'],
    users: [admin.userId, stranger.userId],
    cursors: [...(await cursorsOf(admin)), 'nonsense', ''],
  };
});

afterAll(() => unplanned.close());

async function cursorsOf(actor: Actor): Promise<string[]> {
  const lists = [
    'documents(first: 5)',
    'documents(first: 4, orderBy: { field: NAME, direction: ASC })',
    'categories(first: 4)',
    'shares(first: 4)',
  ];
  const all = await Promise.all(lists.map((list) => world().graphql(actor, `{ list: ${list} { edges { cursor } } }`)));
  return all.flatMap(({ data }) => data.list.edges.map(({ cursor }: { cursor: string }) => cursor));
}

/** Where two answers part. */
function difference(planned: string, ordinary: string, operation: object): string {
  const at = [...planned].findIndex((character, index) => character !== ordinary[index]);
  const [here, there] = [planned, ordinary].map((body) => body.slice(Math.max(0, at - 200), at + 200));
  return `planned …${here}…\nbut ordinary …${there}…\nfor ${JSON.stringify(operation)}`;
}

/** What only a plan makes: one row of lists and counts. */
const isPlan = /^SELECT \((to_json\(ARRAY|\(SELECT count)/;

/** Errors have no order by the specification: which of many fields fails first depends on what was loaded before. */
function sorted(body: string): string {
  if (!body.startsWith('{"errors":[')) return body;
  const { errors, ...rest }: { errors: object[] } = JSON.parse(body);
  return JSON.stringify({ errors: errors.map((error) => JSON.stringify(error)).sort(), ...rest });
}

/** Sends an operation on both paths. @returns whether a plan answered it */
async function compare(actor: Actor | null, operation: Partial<RandomOperation>, accept = 'application/json'): Promise<boolean> {
  const request = {
    method: 'POST' as const,
    url: '/graphql',
    // Faults show the id of their request.
    headers: { accept, 'x-request-id': 'the-same-on-both', ...(actor && { authorization: `Bearer ${actor.token}` }) },
    payload: operation,
  };
  const essence = ({ statusCode, headers, body }: Awaited<ReturnType<FastifyInstance['inject']>>) => [
    statusCode,
    headers['content-type'],
    sorted(body),
  ];
  const ordinary = await unplanned.inject(request);
  const { result, statements } = await statementsOf(() => world().app.inject(request));
  const [planned, fieldByField] = [result.body, ordinary.body].map(sorted);
  if (planned !== fieldByField) throw new Error(difference(result.body, ordinary.body, operation));
  expect(essence(result), JSON.stringify(operation)).toEqual(essence(ordinary));
  return statements.length === 1 && isPlan.test(statements[0] ?? '');
}

describe('a plan answers the same bytes as the executor', () => {
  test('on the operations of the house', async () => {
    const [id = ''] = pools.ids.slice(12);
    const suite = parse(readFileSync(new URL('./operations/main-job.graphql', import.meta.url), 'utf8'));
    const fragments = suite.definitions.filter((definition) => definition.kind === 'FragmentDefinition').map(print);
    const queries = suite.definitions.flatMap((definition) =>
      definition.kind === 'OperationDefinition' && definition.operation === 'query' ? [[print(definition), ...fragments].join('\n')] : [],
    );
    const examples = exampleTabs(null)
      .tabs.map(({ query }) => query)
      .filter((query) => query.includes('query '));
    const variables = { id, first: 3, after: null, token: 'x' };
    for (const actor of actors) {
      for (const query of [...examples, ...queries]) await compare(actor, { query, variables });
    }
    for (const { query } of workloads('x').slice(0, 4)) {
      expect(await compare(actors[0] ?? null, { query, variables: { id, first: 20, after: null } })).toBe(true);
    }
  });

  test(`on ${ROUNDS} generated operations, errors included`, { timeout: 120_000 + ROUNDS * 100 }, async () => {
    let planned = 0;
    let refused = 0;
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const actor = actors[seed % actors.length] ?? null;
      const operation = randomOperation(seed, pools);
      const accept = seed % 10 === 0 ? 'application/graphql-response+json' : 'application/json';
      try {
        if (await compare(actor, operation, accept)) planned += 1;
        else refused += 1;
        // From their second use on queries are compiled.
        if (seed % 5 === 0) for (let again = 0; again < 2; again++) await compare(actor, operation, accept);
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`);
      }
    }
    // Neither path would be tested if the other were never taken.
    expect(planned).toBeGreaterThan(ROUNDS * 0.25);
    expect(refused).toBeGreaterThan(ROUNDS * 0.1);
    const failed = world().logs.filter((line) => line.includes('a planned read failed'));
    expect(failed).toEqual([]);
  });

  test('on a null where the schema has none, and on what the database itself refuses', async () => {
    const { pool } = world().gateway.database;
    const [admin = null] = actors;
    await pool.query('ALTER TABLE documents ALTER name DROP NOT NULL');
    await pool.query('UPDATE documents SET name = NULL WHERE id = $1', [pools.ids[15]]);
    expect(await compare(admin, { query: '{ documents(first: 50) { nodes { id name } } }' })).toBe(false);
    expect(await compare(admin, { query: '{ documents(first: 50) { nodes { id description } } }' })).toBe(true);
    await pool.query('ALTER TABLE shares RENAME TO gone');
    expect(await compare(admin, { query: '{ shares { nodes { id } } }' })).toBe(false);
    await pool.query('ALTER TABLE gone RENAME TO shares');
    const failed = world().logs.filter((line) => line.includes('a planned read failed'));
    expect(failed).toHaveLength(1);
  });
});
