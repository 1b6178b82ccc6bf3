import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { sweepAnswers } from '../src/idempotency.sweeper.js';
import { multipart } from './multipart.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
let admin: Actor;
beforeEach(() => {
  admin = world().actor('admin');
});

async function post(url: string, key: string | null, payload: object, headers: object = {}, actor = admin) {
  const options = { method: 'POST' as const, url, payload, headers: { ...headers, ...(key !== null && { 'idempotency-key': key }) } };
  const { statusCode, body, headers: answered } = await world().inject(actor, options);
  return { status: statusCode, body, retryAfter: answered['retry-after'] };
}
const upload = (url: string, key: string, body: string, actor = admin) => {
  const { headers, payload } = multipart([{ field: 'files', name: 'a.txt', body }]);
  return post(url, key, payload, headers, actor);
};
const countOf = async (table: string): Promise<number> => {
  const { rows } = await world().gateway.database.pool.query(`SELECT count(*)::int AS n FROM ${table} WHERE tenant_id = $1`, [
    admin.tenantId,
  ]);
  return rows[0].n;
};
const newDocument = async () => JSON.parse((await post('/documents/', null, { name: 'D' })).body).id;
const inADay = new Date(Date.now() + 86_400_000).toISOString();

describe('R: "Every POST honours `Idempotency-Key`"', () => {
  test('same key and same body: same answer, one effect', async () => {
    const first = await post('/documents/', 'k', { name: 'A', tags: ['x'] });
    expect(first.status).toBe(201);
    expect(await post('/documents', 'k', { name: 'A', tags: ['x'] })).toEqual(first);
    expect(await post('/documents/', 'k', { name: 'A', tags: ['x'] })).toEqual(first);
    expect(await countOf('documents')).toBe(1);
  });

  test.each([
    ['/categories/', { name: 'C' }, 'categories'],
    ['/storages/', { name: 'S', provider: 'local_fs', bucket: 'kyc-files', credentials: {} }, 'storages'],
    ['/documents/', { name: 'D' }, 'documents'],
  ])('POST %s', async (url, body, table) => {
    const before = await countOf(table);
    const [first, second] = [await post(url, 'k', body), await post(url, 'k', body)];
    expect([first.status, second]).toEqual([201, first]);
    expect(await countOf(table)).toBe(before + 1);
  });

  test('a share: its token is not to be read in the table', async () => {
    const url = `/documents/${await newDocument()}/shares/`;
    const body = { expires_at: inADay, password: 'a secret pass' };
    const [first, second] = [await post(url, 'k', body), await post(url, 'k', body)];
    expect([first.status, second, await countOf('shares')]).toEqual([201, first, 1]);
    const { rows } = await world().gateway.database.pool.query('SELECT answer FROM idempotency_keys WHERE tenant_id = $1', [
      admin.tenantId,
    ]);
    for (const { answer } of rows) {
      expect(answer.includes(JSON.parse(first.body).token)).toBe(false);
      expect(answer.includes('a secret pass')).toBe(false);
    }
  });

  test('files: the bytes count, the boundary does not', async () => {
    const url = `/documents/${await newDocument()}/files/`;
    const [first, second] = [await upload(url, 'k', 'bytes'), await upload(url, 'k', 'bytes')];
    expect([first.status, second]).toEqual([201, first]);
    expect((await upload(url, 'k', 'other')).status).toBe(409);
    expect(await countOf('files')).toBe(1);
  });

  test('other body, other query or other document: 409', async () => {
    await post('/documents/', 'k', { name: 'A' });
    const other = await post('/documents/', 'k', { name: 'B' });
    expect([other.status, JSON.parse(other.body)]).toEqual([409, { detail: expect.stringContaining('new key'), code: 'conflict' }]);
    expect(await countOf('documents')).toBe(1);
    const [a, b] = [await newDocument(), await newDocument()];
    expect((await post(`/documents/${a}/shares/`, 'k', { expires_at: inADay })).status).toBe(201);
    expect((await post(`/documents/${b}/shares/`, 'k', { expires_at: inADay })).status).toBe(409);
  });

  test('another user, tenant or route has keys of its own', async () => {
    await post('/documents/', 'k', { name: 'A' });
    expect((await post('/documents/', 'k', { name: 'B' }, {}, world().actor('admin', admin.tenantId))).status).toBe(201);
    expect((await post('/documents/', 'k', { name: 'B' }, {}, world().actor('admin'))).status).toBe(201);
    expect((await post('/categories/', 'k', { name: 'B' })).status).toBe(201);
  });

  test('20 in parallel: one effect, one answer', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('/documents/', 'k', { name: 'A' })));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1);
    expect([answers[0]?.status, await countOf('documents')]).toEqual([201, 1]);
  });

  test('10 uploads in parallel: one effect, one answer, nothing left over', async () => {
    const url = `/documents/${await newDocument()}/files/`;
    const answers = await Promise.all(Array.from({ length: 10 }, () => upload(url, 'k', 'bytes')));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1);
    await expect.poll(() => countOf('files')).toBe(1);
  });

  test('what is wrong with a request is answered alike; a fault is not kept', async () => {
    const id = await newDocument();
    const url = `/documents/${id}/shares/`;
    await world().inject(admin, { method: 'PUT', url: `/documents/${id}/reject/`, payload: { reason: 'r' } });
    const refused = await post(url, 'k', { expires_at: inADay });
    expect(refused.status).toBe(409);
    await world().inject(admin, { method: 'PUT', url: `/documents/${id}/approve/` });
    expect(await post(url, 'k', { expires_at: inADay })).toEqual(refused);

    const seal = vi.spyOn(world().gateway.services.secrets, 'seal');
    onTestFinished(() => seal.mockRestore());
    seal.mockImplementationOnce(() => {
      throw new Error('a fault');
    });
    expect((await post(url, 'other', { expires_at: inADay })).status).toBe(500);
    expect((await post(url, 'other', { expires_at: inADay })).status).toBe(201);
  });

  test('a transaction that dies before its answer is kept leaves neither effect nor key', async () => {
    const { secrets } = world().gateway.services;
    const { seal } = secrets;
    const broken = vi.spyOn(secrets, 'seal').mockImplementation((plain, owner) => {
      if (owner.table === 'idempotency_keys') throw new Error('the process is killed here');
      return seal.call(secrets, plain, owner);
    });
    const url = `/documents/${await newDocument()}/files/`;
    expect((await post('/categories/', 'k', { name: 'A' })).status).toBe(500);
    expect((await upload(url, 'k', 'bytes')).status).toBe(500);
    broken.mockRestore();
    expect([await countOf('categories'), await countOf('idempotency_keys')]).toEqual([0, 0]);
    await expect.poll(() => countOf('files')).toBe(0);
    expect((await post('/categories/', 'k', { name: 'A' })).status).toBe(201);
    expect((await upload(url, 'k', 'bytes')).status).toBe(201);
  });

  test.each([
    ['an empty key', ''],
    ['a blank', 'a b'],
    ['umlauts', '\u00fc'],
    ['256 characters', 'x'.repeat(256)],
  ])('refuses %s', async (_, key) => {
    expect(await post('/categories/', key, { name: 'A' })).toMatchObject({ status: 400, body: expect.stringContaining('idempotency') });
    expect(await countOf('categories')).toBe(0);
  });

  test('is forgotten after 24 hours, and swept', async () => {
    const { services } = world().gateway;
    const { now } = services;
    onTestFinished(() => {
      services.now = now;
    });
    await post('/categories/', 'k', { name: 'A' });
    services.now = () => new Date(Date.now() + 23 * 3_600_000);
    expect(await sweepAnswers(world().context(null))).toBe(0);
    services.now = () => new Date(Date.now() + 25 * 3_600_000);
    await sweepAnswers(world().context(null));
    expect(await countOf('idempotency_keys')).toBe(0);
    services.now = now;
    expect((await post('/categories/', 'k', { name: 'B' })).status).toBe(201);
  });
});
