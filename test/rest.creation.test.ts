import { readdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { sweepObjects } from '../src/file/removal.sweeper.js';
import { createScanner } from '../src/scan/scanner.js';
import { answering, eicar, fakeClamd } from './clamd.js';
import { multipart, type Part } from './multipart.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld({ MAX_FILE_SIZE: '8MiB' });
const MiB = 1024 * 1024;
let admin: Actor;
let port: number;

beforeAll(async () => {
  await world().app.listen({ port: 0, host: '127.0.0.1' });
  port = (world().app.server.address() as AddressInfo).port; // It listens on a port.
});
beforeEach(() => {
  admin = world().actor('admin');
});

const field = (name: string, body: string): Part => ({ field: name, body });
const file = (name: string, body: string | Buffer, part = 'files'): Part => ({ field: part, name, body });

async function create(parts: Part[], actor: Actor | null = admin, headers: object = {}) {
  const form = multipart(parts);
  const options = { method: 'POST' as const, url: '/documents/', payload: form.payload, headers: { ...form.headers, ...headers } };
  const answer = await world().inject(actor, options);
  const { etag } = answer.headers;
  return { status: answer.statusCode, body: answer.json(), ...(etag !== undefined && { etag }) };
}
const get = async (url: string) => (await world().inject(admin, { url })).json();

/** How much there is of the tenant's: rows by table, and blobs. */
async function left({ tenantId } = admin) {
  const { pool } = world().gateway.database;
  const count = async (table: string) => (await pool.query(`SELECT 1 FROM ${table} WHERE tenant_id = $1`, [tenantId])).rows.length;
  const folder = join(world().gateway.settings.dataDir, 'blobs', tenantId);
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return {
    documents: await count('documents'),
    files: await count('files'),
    notes: await count('object_removals'),
    events: await count('audit_events'),
    blobs: found.filter((entry) => entry.isFile()).length,
  };
}
const nothing = { documents: 0, files: 0, notes: 0, events: 0, blobs: 0 };

describe('POST /documents/ as "multipart with the same fields and parts `files`"', () => {
  test('creates the document, its files and their history', async () => {
    const category = (await world().inject(admin, { method: 'POST', url: '/categories/', payload: { name: 'KYC' } })).json().id;
    const { status, body, etag } = await create([
      field('name', 'Passport'),
      field('description', 'größe'),
      field('category', category),
      field('storage', ''),
      field('tags', 'kyc'),
      field('tags', 'id, front'),
      field('metadata', '{"pages": 2}'),
      file('a.pdf', '%PDF-1.4\nbytes\n%%EOF'),
      file('größe 😀.txt', 'text', 'file'),
    ]);
    expect([status, etag]).toEqual([201, '"1"']);
    expect(body).toMatchObject({
      name: 'Passport',
      description: 'größe',
      category,
      tags: ['kyc', 'id, front'],
      metadata: { pages: 2 },
      status: 'pending',
      files: [
        { name: 'a.pdf', content_type: 'application/pdf', created_by: admin.userId },
        { name: 'größe 😀.txt', content_type: 'text/plain', size: 4 },
      ],
    });
    expect(await get(`/documents/${body.id}/`)).toEqual(body);
    expect(await world().inject(admin, { url: `/documents/${body.id}/files/${body.files[1].id}/` })).toMatchObject({ body: 'text' });
    const { rows } = await world().gateway.database.pool.query('SELECT action FROM audit_events WHERE subject_id = $1 ORDER BY seq', [
      body.id,
    ]);
    expect(rows.map(({ action }) => action)).toEqual(['document.created', 'file.uploaded', 'file.uploaded']);
    expect(await left()).toMatchObject({ documents: 1, files: 2, notes: 0, blobs: 2 });
  });

  test.each<[string, Part[], object]>([
    ['no file', [field('name', 'D')], { name: 'D', files: [] }],
    ['an empty file', [field('name', 'D'), file('a', '')], { files: [{ size: 0 }] }],
    ['20 files', [field('name', 'D'), ...Array.from({ length: 20 }, (_, i) => file(`${i}`, 'x'))], { files: { length: 20 } }],
    ['tags with commas', [field('name', 'D'), field('tags', 'a,b')], { tags: ['a', 'b'] }],
    ['tags as JSON', [field('name', 'D'), field('tags', '["a,b"]')], { tags: ['a,b'] }],
    ['lists as axios writes them', [field('name', 'D'), field('tags[]', 'a'), field('tags[]', 'b')], { tags: ['a', 'b'] }],
    ['files as axios writes them', [field('name', 'D'), file('a', 'a', 'files[]')], { files: [{ name: 'a' }] }],
    ['no tags, no metadata', [field('name', 'D'), field('tags', ''), field('metadata', '')], { tags: [], metadata: {} }],
    ['fields that nobody knows', [field('name', 'D'), field('colour', 'red')], { name: 'D' }],
  ])('takes %s', async (_, parts, shown) => {
    expect(await create(parts)).toMatchObject({ status: 201, body: shown });
  });

  const name = field('name', 'D');
  test.each<[string, (storage: string) => Part[]]>([
    ['before the files', (storage) => [name, field('tags', 'kyc'), field('storage', storage), file('a', 'a'), file('b', 'b')]],
    ['after the files', () => [file('a', 'a'), file('b', 'b'), name, field('tags', 'kyc'), field('storage', '')]],
    ['between the files', () => [file('a', 'a'), name, file('b', 'b'), field('tags', 'kyc')]],
    ['around the files', (storage) => [field('storage', storage), file('a', 'a'), file('b', 'b'), field('tags', 'kyc'), name]],
    ['in the order of the alphabet', () => [file('a', 'a'), file('b', 'b'), name, field('storage', ''), field('tags', 'kyc')]],
  ])('takes its fields %s', async (_, parts) => {
    const managed = { provider: 'local_fs', bucket: 'other', name: 'Other', credentials: {} };
    const { id } = (await world().inject(admin, { method: 'POST', url: '/storages/', payload: managed })).json();
    const { status, body } = await create(parts(id));
    expect(status).toBe(201);
    expect(body).toMatchObject({ name: 'D', tags: ['kyc'], files: [{ name: 'a' }, { name: 'b' }] });
    expect(await world().inject(admin, { url: `/documents/${body.id}/files/${body.files[1].id}/` })).toMatchObject({ body: 'b' });
  });

  test('takes a storage that comes after the files if they are there, and no other', async () => {
    const storage = async (parts: Part[]) => create([file('a', 'a'), name, ...parts]);
    const usual = (await storage([])).body.storage;
    expect(await storage([field('storage', usual)])).toMatchObject({ status: 201, body: { storage: usual } });
    const other = { provider: 'local_fs', bucket: 'other', name: 'Other', credentials: {} };
    const { id } = (await world().inject(admin, { method: 'POST', url: '/storages/', payload: other })).json();
    const before = await left();
    expect(await storage([field('storage', id)])).toEqual({ status: 400, body: { storage: ['must come before the files'] } });
    expect(await left()).toEqual(before);
  });

  test.each<[string, Part[], number, object]>([
    ['no name', [file('a', 'a')], 400, { name: ['is required'] }],
    ['wrong tags after the files', [file('a', 'a'), name, field('tags', 'a,A')], 400, { tags: [expect.stringContaining('repeat')] }],
    ['wrong metadata after the files', [name, file('a', 'a'), field('metadata', '{')], 400, { metadata: [expect.any(String)] }],
    ['a name that comes again after the files', [name, file('a', 'a'), name], 400, { name: ['must come once'] }],
    [
      'fields of 2 MB after the files',
      [name, file('a', 'a'), field('description', 'x'.repeat(2_000_000))],
      413,
      { detail: expect.any(String) },
    ],
    ['a name that comes twice', [name, name, file('a', 'a')], 400, { name: ['must come once'] }],
    [
      'a category that is not there',
      [name, field('category', '01ARZ3NDEKTSV4RRFFQ69G5FAV'), file('a', 'a')],
      400,
      { category: ['no such category'] },
    ],
    [
      'a storage that is not there',
      [name, field('storage', '01ARZ3NDEKTSV4RRFFQ69G5FAV'), file('a', 'a')],
      400,
      { storage: ['no such storage'] },
    ],
    ['metadata that is no JSON', [name, field('metadata', '{'), file('a', 'a')], 400, { metadata: [expect.any(String)] }],
    ['metadata that is no object', [name, field('metadata', '[]'), file('a', 'a')], 400, { metadata: [expect.any(String)] }],
    [
      'metadata of 17 KiB',
      [name, field('metadata', JSON.stringify({ a: 'x'.repeat(17 * 1024) })), file('a', 'a')],
      400,
      { metadata: [expect.any(String)] },
    ],
    ['a file without a name', [name, file('a', 'a'), file('', 'b')], 400, { files: ['must not be empty'] }],
    ['a file under another name', [name, file('a', 'a'), file('b', 'b', 'scan')], 400, { scan: [expect.stringContaining('"files"')] }],
    [
      'a file under a name that objects of JavaScript have',
      [name, file('b', 'b', 'constructor')],
      400,
      { constructor: [expect.stringContaining('"files"')] },
    ],
    [
      '21 files',
      [name, ...Array.from({ length: 21 }, (_, i) => file(`${i}`, 'x'))],
      413,
      { detail: expect.stringContaining('At most 20') },
    ],
    ['a file over the limit', [name, file('a', 'fine'), file('b', Buffer.alloc(9 * MiB))], 413, { detail: expect.any(String) }],
    ['fields of 2 MB', [name, field('description', 'x'.repeat(2_000_000))], 413, { detail: expect.any(String) }],
  ])('refuses %s, and leaves nothing', async (_, parts, status, body) => {
    expect(await create(parts)).toEqual({ status, body });
    expect(await left()).toEqual(nothing);
  });

  test('is refused to strangers, to readers, and with what is another tenant’s, before a byte is stored', async () => {
    const stranger = world().actor('admin');
    const foreign = (await world().inject(stranger, { method: 'POST', url: '/categories/', payload: { name: 'C' } })).json().id;
    const parts = [name, file('a', 'a')];
    expect((await create(parts, null)).status).toBe(401);
    expect((await create(parts, world().actor('viewer', admin.tenantId))).status).toBe(403);
    expect(await create([name, field('category', foreign), file('a', 'a')])).toEqual({
      status: 400,
      body: { category: ['no such category'] },
    });
    expect(await left()).toEqual(nothing);
  });

  test.each<[string, (payload: Buffer) => Buffer]>([
    ['in a file', (payload) => payload.subarray(0, -200)],
    ['in a field', (payload) => payload.subarray(0, 120)],
    ['before its end', (payload) => payload.subarray(0, -6)],
  ])('whose body is cut off %s leaves nothing', async (_, cut) => {
    const { headers, payload } = multipart([name, file('a', 'whole'), file('b', 'x'.repeat(100_000))]);
    const answer = await world().inject(admin, { method: 'POST', url: '/documents/', headers, payload: cut(payload) });
    expect([answer.statusCode, answer.json()]).toEqual([400, { detail: expect.stringMatching(/^Multipart form parse error - /) }]);
    expect(await left()).toEqual(nothing);
  });

  test('whose client breaks off leaves nothing', async () => {
    const { headers, payload } = multipart([name, file('a.txt', 'whole'), file('b.bin', Buffer.alloc(4 * MiB))]);
    const options = { port, method: 'POST', path: '/documents/', headers: { ...headers, authorization: `Bearer ${admin.token}` } };
    const request = httpRequest({ ...options, headers: { ...options.headers, 'content-length': payload.length } });
    request.on('error', () => {});
    request.write(payload.subarray(0, 2 * MiB));
    await expect.poll(async () => (await left()).notes, { timeout: 10_000 }).toBe(2);
    expect((await left()).documents).toBe(0);
    request.destroy();
    await expect.poll(() => left(), { timeout: 10_000 }).toEqual(nothing);
  });

  test('whose store fails at the end leaves notes, which the sweeper follows', async () => {
    const { services } = world().gateway;
    const { blobs, now } = services;
    onTestFinished(() => void Object.assign(services, { blobs, now }));
    services.blobs = {
      ...blobs,
      open: async (address) => ({ ...(await blobs.open(address)), delete: () => Promise.reject(new Error('away')) }),
    };
    expect((await create([name, file('a', 'a'), file('', 'b')])).status).toBe(400);
    expect(await left()).toMatchObject({ documents: 0, files: 0, notes: 1, blobs: 1 });
    services.blobs = { ...blobs };
    services.now = () => new Date(Date.now() + 60_000);
    await sweepObjects(world().context(null));
    expect(await left()).toEqual(nothing);
  });

  test('that the sweeper has given up is not created', async () => {
    const { services } = world().gateway;
    const { now, blobs } = services;
    onTestFinished(() => void Object.assign(services, { blobs, now }));
    services.blobs = {
      ...blobs,
      open: async (address) => {
        const store = await blobs.open(address);
        return {
          ...store,
          // As if this took longer than any upload may be silent.
          put: async (key, body) => {
            await store.put(key, body);
            services.now = () => new Date(Date.now() + 2 * 3_600_000);
            await sweepObjects(world().context(null));
            services.now = now;
          },
        };
      },
    };
    expect((await create([name, file('a', 'a')])).status).toBe(503);
    expect(await left()).toEqual(nothing);
  });

  test('with a virus: nothing is stored, and the answer says so', async () => {
    const { services } = world().gateway;
    onTestFinished(() => void Object.assign(services, { scanner: null }));
    const address = await fakeClamd(answering('stream: Eicar-Test FOUND'));
    services.scanner = createScanner({ address, policy: 'fail-closed', timeout: 5000 }, () => {});
    expect(await create([name, file('a.com', eicar)])).toEqual({
      status: 400,
      body: { detail: expect.stringMatching(/"a\.com".* Nothing was stored/), code: 'file_infected' },
    });
    expect(await left()).toEqual(nothing);
  });
});

describe('with an Idempotency-Key', () => {
  const parts = [field('name', 'D'), file('a', 'bytes')];

  test('the same fields and bytes: same answer, one document; others: 409', async () => {
    const key = { 'idempotency-key': 'k' };
    const first = await create(parts, admin, key);
    expect([first.status, await create(parts, admin, key)]).toEqual([201, first]);
    expect((await create([field('name', 'D'), file('a', 'other')], admin, key)).status).toBe(409);
    expect((await create([field('name', 'E'), file('a', 'bytes')], admin, key)).status).toBe(409);
    expect((await create([field('name', 'D')], admin, key)).status).toBe(409);
    expect(await left()).toMatchObject({ documents: 1, files: 1, notes: 0, blobs: 1 });
  });

  test('10 in parallel: one answer, one document, nothing left over', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => create(parts, admin, { 'idempotency-key': 'k' })));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.status).toBe(201);
    await expect.poll(() => left(), { timeout: 10_000 }).toMatchObject({ documents: 1, files: 1, notes: 0, blobs: 1 });
  });
});
