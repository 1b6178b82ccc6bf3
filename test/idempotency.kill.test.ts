import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { serverUrl } from './db.scratch.js';
import { type Child, useGateways } from './durability.gateway.js';
import { multipart } from './multipart.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();

interface Act {
  url: string;
  body: Uint8Array<ArrayBuffer>;
  headers: Record<string, string>;
  /** Where its effect is. */
  table: string;
}

const json = (url: string, table: string, body: object): Act => ({
  url,
  table,
  body: new Uint8Array(Buffer.from(JSON.stringify(body))),
  headers: { 'content-type': 'application/json' },
});
const form = (url: string, table: string, ...fields: string[]): Act => {
  const { headers, payload } = multipart([
    ...fields.map((field) => ({ field, body: 'D' })),
    { field: 'files', name: 'a.bin', body: Buffer.alloc(200_000, 'x') },
  ]);
  return { url, table, headers, body: new Uint8Array(payload) };
};
const inADay = new Date(Date.now() + 86_400_000).toISOString();

const acts: [string, (document: string) => Act][] = [
  ['a category', () => json('/categories/', 'categories', { name: 'C' })],
  ['a document', () => json('/documents/', 'documents', { name: 'D' })],
  ['a document with a file', () => form('/documents/', 'documents', 'name')],
  ['files', (document) => form(`/documents/${document}/files/`, 'files')],
  ['a share', (document) => json(`/documents/${document}/shares/`, 'shares', { expires_at: inADay })],
];

/** Across processes, hence on a server: one is killed, another is asked again. */
describe.runIf(serverUrl)('kill -9 of a gateway that does a POST with an Idempotency-Key', () => {
  const startGateway = useGateways(world);

  const points = ['after the commit', 'before the commit'] as const;

  test.each(acts.flatMap(([name, act]) => points.map((point) => [name, point, act] as const)))(
    '%s, %s and before the answer: the next 20 at once get one answer, and there is one effect',
    async (_, point, act) => {
      const admin = world().actor('admin');
      const document = (await world().inject(admin, { method: 'POST', url: '/documents/', payload: { name: 'other' } })).json().id;
      const wanted = act(document);
      const before = await countOf(wanted.table, admin);
      const child = await startGateway(point, 1);
      const died = once(child.process, 'exit');
      expect(await ask(child, wanted, admin)).toBeNull();
      await died;
      expect(await countOf(wanted.table, admin)).toBe(before + (point === 'after the commit' ? 1 : 0));

      const { url, headers, body } = wanted;
      const again = () =>
        world().inject(admin, { method: 'POST', url, headers: { ...headers, 'idempotency-key': 'k' }, payload: Buffer.from(body) });
      const answers = await Promise.all(Array.from({ length: 20 }, again));
      expect(new Set(answers.map(({ statusCode, body }) => `${statusCode} ${body}`)).size).toBe(1);
      expect(answers[0]?.statusCode).toBe(201);
      expect(await countOf(wanted.table, admin)).toBe(before + 1);
    },
    120_000,
  );

  const ask = ({ address }: Child, { url, headers, body }: Act, admin: Actor) =>
    fetch(address + url, { method: 'POST', body, headers: { ...headers, authorization: `Bearer ${admin.token}`, 'idempotency-key': 'k' } })
      .then(({ status }) => status)
      .catch(() => null);

  /** Files that are still on their way are no effect. */
  async function countOf(table: string, { tenantId }: Actor): Promise<number> {
    const whole = table === 'files' ? `AND state = 'READY'` : '';
    const { rows } = await world().gateway.database.pool.query(`SELECT 1 FROM ${table} WHERE tenant_id = $1 ${whole}`, [tenantId]);
    return rows.length;
  }
});
