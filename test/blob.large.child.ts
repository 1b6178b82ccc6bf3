/**
 * Writes one object to a store and reads it back, in a process of its own, and prints an Outcome. Its one argument is an
 * Errand. test/blob.large.test.ts bundles it as `npm run build` bundles Docgate, so that no compiler counts in its memory.
 */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createHostGuard } from '../src/blob/hosts.js';
import { createBlobStores, type StoreAddress } from '../src/blob/stores.js';

export interface Errand {
  /** Where local_fs has its bytes. */
  dataDir: string;
  address: StoreAddress;
  /** Of the object, in bytes. */
  size: number;
}

export interface Outcome {
  /** SHA-256, in hex. */
  sent: string;
  received: string;
  /** What the store says the object has, in bytes. */
  size: number;
  /** The most memory that the process ever held, in MiB. */
  peakMib: number;
}

const MiB = 1024 ** 2;
const block = randomBytes(MiB);

/** No two blocks are alike. */
function* generated(size: number, hash: Hash): Generator<Buffer> {
  for (let left = size; left > 0; left -= MiB) {
    const part = Buffer.from(block.subarray(0, Math.min(left, MiB)));
    part.writeUInt32BE(left / MiB);
    hash.update(part);
    yield part;
  }
}

/** Not that of `process.resourceUsage()`: it has the memory of whoever started this process as well. */
const peakMib = () => Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024);

const { dataDir, address, size }: Errand = JSON.parse(process.argv[2] ?? '');
// A gateway that has storages of all providers has all their SDKs in its memory.
await Promise.all([import('../src/blob/s3.js'), import('../src/blob/azure.js'), import('../src/blob/gcs.js')]);
const store = await (await createBlobStores(dataDir, createHostGuard(['127.0.0.1']))).open(address);
const [sent, received] = [createHash('sha256'), createHash('sha256')];
await store.put('large', Readable.from(generated(size, sent), { objectMode: false }));
for await (const chunk of await store.get('large')) received.update(chunk);
const outcome: Outcome = {
  sent: sent.digest('hex'),
  received: received.digest('hex'),
  size: (await store.head('large')).size,
  peakMib: peakMib(),
};
await store.delete('large');
process.stdout.write(JSON.stringify(outcome));
// Connections are kept.
process.exit();
