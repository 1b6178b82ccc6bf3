import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { BlobStore } from '../src/blob/store.js';
import { StorageError } from '../src/errors.js';
import { shareScene } from './share.scene.js';
import { useWorld } from './world.js';

const SIZE = 3_000_000;
const world = useWorld();
let base: string;
beforeAll(async () => {
  await world().app.listen({ port: 0, host: '127.0.0.1' });
  base = `http://127.0.0.1:${(world().app.server.address() as AddressInfo).port}`; // It listens on a port.
});

const lost = () => new StorageError('UNREACHABLE', 'The storage took too long to answer.');

/** Until the test ends, every store sends so many bytes of an object and then fails; null: it does not open. */
function breakStores(after: number | null) {
  const { blobs } = world().gateway.services;
  const { open } = blobs;
  const failing = async (store: BlobStore, ...[key, options]: Parameters<BlobStore['get']>) => {
    if (after === null) throw lost();
    const source = await store.get(key, options);
    return Readable.from(
      (async function* () {
        let left = after;
        for await (const chunk of source as AsyncIterable<Buffer>) {
          if (left > 0) yield chunk.subarray(0, left);
          left -= chunk.length;
          if (left <= 0) throw lost();
        }
      })(),
    );
  };
  const spy = vi.spyOn(blobs, 'open').mockImplementation(async (address) => {
    const store = await open(address);
    return Object.assign(Object.create(store), { get: (...args: Parameters<BlobStore['get']>) => failing(store, ...args) });
  });
  onTestFinished(() => spy.mockRestore());
  return () => spy.mockRestore();
}

async function scene() {
  const files = ['a.bin', 'b.bin'].map((name) => ({ name, bytes: randomBytes(SIZE) }));
  const made = await shareScene(world(), { files, share: { maxDownloads: 1 } });
  const read = async () => {
    const query = `{ share(id: "${made.share.id}") { document { files { id } } downloadCount accesses { nodes { kind outcome reason charged bytes } } } }`;
    return (await world().graphql(made.owner, query)).data.share;
  };
  const [{ id }] = (await read()).document.files;
  const ways = { 'a file': `files/${id}`, 'the rest of a file': `files/${id}`, 'the zip': 'files.zip' };
  const fetchIt = (way: keyof typeof ways) =>
    fetch(`${base}${made.path}/${ways[way]}`, { headers: way === 'the rest of a file' ? { range: `bytes=1-${SIZE - 1}` } : {} });
  return { read, fetchIt };
}

describe.each(['a file', 'the rest of a file', 'the zip'] as const)('a store that fails while %s of a share is on its way', (way) => {
  test.each([
    ['in the middle', 1_000_000],
    ['one byte before the end', SIZE - 2],
  ])('%s breaks the connection off, gives the download back and says so', async (_, after) => {
    const { read, fetchIt } = await scene();
    const mend = breakStores(after);
    const answer = await fetchIt(way);
    expect([200, 206]).toContain(answer.status);
    await expect(answer.arrayBuffer(), 'no end that looks like one').rejects.toThrow();
    const kind = way === 'the zip' ? 'ZIP' : 'DOWNLOAD';
    await vi.waitFor(async () => {
      const { downloadCount, accesses } = await read();
      expect(downloadCount).toBe(0);
      expect(accesses.nodes).toMatchObject([{ kind, outcome: 'FAILED', reason: null, charged: false }]);
      expect(accesses.nodes[0].bytes).toBeGreaterThan(0);
    }, 10_000);
    mend();
    const again = await fetchIt(way);
    expect((await again.arrayBuffer()).byteLength).toBeGreaterThan(SIZE - 2);
    await vi.waitFor(async () => expect((await read()).downloadCount).toBe(1), 10_000);
  });
});

test.each([
  ['does not open', null, 'The storage of this file does not hand out its bytes now. Try again later; if it stays, test its credentials.'],
  ['fails before its first byte', 0, 'The storage took too long to answer.'],
])('a store that %s is an error that says to try again, and no download', async (_, after, detail) => {
  const { read, fetchIt } = await scene();
  breakStores(after);
  const answer = await fetchIt('a file');
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('5');
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(await answer.json()).toEqual({ detail });
  await vi.waitFor(async () => {
    const { downloadCount, accesses } = await read();
    expect(downloadCount).toBe(0);
    expect(accesses.nodes).toMatchObject([{ kind: 'DOWNLOAD', outcome: 'FAILED', charged: false, bytes: 0 }]);
  }, 10_000);
});
