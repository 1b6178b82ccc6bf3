import { describe, expect, test } from 'vitest';
import { inPlainTransaction, inTransaction, type RequestContext } from '../src/context.js';
import { createDocument } from '../src/document/document.service.js';
import { shareDocument } from '../src/share/share.service.js';
import { useWorld } from './world.js';

const world = useWorld();
const DAY = 24 * 60 * 60 * 1000;

describe.each([
  ['a transaction', inTransaction],
  ['a plain transaction', inPlainTransaction],
])('%s', (_, run) => {
  const setUp = async () => {
    const admin = world().actor('admin');
    const context = () => world().context(admin);
    const { id } = await createDocument(context(), { name: 'D' });
    const counted = async () => {
      const tables = await Promise.all([context().db.share.count({}), context().db.auditEvent.count({})]);
      return tables.join();
    };
    return { id, context, counted };
  };
  const share = (ctx: RequestContext, id: string) => shareDocument(ctx, id, { expiresAt: new Date(Date.now() + DAY) });

  test('keeps all of its writes', async () => {
    const { id, context, counted } = await setUp();
    await run(context(), (tx) => share(tx, id));
    expect(await counted()).toBe('1,2');
  });

  test('keeps none when its last step fails, and gives its connection back', async () => {
    const { id, context, counted } = await setUp();
    for (let round = 0; round < 20; round++) {
      const failing = run(context(), async (tx) => {
        await share(tx, id);
        throw new Error('the last step');
      });
      await expect(failing).rejects.toThrow('the last step');
    }
    expect(await counted()).toBe('0,1');
  });

  test('keeps none when the database refuses a statement', async () => {
    const { id, context, counted } = await setUp();
    // An event without a request is refused.
    const broken = { ...context(), requestId: null as unknown as string };
    await expect(run(broken, (tx) => share(tx, id))).rejects.toThrow(/request_id/);
    expect(await counted()).toBe('0,1');
  });
});

test('a plain transaction has no models: they would write beside it', async () => {
  const ctx = world().context(world().actor('admin'));
  await expect(inPlainTransaction(ctx, (tx) => tx.db.document.count({}))).rejects.toThrow('hand-written');
});
