import { generateKeyPairSync } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RemoteStore } from '../src/blob/store.js';
import { openStores, type StoreAddress } from '../src/blob/stores.js';
import type { RequestContext } from '../src/context.js';
import { getFile, openFile } from '../src/file/file.service.js';
import { type GcsDouble, startGcsDouble } from './gcs.double.js';
import { useWorld } from './world.js';

describe('the stores that are kept open', () => {
  const address = (bucket: string, credentials = {}): StoreAddress => ({ tenantId: 't', provider: 'AWS_S3', bucket, credentials });
  function kept(max: number) {
    const log: string[] = [];
    const open = openStores(async ({ bucket }) => {
      log.push(`open ${bucket}`);
      if (bucket === 'broken') throw new Error('broken');
      return { close: () => log.push(`close ${bucket}`) } as unknown as RemoteStore; // all that is asked of it here
    }, max);
    return { log, open };
  }

  test('are opened once, also by many at the same time', async () => {
    const { log, open } = kept(2);
    const [one, two] = await Promise.all([open(address('a')), open(address('a'))]);
    expect(one).toBe(two);
    expect(log).toEqual(['open a']);
  });

  test('are closed when too many others were used since, and opened again', async () => {
    const { log, open } = kept(2);
    for (const bucket of ['a', 'b', 'a', 'c', 'a', 'b']) await open(address(bucket));
    expect(log).toEqual(['open a', 'open b', 'open c', 'close b', 'open b', 'close c']);
  });

  test('are others for other credentials, and for another tenant', async () => {
    const { log, open } = kept(9);
    await open(address('a', { key: '1' }));
    await open(address('a', { key: '2' }));
    await open({ ...address('a', { key: '1' }), tenantId: 'u' });
    expect(log).toEqual(['open a', 'open a', 'open a']);
  });

  test('are not those that failed to open', async () => {
    const { log, open } = kept(2);
    await expect(open(address('broken'))).rejects.toThrow('broken');
    await expect(open(address('broken'))).rejects.toThrow('broken');
    expect(log).toEqual(['open broken', 'open broken']);
  });
});

const port = 30_000 + (process.pid % 10_000);
let gcs: GcsDouble;
beforeAll(async () => {
  gcs = await startGcsDouble(port);
});
afterAll(() => gcs.stop());
const world = useWorld({ STORAGE_HOSTS: `127.0.0.1:${port}`, LOG_LEVEL: 'error' });

test('new credentials are used by the next request, in every copy of the process', async () => {
  const actor = world().actor('admin');
  const payload = { name: 'S', provider: 'gcp_storage', bucket: gcs.makeBucket(), credentials: gcs.credentials };
  const storage = (await world().inject(actor, { method: 'POST', url: '/storages/', payload })).json();
  const document = (
    await world().inject(actor, { method: 'POST', url: '/documents/', payload: { name: 'D', storage: storage.id } })
  ).json();
  const uploaded = await world().upload(actor, document.id, [{ name: 'a', body: 'bytes' }]);
  const id = uploaded.__typename === 'UploadedFiles' ? (uploaded.files[0]?.id ?? '') : '';
  const here = () => world().context(actor);
  const copied = { ...here().services };
  const there = () => ({ ...here(), services: copied });
  const read = async (ctx: RequestContext) => text(await openFile(ctx, await getFile(ctx, id)));
  const set = (private_key: string) =>
    world().inject(actor, {
      method: 'PATCH',
      url: `/storages/${storage.id}/`,
      payload: { credentials: { ...gcs.credentials, private_key } },
    });

  for (const ctx of [here, there, here, there]) expect(await read(ctx())).toBe('bytes');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  expect((await set(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())).statusCode).toBe(200);
  for (const ctx of [here, there]) await expect(read(ctx())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const refused = world()
    .logs.map((line) => JSON.parse(line))
    .filter(({ reason }) => reason === 'UNAUTHENTICATED');
  expect(refused).toHaveLength(2);
  expect((await set(gcs.credentials.private_key)).statusCode).toBe(200);
  for (const ctx of [here, there]) expect(await read(ctx())).toBe('bytes');
});
