import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { openToken } from '../src/share/share.token.js';
import { createObjects } from './objects.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
let admin: Actor;
let base: string;

beforeAll(async () => {
  admin = world().actor('admin');
  await world().app.listen({ port: 0, host: '127.0.0.1' });
  base = `http://127.0.0.1:${(world().app.server.address() as AddressInfo).port}`; // It listens on a port.
});

/** A share of a document with a file of so many bytes. */
async function shared(policy: object, size = 9) {
  const { document, share } = await createObjects(() => world().context(admin));
  const upload = await world().upload(admin, document.id, [{ name: 'big.bin', body: Buffer.alloc(size, 'x') }]);
  if (upload.__typename !== 'UploadedFiles') throw new Error(upload.__typename);
  await world().graphql(admin, 'mutation ($input: UpdateShareInput!) { updateShare(input: $input) { __typename } }', {
    input: { id: share.id, ...policy },
  });
  const token = openToken(world().context(admin), share);
  const count = async () => {
    const { data } = await world().graphql(
      admin,
      `{ share(id: "${share.id}") { downloadCount accesses { nodes { kind outcome reason charged } } } }`,
    );
    return data.share as { downloadCount: number; accesses: { nodes: { kind: string; outcome: string; reason: string | null }[] } };
  };
  const get = (path = `files/${upload.files[0]?.id}`, headers = {}, method = 'GET') =>
    fetch(`${base}/s/${token}/${path}`, { headers, method });
  return { id: share.id, token, get, count };
}
const statusOf = async (answer: Promise<Response>) => {
  const response = await answer;
  await response.arrayBuffer();
  return response.status;
};

describe('the budget of a share', () => {
  test('of 10, asked for 200 times at once, is 10 downloads', async () => {
    const { get, count } = await shared({ maxDownloads: 10 });
    const statuses = await Promise.all(Array.from({ length: 200 }, () => statusOf(get())));
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
    expect(statuses.filter((status) => status === 410)).toHaveLength(190);
    expect((await count()).downloadCount).toBe(10);
  });

  test('is not touched by HEAD, by 304 and by link previews, which get no bytes', async () => {
    const { get, count } = await shared({ maxDownloads: 1 });
    const head = await get(undefined, {}, 'HEAD');
    expect([head.status, (await get(undefined, { 'if-none-match': head.headers.get('etag') })).status]).toEqual([200, 304]);
    expect(await statusOf(get(undefined, { 'user-agent': 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)' }))).toBe(403);
    expect((await count()).downloadCount).toBe(0);
    expect(await statusOf(get())).toBe(200);
  });

  test('pays for a file once when it comes in parts, and again for a second copy', async () => {
    const { get, count } = await shared({ maxDownloads: 1 }, 1000);
    const part = (range: string) => statusOf(get(undefined, { range: `bytes=${range}` }));
    expect(await part('1-499')).toBe(206);
    expect(await part('500-999')).toBe(206);
    expect((await count()).downloadCount).toBe(1);
    expect(await part('0-499')).toBe(410);
    expect(await statusOf(get())).toBe(410);
  });

  test('counts all files as one archive once', async () => {
    const { get, count } = await shared({ maxDownloads: 1 });
    expect(await statusOf(get('files.zip'))).toBe(200);
    expect(await statusOf(get('files.zip'))).toBe(410);
    expect((await count()).downloadCount).toBe(1);
  });

  test('is given back when the client goes away', async () => {
    const { get, count } = await shared({ maxDownloads: 1 }, 40_000_000);
    const reader = (await get()).body?.getReader();
    await reader?.read();
    expect((await count()).downloadCount).toBe(1);
    await reader?.cancel();
    await vi.waitFor(async () => expect((await count()).downloadCount).toBe(0), { timeout: 5000 });
    expect((await count()).accesses.nodes).toContainEqual(expect.objectContaining({ kind: 'DOWNLOAD', outcome: 'FAILED', charged: false }));
    expect(await statusOf(get())).toBe(200);
    await vi.waitFor(async () => expect((await count()).downloadCount).toBe(1));
  });
});
