import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { BlobStore } from '../src/blob/store.js';
import type { BlobStores } from '../src/blob/stores.js';
import { statementName } from '../src/db/statements.js';
import { StorageError } from '../src/errors.js';

/** Something that Docgate has a store do. */
export type Step = 'put' | 'get' | 'copy' | 'part' | 'complete';
/** Before the store hears of it, within the bytes, or when all is done and the answer is on its way. */
export type Moment = 'before' | 'within' | 'after';

/** Stores that lose the connection whenever it comes to this, and remove nothing. */
export const breaking = (stores: BlobStores, step: Step, moment: Moment): BlobStores => ({
  ...stores,
  open: async (address) => breakingStore(await stores.open(address), step, moment),
});

function breakingStore(store: BlobStore, step: Step, moment: Moment): BlobStore {
  const { multipart } = store;
  const done = async (act: () => Promise<unknown>): Promise<never> => {
    if (moment !== 'before') await act().catch(() => undefined);
    throw lost();
  };
  const sent = (body: Readable, send: (body: Readable) => Promise<unknown>): Promise<never> => {
    if (moment === 'before') body.destroy();
    return done(() => send(moment === 'within' ? cut(body) : body));
  };
  const broken: Record<Step, Partial<BlobStore>> = {
    put: { put: (key, body, options) => sent(body, (bytes) => store.put(key, bytes, options)) },
    get: { get: async (key, options) => (moment === 'before' ? Promise.reject(lost()) : cut(await store.get(key, options))) },
    copy: { copy: (from, to, options) => done(() => store.copy(from, to, options)) },
    part: {
      multipart: {
        ...multipart,
        putPart: (key, id, number, body, options) => sent(body, (bytes) => multipart.putPart(key, id, number, bytes, options)),
      },
    },
    complete: { multipart: { ...multipart, complete: (key, id, parts) => done(() => multipart.complete(key, id, parts)) } },
  };
  return { ...store, delete: () => Promise.reject(lost()), ...broken[step] };
}

const lost = () => new StorageError('UNREACHABLE', 'The storage does not answer. Try again later.');

function cut(body: Readable): Readable {
  async function* first() {
    for await (const chunk of body) {
      yield chunk;
      throw lost();
    }
  }
  return Readable.from(first(), { objectMode: false });
}

/** Stands before a PostgreSQL server. */
export interface CommitProxy {
  url: string;
  /** Breaks every connection that commits from now on, before or after the server has heard of it; the first `spared` pass. */
  cutAtCommit(passed: boolean, spared?: number): void;
  /** Breaks the next connection that says anything. */
  cutNext(passed: boolean): void;
  passOn(): void;
  close(): void;
}

/** A COMMIT that was prepared goes by its name. */
const prepared = statementName({ sql: 'COMMIT' });

export async function startCommitProxy(target: URL): Promise<CommitProxy> {
  let cut: { passed: boolean; spared: number; anything: boolean } | null = null;
  const sockets = new Set<Socket>();
  /** Whether this connection ends with what it just said, and if so whether that still arrives. */
  const struck = (data: Buffer): { passed: boolean } | null => {
    if (!cut || !(cut.anything || data.includes('COMMIT') || data.includes(prepared))) return null;
    if (cut.spared > 0) {
      cut.spared -= 1;
      return null;
    }
    const now = cut;
    if (now.anything) cut = null;
    return now;
  };
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) sockets.add(socket.on('error', end).on('close', end));
    upstream.on('data', (data) => client.write(data));
    client.on('data', (data) => {
      const fault = struck(data);
      if (fault && !fault.passed) return end();
      upstream.write(data);
      if (!fault) return;
      upstream.removeAllListeners('data');
      upstream.once('data', end);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  const address = server.address();
  url.hostname = '127.0.0.1';
  url.port = String(typeof address === 'object' && address ? address.port : 0);
  return {
    url: url.href,
    cutAtCommit: (passed, spared = 0) => {
      cut = { passed, spared, anything: false };
    },
    cutNext: (passed) => {
      cut = { passed, spared: 0, anything: true };
    },
    passOn: () => {
      cut = null;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
