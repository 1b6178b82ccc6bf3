import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { PayloadTooLargeError, StorageError } from '../src/errors.js';
import { bytes, keysUnder, reasonOf, useStore } from './blob.contract.store.js';
import { drivers } from './blob.drivers.js';

describe.each(drivers)('the $name blob store', ({ open }) => {
  const { store } = useStore(open);

  describe('reading', () => {
    beforeAll(() => store().put('read/ten', bytes('0123456789'), { contentType: 'text/plain' }));

    it.each([
      [0, 0, '0'],
      [9, 9, '9'],
      [0, 9, '0123456789'],
      [3, 5, '345'],
      [8, 999, '89'],
    ])('gives bytes %i to %i', async (start, end, expected) => {
      expect(String(await buffer(await store().get('read/ten', { range: { start, end } })))).toBe(expected);
    });

    it.each([
      [10, 10],
      [5, 4],
      [-1, 3],
      [0.5, 3],
    ])('refuses the range %d to %d, and not as missing', async (start, end) => {
      expect(await reasonOf(store().get('read/ten', { range: { start, end } }))).not.toBe('NOT_FOUND');
    });

    it('describes an object', async () => {
      const info = await store().head('read/ten');
      expect(info).toEqual({ key: 'read/ten', size: 10, modifiedAt: expect.any(Date), version: expect.any(String) });
      expect(Math.abs(info.modifiedAt.getTime() - Date.now())).toBeLessThan(60_000);
    });

    it('stores and reads an empty object', async () => {
      await store().put('read/empty', Readable.from([]));
      expect(await store().head('read/empty')).toMatchObject({ size: 0 });
      expect(await buffer(await store().get('read/empty'))).toHaveLength(0);
    });

    it('stops when its signal is aborted', async () => {
      const controller = new AbortController();
      const stream = await store().get('read/ten', { signal: controller.signal });
      controller.abort();
      await expect(buffer(stream)).rejects.toThrow();
      expect(stream.destroyed).toBe(true);
      await reasonOf(store().get('read/ten', { signal: controller.signal }));
    });
  });

  describe('what is not there', () => {
    it.each(['gone', 'gone/deeper/key', 'read', 'read/ten/under'])('%s is NOT_FOUND', async (key) => {
      expect(await reasonOf(store().head(key))).toBe('NOT_FOUND');
      expect(await reasonOf(store().get(key))).toBe('NOT_FOUND');
    });

    it('can be deleted, and so can an object twice', async () => {
      await store().put('twice', bytes('x'));
      await store().delete('twice');
      await store().delete('twice');
      await store().delete('never/was');
      await store().delete('read');
      expect(await reasonOf(store().get('twice'))).toBe('NOT_FOUND');
      expect(await keysUnder(store(), 'read/')).toContain('read/ten');
    });
  });

  describe('create-only', () => {
    it('refuses an existing key and leaves its bytes', async () => {
      await store().put('once', bytes('first'));
      expect(await reasonOf(store().put('once', bytes('second')))).toBe('ALREADY_EXISTS');
      expect(String(await buffer(await store().get('once')))).toBe('first');
    });

    it('lets exactly one of many parallel writers win, whole', async () => {
      const bodies = Array.from({ length: 20 }, (_, i) => String(i).repeat(100_000));
      const results = await Promise.allSettled(bodies.map((body) => store().put('race/one', bytes(body))));
      const winners = bodies.filter((_, i) => results[i]?.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      expect(String(await buffer(await store().get('race/one')))).toBe(winners[0]);
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
      const stored = store().put('cut/failed', source);
      setTimeout(() => source.destroy(cause), 20);
      await expect(stored).rejects.toMatchObject({ name: 'StorageError', cause });
    });

    it('by a source that fails at once leaves nothing, and names the cause', async () => {
      const source = half();
      const cause = new PayloadTooLargeError('too large', 1);
      const stored = store().put('cut/at-once', source);
      source.destroy(cause);
      await expect(stored).rejects.toMatchObject({ name: 'StorageError', cause });
    });

    it('by a source that lost its own object is not about this one', async () => {
      const source = half();
      const stored = store().put('cut/copied', source);
      setTimeout(() => source.destroy(new StorageError('NOT_FOUND', 'gone')), 20);
      expect(await reasonOf(stored)).toBe('UNKNOWN');
    });

    it('by a source that closes early leaves nothing', async () => {
      const source = half();
      const stored = store().put('cut/closed', source);
      setTimeout(() => source.destroy(), 20);
      expect(await reasonOf(stored)).toBe('UNKNOWN');
    });

    it('by its signal leaves nothing and frees the source', async () => {
      const source = half();
      const stored = store().put('cut/aborted', source, { signal: AbortSignal.timeout(20) });
      expect(await reasonOf(stored)).toBe('UNKNOWN');
      expect(source.destroyed).toBe(true);
    });

    it('by a signal that was aborted before leaves nothing', async () => {
      const source = half();
      expect(await reasonOf(store().put('cut/before', source, { signal: AbortSignal.abort() }))).toBe('UNKNOWN');
      expect(source.destroyed).toBe(true);
    });

    it('before it began is not taken for an empty file', async () => {
      const ended = bytes('lost');
      await buffer(ended);
      const destroyed = new PassThrough().destroy();
      expect(await reasonOf(store().put('cut/ended', ended))).toBe('UNKNOWN');
      expect(await reasonOf(store().put('cut/destroyed', destroyed))).toBe('UNKNOWN');
    });

    it('leaves no object of any of these', async () => {
      await sleep(20);
      expect(await keysUnder(store(), 'cut')).toEqual([]);
    });
  });

  describe('listing', () => {
    const keys = Array.from({ length: 1100 }, (_, i) => `list/${String(i % 7)}/${String(i).padStart(4, '0')}`).sort();
    beforeAll(async () => {
      const rest = [...keys];
      const worker = async () => {
        for (let key = rest.pop(); key; key = rest.pop()) await store().put(key, bytes(key));
      };
      await Promise.all(Array.from({ length: 16 }, worker));
    });

    it('gives all of 1,100 objects, each once, with their sizes', async () => {
      expect(await keysUnder(store(), 'list/')).toEqual(keys);
      for await (const info of store().list('list/3/')) expect(info.size).toBe(info.key.length);
    });

    it.each(['list/3/', 'list/3', 'list/3/00', 'list/3/0003', 'li'])('takes %s as any prefix', async (prefix) => {
      expect(await keysUnder(store(), prefix)).toEqual(keys.filter((key) => key.startsWith(prefix)));
    });

    it.each(['nothing', 'list/9/', 'list/3/0003/'])('gives nothing under %s', async (prefix) => {
      expect(await keysUnder(store(), prefix)).toEqual([]);
    });

    it('may be left early', async () => {
      for await (const info of store().list('list/')) {
        expect(info.key).toMatch(/^list\//);
        break;
      }
    });
  });

  describe('copying', () => {
    it('gives a second object with the same bytes, that outlives the first', async () => {
      await store().put('copy/from', bytes('copied'), { contentType: 'text/plain' });
      const { version } = await store().head('copy/from');
      await store().copy('copy/from', 'copy/deep/to', { version });
      await store().delete('copy/from');
      expect(String(await buffer(await store().get('copy/deep/to')))).toBe('copied');
    });

    it('refuses a source that is not there, one that changed, and a key that is taken', async () => {
      await store().put('copy/old', bytes('old'));
      const { version } = await store().head('copy/old');
      await store().delete('copy/old');
      await store().put('copy/old', bytes('new'));
      expect(await reasonOf(store().copy('copy/old', 'copy/target', { version }))).toBe('CHANGED');
      expect(await reasonOf(store().copy('copy/none', 'copy/target'))).toBe('NOT_FOUND');
      expect(await reasonOf(store().head('copy/target'))).toBe('NOT_FOUND');
      await store().put('copy/taken', bytes('first'));
      expect(await reasonOf(store().copy('copy/old', 'copy/taken'))).toBe('ALREADY_EXISTS');
      expect(String(await buffer(await store().get('copy/taken')))).toBe('first');
    });
  });
});
