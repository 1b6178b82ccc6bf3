import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { BlobStore, SignedRequest } from '../src/blob/store.js';
import { PayloadTooLargeError, StorageError, type StorageFailure } from '../src/errors.js';
import { drivers, type Refused } from './blob.drivers.js';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.js';

const MiB = 1024 * 1024;
const bytes = (text: string) => Readable.from([Buffer.from(text)]);

async function keysUnder(store: BlobStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys.sort();
}

/** The StorageError that the promise must reject with. */
async function faultOf(promise: Promise<unknown>): Promise<StorageError> {
  const error = await promise.then(
    () => expect.unreachable('resolved'),
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(StorageError);
  return error as StorageError; // As the line above says.
}

const reasonOf = async (promise: Promise<unknown>): Promise<StorageFailure> => (await faultOf(promise)).reason;

/** A stream that only ever exists in parts, and the digest of what it gave so far. */
function generated(size: number): { stream: Readable; digest: () => string } {
  const block = randomBytes(MiB);
  const hash = createHash('sha256');
  function* blocks() {
    for (let left = size; left > 0; left -= MiB) {
      const part = Buffer.from(block.subarray(0, Math.min(left, MiB)));
      part.writeUInt32BE(left / MiB);
      hash.update(part);
      yield part;
    }
  }
  return { stream: Readable.from(blocks(), { objectMode: false }), digest: () => hash.digest('hex') };
}

describe.each(drivers)('the $name blob store', ({ open, isRemote, rights = true, partsPage = 40 }) => {
  let store: BlobStore;
  let refused: Refused | undefined;
  let close: () => Promise<void>;
  beforeAll(async () => {
    ({ store, refused, close } = await open());
  });
  afterAll(() => close());

  describe('reading', () => {
    beforeAll(() => store.put('read/ten', bytes('0123456789'), { contentType: 'text/plain' }));

    it.each([
      [0, 0, '0'],
      [9, 9, '9'],
      [0, 9, '0123456789'],
      [3, 5, '345'],
      [8, 999, '89'],
    ])('gives bytes %i to %i', async (start, end, expected) => {
      expect(String(await buffer(await store.get('read/ten', { range: { start, end } })))).toBe(expected);
    });

    it.each([
      [10, 10],
      [5, 4],
      [-1, 3],
      [0.5, 3],
    ])('refuses the range %d to %d, and not as missing', async (start, end) => {
      expect(await reasonOf(store.get('read/ten', { range: { start, end } }))).not.toBe('NOT_FOUND');
    });

    it('describes an object', async () => {
      const info = await store.head('read/ten');
      expect(info).toEqual({ key: 'read/ten', size: 10, modifiedAt: expect.any(Date), version: expect.any(String) });
      expect(Math.abs(info.modifiedAt.getTime() - Date.now())).toBeLessThan(60_000);
    });

    it('stores and reads an empty object', async () => {
      await store.put('read/empty', Readable.from([]));
      expect(await store.head('read/empty')).toMatchObject({ size: 0 });
      expect(await buffer(await store.get('read/empty'))).toHaveLength(0);
    });

    it('stops when its signal is aborted', async () => {
      const controller = new AbortController();
      const stream = await store.get('read/ten', { signal: controller.signal });
      controller.abort();
      await expect(buffer(stream)).rejects.toThrow();
      expect(stream.destroyed).toBe(true);
      await reasonOf(store.get('read/ten', { signal: controller.signal }));
    });
  });

  describe('what is not there', () => {
    it.each(['gone', 'gone/deeper/key', 'read', 'read/ten/under'])('%s is NOT_FOUND', async (key) => {
      expect(await reasonOf(store.head(key))).toBe('NOT_FOUND');
      expect(await reasonOf(store.get(key))).toBe('NOT_FOUND');
    });

    it('can be deleted, and so can an object twice', async () => {
      await store.put('twice', bytes('x'));
      await store.delete('twice');
      await store.delete('twice');
      await store.delete('never/was');
      await store.delete('read');
      expect(await reasonOf(store.get('twice'))).toBe('NOT_FOUND');
      expect(await keysUnder(store, 'read/')).toContain('read/ten');
    });
  });

  describe('create-only', () => {
    it('refuses an existing key and leaves its bytes', async () => {
      await store.put('once', bytes('first'));
      expect(await reasonOf(store.put('once', bytes('second')))).toBe('ALREADY_EXISTS');
      expect(String(await buffer(await store.get('once')))).toBe('first');
    });

    it('lets exactly one of many parallel writers win, whole', async () => {
      const bodies = Array.from({ length: 20 }, (_, i) => String(i).repeat(100_000));
      const results = await Promise.allSettled(bodies.map((body) => store.put('race/one', bytes(body))));
      const winners = bodies.filter((_, i) => results[i]?.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      expect(String(await buffer(await store.get('race/one')))).toBe(winners[0]);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ reason: 'ALREADY_EXISTS' });
      }
    });
  });

  describe('an upload that is cut', () => {
    /** Half an upload: bytes have arrived, more are to come. */
    function half(): PassThrough {
      const source = new PassThrough();
      source.write(Buffer.alloc(16_000));
      return source;
    }

    it('by a source that fails leaves nothing, and names the cause', async () => {
      const source = half();
      const cause = new PayloadTooLargeError('too large', 1);
      const stored = store.put('cut/failed', source);
      setTimeout(() => source.destroy(cause), 20);
      await expect(stored).rejects.toMatchObject({ name: 'StorageError', cause });
    });

    it('by a source that lost its own object is not about this one', async () => {
      const source = half();
      const stored = store.put('cut/copied', source);
      setTimeout(() => source.destroy(new StorageError('NOT_FOUND', 'gone')), 20);
      expect(await reasonOf(stored)).toBe('UNKNOWN');
    });

    it('by a source that closes early leaves nothing', async () => {
      const source = half();
      const stored = store.put('cut/closed', source);
      setTimeout(() => source.destroy(), 20);
      expect(await reasonOf(stored)).toBe('UNKNOWN');
    });

    it('by its signal leaves nothing and frees the source', async () => {
      const source = half();
      const stored = store.put('cut/aborted', source, { signal: AbortSignal.timeout(20) });
      expect(await reasonOf(stored)).toBe('UNKNOWN');
      expect(source.destroyed).toBe(true);
    });

    it('by a signal that was aborted before leaves nothing', async () => {
      const source = half();
      expect(await reasonOf(store.put('cut/before', source, { signal: AbortSignal.abort() }))).toBe('UNKNOWN');
      expect(source.destroyed).toBe(true);
    });

    it('before it began is not taken for an empty file', async () => {
      const ended = bytes('lost');
      await buffer(ended);
      const destroyed = new PassThrough().destroy();
      expect(await reasonOf(store.put('cut/ended', ended))).toBe('UNKNOWN');
      expect(await reasonOf(store.put('cut/destroyed', destroyed))).toBe('UNKNOWN');
    });

    it('leaves no object of any of these', async () => {
      await sleep(20);
      expect(await keysUnder(store, 'cut')).toEqual([]);
    });
  });

  describe('listing', () => {
    const keys = Array.from({ length: 1100 }, (_, i) => `list/${String(i % 7)}/${String(i).padStart(4, '0')}`).sort();
    beforeAll(async () => {
      const rest = [...keys];
      const worker = async () => {
        for (let key = rest.pop(); key; key = rest.pop()) await store.put(key, bytes(key));
      };
      await Promise.all(Array.from({ length: 16 }, worker));
    });

    it('gives all of 1,100 objects, each once, with their sizes', async () => {
      expect(await keysUnder(store, 'list/')).toEqual(keys);
      for await (const info of store.list('list/3/')) expect(info.size).toBe(info.key.length);
    });

    it.each(['list/3/', 'list/3', 'list/3/00', 'list/3/0003', 'li'])('takes %s as any prefix', async (prefix) => {
      expect(await keysUnder(store, prefix)).toEqual(keys.filter((key) => key.startsWith(prefix)));
    });

    it.each(['nothing', 'list/9/', 'list/3/0003/'])('gives nothing under %s', async (prefix) => {
      expect(await keysUnder(store, prefix)).toEqual([]);
    });

    it('may be left early', async () => {
      for await (const info of store.list('list/')) {
        expect(info.key).toMatch(/^list\//);
        break;
      }
    });
  });

  describe('copying', () => {
    it('gives a second object with the same bytes, that outlives the first', async () => {
      await store.put('copy/from', bytes('copied'), { contentType: 'text/plain' });
      const { version } = await store.head('copy/from');
      await store.copy('copy/from', 'copy/deep/to', { version });
      await store.delete('copy/from');
      expect(String(await buffer(await store.get('copy/deep/to')))).toBe('copied');
    });

    it('refuses a source that is not there, one that changed, and a key that is taken', async () => {
      await store.put('copy/old', bytes('old'));
      const { version } = await store.head('copy/old');
      await store.delete('copy/old');
      await store.put('copy/old', bytes('new'));
      expect(await reasonOf(store.copy('copy/old', 'copy/target', { version }))).toBe('CHANGED');
      expect(await reasonOf(store.copy('copy/none', 'copy/target'))).toBe('NOT_FOUND');
      expect(await reasonOf(store.head('copy/target'))).toBe('NOT_FOUND');
      await store.put('copy/taken', bytes('first'));
      expect(await reasonOf(store.copy('copy/old', 'copy/taken'))).toBe('ALREADY_EXISTS');
      expect(String(await buffer(await store.get('copy/taken')))).toBe('first');
    });
  });

  describe('an upload in parts', () => {
    const first = randomBytes(5 * MiB);
    const last = randomBytes(1000);
    const part = (key: string, id: string, number: number, body: Buffer) =>
      store.multipart.putPart(key, id, number, Readable.from([body]), { size: body.length });

    it('becomes an object when it is completed, and not before', async () => {
      const key = 'parts/whole';
      const id = await store.multipart.create(key, { contentType: 'text/plain' });
      expect(await store.multipart.listParts(key, id)).toEqual([]);
      await part(key, id, 2, last);
      await part(key, id, 1, randomBytes(5 * MiB));
      await part(key, id, 1, first);
      expect(await reasonOf(store.head(key))).toBe('NOT_FOUND');
      const arrived = await store.multipart.listParts(key, id);
      expect(arrived.map(({ number, size }) => [number, size])).toEqual([
        [1, first.length],
        [2, last.length],
      ]);
      await store.multipart.complete(key, id, arrived);
      expect(Buffer.concat([first, last]).equals(await buffer(await store.get(key)))).toBe(true);
    });

    it('takes no part that is shorter than announced', async () => {
      const key = 'parts/short';
      const id = await store.multipart.create(key);
      expect(await reasonOf(store.multipart.putPart(key, id, 1, bytes('abc'), { size: 4 }))).toBe('UNKNOWN');
      expect(await store.multipart.listParts(key, id)).toEqual([]);
      await store.multipart.abort(key, id);
    });

    it('does not replace an object', async () => {
      const key = 'parts/taken';
      await store.put(key, bytes('first'));
      const id = await store.multipart.create(key);
      const one = await part(key, id, 1, last);
      expect(await reasonOf(store.multipart.complete(key, id, [one]))).toBe('ALREADY_EXISTS');
      expect(String(await buffer(await store.get(key)))).toBe('first');
      await store.multipart.abort(key, id);
    });

    it('leaves nothing when it is aborted, once or twice', async () => {
      const key = 'parts/aborted';
      const id = await store.multipart.create(key);
      const one = await part(key, id, 1, last);
      await store.multipart.abort(key, id);
      await store.multipart.abort(key, id);
      await reasonOf(store.multipart.complete(key, id, [one]));
      expect(await keysUnder(store, 'parts/ab')).toEqual([]);
    });
  });

  it('makes an object of more parts than one page lists, in their order', async () => {
    const { limits, create, putPart, listParts, complete, abort } = store.multipart;
    const key = 'parts/many';
    const id = await create(key);
    const numbers = Array.from({ length: partsPage + 1 }, (_, i) => i + 1);
    const rest = [...numbers];
    const worker = async () => {
      for (let number = rest.pop(); number; number = rest.pop())
        await putPart(key, id, number, bytes(`${number},`), { size: String(number).length + 1 });
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    const arrived = await listParts(key, id);
    expect(arrived.map(({ number }) => number)).toEqual(numbers);
    // Where parts cannot be that small, they are known only when they are put together.
    if (limits.minSize > 1) await abort(key, id);
    else {
      await complete(key, id, arrived);
      expect(String(await buffer(await store.get(key)))).toBe(numbers.map((number) => `${number},`).join(''));
    }
  });

  describe('requests that it signs', () => {
    const body = Buffer.from('<p>signed</p>');
    const sent = (request: SignedRequest, method = request.method, url = request.url) =>
      fetch(url, { method, headers: request.headers, ...(method === 'PUT' && { body }) });

    if (isRemote)
      it('let a client write an object, and read it with the headers that were asked for', async () => {
        const write = await store.presignPut('signed/one', { expiresIn: 60, contentType: 'text/html' });
        expect(Math.abs(write.expiresAt.getTime() - Date.now() - 60_000)).toBeLessThan(30_000);
        expect((await sent(write)).ok).toBe(true);
        expect(await store.head('signed/one')).toMatchObject({ size: body.length });
        const contentDisposition = `attachment; filename="a b.html"; filename*=UTF-8''%C3%A4%20b.html`;
        const read = await store.presignGet('signed/one', { expiresIn: 60, contentType: 'application/octet-stream', contentDisposition });
        const answer = await sent(read);
        expect(answer.status).toBe(200);
        expect(answer.headers.get('content-type')).toBe('application/octet-stream');
        expect(answer.headers.get('content-disposition')).toBe(contentDisposition);
        expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
      });

    if (isRemote)
      it('are good for nothing else', async () => {
        await store.put('signed/two', bytes('mine'));
        const read = await store.presignGet('signed/two', { expiresIn: 60 });
        const write = await store.presignPut('signed/three', { expiresIn: 60 });
        const refused = [
          await sent({ ...read, headers: write.headers }, 'PUT'),
          await sent(read, 'GET', read.url.replace('signed/two', 'signed/one')),
          await sent(write, 'PUT', write.url.replace('signed/three', 'signed/two')),
          await fetch(new URL(new URL(read.url).pathname, read.url)),
        ];
        for (const answer of refused) expect([401, 403, 404, 409]).toContain(answer.status);
        expect(String(await buffer(await store.get('signed/two')))).toBe('mine');
      });

    if (!isRemote)
      it('are none, since no client can reach it', async () => {
        expect(store.presigns).toBe(false);
        expect(await reasonOf(store.presignGet('read/ten', { expiresIn: 60 }))).toBe('UNSUPPORTED');
        expect(await reasonOf(store.presignPut('read/new', { expiresIn: 60 }))).toBe('UNSUPPORTED');
      });
  });

  if (isRemote)
    describe('a storage that is set up wrongly', () => {
      it.each([
        ['wrongCredentials', 'UNAUTHENTICATED', /does not take these credentials. Check/],
        ['noBucket', 'NO_BUCKET', /There is no such (bucket|container). Create it, or correct its name/],
      ] as const)('by %s is %s, whatever it is asked', async (what, reason, hint) => {
        const wrong = refused?.[what];
        if (!wrong) throw new Error('the driver has none');
        const asked = [
          wrong.put('refused', bytes('x')),
          wrong.put('refused', generated(12 * MiB).stream),
          wrong.get('refused'),
          wrong.head('refused'),
          wrong.copy('refused', 'refused-copy'),
          keysUnder(wrong, 'refused'),
          wrong.multipart.create('refused').then((id) => wrong.multipart.putPart('refused', id, 1, bytes('x'), { size: 1 })),
        ];
        for (const told of await Promise.all(asked.map(faultOf))) {
          expect([told.reason, told.message]).toEqual([reason, expect.stringMatching(hint)]);
        }
        const failed = (await wrong.probe()).filter(({ ok }) => !ok);
        expect(failed).toEqual([expect.objectContaining({ name: 'authenticate', detail: expect.stringMatching(hint) })]);
      });

      if (rights)
        it('without the right to write is FORBIDDEN, and names the right; it reads all the same', async () => {
          const withoutRight = refused?.withoutRight;
          if (!withoutRight) throw new Error('the driver has none');
          await store.put('refused', bytes('readable'));
          await withoutRight(async (reader) => {
            const told = await Promise.all([reader.put('refused-new', bytes('x')), reader.copy('refused', 'refused-new')].map(faultOf));
            for (const { reason, message } of told)
              expect([reason, message]).toEqual(['FORBIDDEN', expect.stringMatching(/Grant s(3|torage)/)]);
            expect(String(await buffer(await reader.get('refused')))).toBe('readable');
          });
          expect(await keysUnder(store, 'refused')).toEqual(['refused']);
        });
    });

  if (isRemote)
    it('ends a download that is cut with an error, and never as if that were all', async () => {
      let proxy: CuttingProxy | undefined;
      const cut = await open(async (host) => {
        proxy = await startCuttingProxy(host);
        return proxy.host;
      });
      onTestFinished(async () => {
        await cut.close();
        await proxy?.close();
      });
      const { stream, digest } = generated(16 * MiB);
      await cut.store.put('cut/one', stream);
      proxy?.cutAfter(MiB);
      expect(['UNREACHABLE', 'UNKNOWN']).toContain(await reasonOf(cut.store.get('cut/one').then(buffer)));
      proxy?.cutAfter(null);
      const whole = await buffer(await cut.store.get('cut/one'));
      expect(createHash('sha256').update(whole).digest('hex')).toBe(digest());
    });

  it('probes itself and leaves nothing', async () => {
    const before = await keysUnder(store, '');
    const checks = await store.probe();
    expect(checks.length).toBeGreaterThanOrEqual(4);
    for (const check of checks) expect(check).toMatchObject({ ok: true, detail: '', latencyMs: expect.any(Number) });
    expect(await keysUnder(store, '')).toEqual(before);
  });
});
