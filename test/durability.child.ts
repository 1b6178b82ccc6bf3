/**
 * A whole gateway that kills itself at one point of an upload: its arguments are the point, n and the job.
 * It dies the n-th time that it comes by; until then it is like any other. Serving, it prints its address; moving, it only
 * does what moves are due.
 */
import { Readable } from 'node:stream';
import type { BlobStore } from '../src/blob/store.js';
import type { BlobStores } from '../src/blob/stores.js';
import { createContext } from '../src/context.js';
import type { PrismaClient } from '../src/db/generated/client.js';
import { readSettings } from '../src/env.js';
import { sweepFiles } from '../src/file/file.sweeper.js';
import { sweepObjects } from '../src/file/removal.sweeper.js';
import { appOf, openGateway } from '../src/gateway.js';
import { runMoves } from '../src/move/move.runner.js';

const [point = '', times = '1', job = 'serving'] = process.argv.slice(2);
let left = Number(times);

function passing(where: string): void {
  if (where !== point) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
}

/** The same object with some of its methods replaced. */
const withMethods = <T extends object>(target: T, methods: Partial<T>): T =>
  new Proxy(target, {
    get: (_, name) => {
      const value = Reflect.get(methods, name) ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });

/** Comes by once for each body, however many pieces it arrives in: n counts objects at every point. */
async function* watched(body: Readable) {
  let begun = false;
  for await (const chunk of body) {
    yield chunk;
    if (!begun) passing('in the bytes');
    begun = true;
  }
}

const watchedStore = (store: BlobStore): BlobStore =>
  withMethods(store, {
    put: async (key, body, options) => {
      passing('before the object');
      await store.put(key, Readable.from(watched(body), { objectMode: false }), options);
      passing('after the object');
    },
    copy: async (from, to, options) => {
      passing('before the copy');
      await store.copy(from, to, options);
      passing('after the copy');
    },
    delete: async (key) => {
      if (key.startsWith('uploads/')) passing('before clearing');
      await store.delete(key);
      passing('after a removal');
      if (key.startsWith('uploads/')) passing('in clearing');
    },
    multipart: withMethods(store.multipart, {
      putPart: async (...args) => {
        const part = await store.multipart.putPart(...args);
        passing('after a part');
        return part;
      },
      complete: async (...args) => {
        passing('before the parts are joined');
        await store.multipart.complete(...args);
        passing('after the parts are joined');
      },
    }),
  });

const watchedStores = (stores: BlobStores): BlobStores =>
  withMethods(stores, { open: async (address) => watchedStore(await stores.open(address)) });

/** The overloads of `$transaction` do not matter: it is passed on whatever it was given. */
const watchedPrisma = (prisma: PrismaClient): PrismaClient =>
  withMethods(prisma, {
    $transaction: (async (work: (tx: unknown) => Promise<unknown>, ...args: unknown[]) => {
      const watched = async (tx: unknown) => {
        const result = await work(tx);
        passing('before the commit');
        return result;
      };
      const result = await Reflect.apply(prisma.$transaction, prisma, [watched, ...args]);
      passing('after the commit');
      return result;
    }) as PrismaClient['$transaction'],
  });

const gateway = await openGateway(readSettings());
gateway.services.blobs = watchedStores(gateway.services.blobs);
gateway.services.prisma = watchedPrisma(gateway.services.prisma);
if (point === 'after a removal') {
  const services = { ...gateway.services, now: () => new Date(Date.now() + 60 * 60_000) };
  const ctx = createContext(services, { requestId: 'sweep', viewer: null, baseUrl: '' });
  await sweepFiles(ctx);
  await sweepObjects(ctx);
}
if (job === 'moving') {
  await runMoves(createContext(gateway.services, { requestId: 'move', viewer: null, baseUrl: '' }));
  process.exit();
}
process.stdout.write(`${await (await appOf(gateway, null)).listen({ port: 0, host: '127.0.0.1' })}\n`);
