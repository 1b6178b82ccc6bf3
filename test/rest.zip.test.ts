import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { BlobStore } from '../src/blob/store.js';
import { type FileRow, listFiles } from '../src/file/file.service.js';
import { distinctNames } from '../src/file/name.js';
import { zipOf } from '../src/file/zip.service.js';
import type { UploadFile } from './multipart.js';
import { unzip } from './unzip.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
const png = Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), Buffer.alloc(64 * 1024, 'pixels')]);

let admin: Actor;
beforeEach(() => {
  admin = world().actor('admin');
});

async function storedFiles(...files: UploadFile[]): Promise<FileRow[]> {
  const { data } = await world().graphql(admin, 'mutation { createDocument(input: { name: "D" }) { ... on Document { id } } }');
  const { id } = data.createDocument;
  await world().upload(admin, id, files);
  return listFiles(world().context(admin), id);
}

/** Lets every read of the store go through `get` until the test ends. */
function interceptReads(get: (real: BlobStore) => BlobStore['get']): void {
  const { blobs } = world().gateway.services;
  const { open } = blobs;
  blobs.open = async (address) => {
    const store = await open(address);
    return { ...store, get: get(store) };
  };
  onTestFinished(() => {
    blobs.open = open;
  });
}

const zip = (files: FileRow[]) => zipOf(world().context(admin), files);

describe('an archive', () => {
  test('holds every file with its bytes, stored where they are compressed already', async () => {
    const text = 'amount;currency\n'.repeat(5000);
    const files = await storedFiles({ name: 'a.png', body: png }, { name: 'b.csv', body: text, type: 'text/csv' }, { name: 'c', body: '' });
    const archive = await buffer(zip(files));
    expect(unzip(archive)).toEqual([
      { name: 'a.png', stored: true, body: png },
      { name: 'b.csv', stored: false, body: Buffer.from(text) },
      { name: 'c', stored: false, body: Buffer.alloc(0) },
    ]);
    expect(archive.length).toBeLessThan(png.length + text.length / 10);
  });

  test('opens each file only when its turn comes', async () => {
    const body = Buffer.alloc(1024 * 1024, 1);
    const files = await storedFiles({ name: 'a', body }, { name: 'b', body }, { name: 'c', body });
    const opened: string[] = [];
    interceptReads((store) => (key, options) => {
      opened.push(key);
      return store.get(key, options);
    });
    const seen: number[] = [];
    for await (const _ of zip(files)) seen.push(opened.length);
    expect(opened).toEqual(files.map((file) => file.objectKey));
    for (const count of [1, 2, 3]) expect(seen.filter((seenCount) => seenCount === count).length).toBeGreaterThan(1);
  });

  test.each<[string, BlobStore['get']]>([
    ['cannot be opened', () => Promise.reject(new Error('gone'))],
    ['breaks off', async () => Readable.from([Buffer.from('wh'), Promise.reject(new Error('broken'))])],
    ['closes without an end', async () => new Readable({ read: () => {} }).destroy()],
    ['is shorter than its row says', async () => Readable.from([Buffer.from('whol')])],
    ['is longer than its row says', async () => Readable.from([Buffer.from('whole bytes and more')])],
  ])('fails, and never ends as if it were whole, when a file %s', async (_, get) => {
    const files = await storedFiles({ name: 'a', body: 'fine' }, { name: 'b', body: 'whole bytes' }, { name: 'c', body: 'fine' });
    interceptReads((store) => (key, options) => (key === files[1]?.objectKey ? get(key, options) : store.get(key, options)));
    const chunks: Buffer[] = [];
    const read = async () => {
      for await (const chunk of zip(files)) chunks.push(chunk);
    };
    await expect(read()).rejects.toThrow();
    expect(() => unzip(Buffer.concat(chunks))).toThrow('no end');
  });

  test('whose reader goes away frees the file that is open, or about to be', async () => {
    const files = await storedFiles({ name: 'a', body: Buffer.alloc(4 * 1024 * 1024) }, { name: 'b', body: 'b' });
    const opened: Readable[] = [];
    interceptReads((store) => async (key, options) => {
      const stream = await store.get(key, options);
      opened.push(stream);
      return stream;
    });
    const read = zip(files);
    read.on('data', () => opened.length > 0 && read.destroy());
    await expect.poll(() => opened.map((stream) => stream.destroyed)).toEqual([true]);
    zip(files).destroy();
    await vi.waitFor(() => expect(opened.every((stream) => stream.destroyed)).toBe(true));
  });

  test('of a file in quarantine is refused before its first byte', async () => {
    const files = await storedFiles({ name: 'a', body: 'a' }, { name: 'b', body: 'b' });
    const [first, second] = files as [FileRow, FileRow];
    expect(() => zip([first, { ...second, state: 'QUARANTINED' }])).toThrow('quarantine');
  });

  test('larger than 4 GiB has its sizes and offsets in 64 bits, and memory that does not grow with it', async () => {
    const [file] = (await storedFiles({ name: 'big.png', body: png })) as [FileRow];
    const piece = Buffer.alloc(1024 * 1024);
    const pieces = 4 * 1024 + 1;
    const size = piece.length * pieces;
    interceptReads(() => async () => Readable.from(Array.from({ length: pieces }, () => piece)));
    const before = process.memoryUsage.rss();
    let [length, peak] = [0, 0];
    let tail = Buffer.alloc(0);
    for await (const chunk of zip([{ ...file, size: BigInt(size) }])) {
      length += chunk.length;
      tail = Buffer.concat([tail, chunk]).subarray(-200);
      peak = Math.max(peak, process.memoryUsage.rss());
    }
    const extra = tail.lastIndexOf(Buffer.from([0x01, 0x00, 24, 0x00]));
    expect([tail.readBigUInt64LE(extra + 4), tail.readBigUInt64LE(extra + 12)]).toEqual([BigInt(size), BigInt(size)]);
    const locator = tail.subarray(-42, -22);
    expect([locator.readUInt32LE(0), Number(locator.readBigUInt64LE(8))]).toEqual([0x07064b50, length - 42 - 56]);
    expect(peak - before).toBeLessThan(128 * 1024 * 1024);
  });
});

describe('the names in an archive', () => {
  test.each<[string, string[], string[]]>([
    ['that differ stay as they are', ['a.pdf', 'größe — x.pdf', '書類.pdf'], ['a.pdf', 'größe — x.pdf', '書類.pdf']],
    ['that repeat get a number', ['a.pdf', 'a.pdf', 'a.pdf'], ['a.pdf', 'a (2).pdf', 'a (3).pdf']],
    ['that differ in case only get one', ['A.pdf', 'a.PDF'], ['A.pdf', 'a (2).PDF']],
    ['that differ in spelling only get one', ['\u00e9.txt', 'e\u0301.txt'], ['\u00e9.txt', 'e\u0301 (2).txt']],
    ['never meet one that had its number already', ['a (2).pdf', 'a.pdf', 'a.pdf'], ['a (2).pdf', 'a.pdf', 'a (3).pdf']],
    ['are no paths', ['../../etc/passwd', '/root', 'C:\\x', '..'], ['.._.._etc_passwd', '_root', 'C__x', 'file']],
    ['hide nothing', ['a\u202efdp.exe', 'a\0b\nc'], ['afdp.exe', 'abc']],
    ['are no devices', ['con', 'NUL.txt', 'com1.tar.gz', 'console.txt'], ['_con', '_NUL.txt', '_com1.tar.gz', 'console.txt']],
    ['have no ends that Windows drops', ['a.', 'a. .', ' a'], ['a', 'a (2)', 'a (3)']],
    ['have no signs that Windows forbids', ['a<b>c:d"e|f?g*h'], ['a_b_c_d_e_f_g_h']],
  ])('%s', (_, names, expected) => {
    expect(distinctNames(names)).toEqual(expected);
  });

  test('fit into 255 bytes with their number and keep their extension', () => {
    const names = distinctNames(Array.from({ length: 12 }, () => `${'ü'.repeat(300)}.pdf`));
    expect(new Set(names).size).toBe(12);
    for (const name of names) expect([Buffer.byteLength(name) <= 255, name.endsWith('.pdf')]).toEqual([true, true]);
  });
});
