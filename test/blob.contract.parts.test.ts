import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { SignedRequest } from '../src/blob/store.js';
import { bytes, faultOf, generated, keysUnder, MiB, reasonOf, useStore } from './blob.contract.store.js';
import { drivers } from './blob.drivers.js';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.js';

describe.each(drivers)('the $name blob store', ({ open, isRemote, rights = true, partsPage = 40 }) => {
  const { store, refused } = useStore(open);

  describe('an upload in parts', () => {
    const first = randomBytes(5 * MiB);
    const last = randomBytes(1000);
    const part = (key: string, id: string, number: number, body: Buffer) =>
      store().multipart.putPart(key, id, number, Readable.from([body]), { size: body.length });

    it('becomes an object when it is completed, and not before', async () => {
      const key = 'parts/whole';
      const id = await store().multipart.create(key, { contentType: 'text/plain' });
      expect(await store().multipart.listParts(key, id)).toEqual([]);
      await part(key, id, 2, last);
      await part(key, id, 1, randomBytes(5 * MiB));
      await part(key, id, 1, first);
      expect(await reasonOf(store().head(key))).toBe('NOT_FOUND');
      const arrived = await store().multipart.listParts(key, id);
      expect(arrived.map(({ number, size }) => [number, size])).toEqual([
        [1, first.length],
        [2, last.length],
      ]);
      await store().multipart.complete(key, id, arrived);
      expect(Buffer.concat([first, last]).equals(await buffer(await store().get(key)))).toBe(true);
    });

    it('takes no part that is shorter than announced', async () => {
      const key = 'parts/short';
      const id = await store().multipart.create(key);
      expect(await reasonOf(store().multipart.putPart(key, id, 1, bytes('abc'), { size: 4 }))).toBe('UNKNOWN');
      expect(await store().multipart.listParts(key, id)).toEqual([]);
      await store().multipart.abort(key, id);
    });

    it('takes no part whose source fails at once', async () => {
      const key = 'parts/failed';
      const id = await store().multipart.create(key);
      const source = new PassThrough();
      source.write('abc');
      const sent = store().multipart.putPart(key, id, 1, source, { size: 4 });
      source.destroy(new Error('cut'));
      expect(await reasonOf(sent)).toBe('UNKNOWN');
      expect(await store().multipart.listParts(key, id)).toEqual([]);
      await store().multipart.abort(key, id);
    });

    it('does not replace an object', async () => {
      const key = 'parts/taken';
      await store().put(key, bytes('first'));
      const id = await store().multipart.create(key);
      const one = await part(key, id, 1, last);
      expect(await reasonOf(store().multipart.complete(key, id, [one]))).toBe('ALREADY_EXISTS');
      expect(String(await buffer(await store().get(key)))).toBe('first');
      await store().multipart.abort(key, id);
    });

    it('leaves nothing when it is aborted, once or twice', async () => {
      const key = 'parts/aborted';
      const id = await store().multipart.create(key);
      const one = await part(key, id, 1, last);
      await store().multipart.abort(key, id);
      await store().multipart.abort(key, id);
      await reasonOf(store().multipart.complete(key, id, [one]));
      expect(await keysUnder(store(), 'parts/ab')).toEqual([]);
    });
  });

  it('makes an object of more parts than one page lists, in their order', async () => {
    const { limits, create, putPart, listParts, complete, abort } = store().multipart;
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
      expect(String(await buffer(await store().get(key)))).toBe(numbers.map((number) => `${number},`).join(''));
    }
  });

  describe('requests that it signs', () => {
    const body = Buffer.from('<p>signed</p>');
    const sent = (request: SignedRequest, method = request.method, url = request.url) =>
      fetch(url, { method, headers: request.headers, ...(method === 'PUT' && { body }) });

    if (isRemote)
      it('let a client write an object, and read it with the headers that were asked for', async () => {
        const write = await store().presignPut('signed/one', { expiresIn: 60, contentType: 'text/html' });
        expect(Math.abs(write.expiresAt.getTime() - Date.now() - 60_000)).toBeLessThan(30_000);
        expect((await sent(write)).ok).toBe(true);
        expect(await store().head('signed/one')).toMatchObject({ size: body.length });
        const contentDisposition = `attachment; filename="a b.html"; filename*=UTF-8''%C3%A4%20b.html`;
        const read = await store().presignGet('signed/one', { expiresIn: 60, contentType: 'application/octet-stream', contentDisposition });
        const answer = await sent(read);
        expect(answer.status).toBe(200);
        expect(answer.headers.get('content-type')).toBe('application/octet-stream');
        expect(answer.headers.get('content-disposition')).toBe(contentDisposition);
        expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
      });

    if (isRemote)
      it('are good for nothing else', async () => {
        await store().put('signed/two', bytes('mine'));
        const read = await store().presignGet('signed/two', { expiresIn: 60 });
        const write = await store().presignPut('signed/three', { expiresIn: 60 });
        const answers = [
          await sent({ ...read, headers: write.headers }, 'PUT'),
          await sent(read, 'GET', read.url.replace('signed/two', 'signed/one')),
          await sent(write, 'PUT', write.url.replace('signed/three', 'signed/two')),
          await fetch(new URL(new URL(read.url).pathname, read.url)),
        ];
        for (const answer of answers) expect([401, 403, 404, 409]).toContain(answer.status);
        expect(String(await buffer(await store().get('signed/two')))).toBe('mine');
      });

    if (!isRemote)
      it('are none, since no client can reach it', async () => {
        expect(store().presigns).toBe(false);
        expect(await reasonOf(store().presignGet('read/ten', { expiresIn: 60 }))).toBe('UNSUPPORTED');
        expect(await reasonOf(store().presignPut('read/new', { expiresIn: 60 }))).toBe('UNSUPPORTED');
      });
  });

  if (isRemote)
    describe('a storage that is set up wrongly', () => {
      it.each([
        ['wrongCredentials', 'UNAUTHENTICATED', /does not take these credentials. Check/],
        ['noBucket', 'NO_BUCKET', /There is no such (bucket|container). Create it, or correct its name/],
      ] as const)('by %s is %s, whatever it is asked', async (what, reason, hint) => {
        const wrong = refused()?.[what];
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
          const withoutRight = refused()?.withoutRight;
          if (!withoutRight) throw new Error('the driver has none');
          await store().put('refused', bytes('readable'));
          await withoutRight(async (reader) => {
            const told = await Promise.all([reader.put('refused-new', bytes('x')), reader.copy('refused', 'refused-new')].map(faultOf));
            for (const { reason, message } of told)
              expect([reason, message]).toEqual(['FORBIDDEN', expect.stringMatching(/Grant s(3|torage)/)]);
            expect(String(await buffer(await reader.get('refused')))).toBe('readable');
          });
          expect(await keysUnder(store(), 'refused')).toEqual(['refused']);
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
    const before = await keysUnder(store(), '');
    const checks = await store().probe();
    expect(checks.length).toBeGreaterThanOrEqual(4);
    for (const check of checks) expect(check).toMatchObject({ ok: true, detail: '', latencyMs: expect.any(Number) });
    expect(await keysUnder(store(), '')).toEqual(before);
  });
});
