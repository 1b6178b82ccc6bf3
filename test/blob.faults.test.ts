import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createAzureStore } from '../src/blob/azure.js';
import { createGcsStore } from '../src/blob/gcs.js';
import { createHostGuard } from '../src/blob/hosts.js';
import { type Patience, usualPatience } from '../src/blob/patience.js';
import { createS3Store } from '../src/blob/s3.js';
import type { BlobStore, RemoteStore } from '../src/blob/store.js';
import { StorageError } from '../src/errors.js';
import { startAzurite } from './azurite.js';
import { type Fault, type FaultyProxy, startFaultyProxy } from './faulty.proxy.js';
import { startGcsDouble } from './gcs.double.js';
import { countUploads, makeBucket, radosgw } from './radosgw.js';

/** In milliseconds: for stores that never answer. Everything else is waited for as usual, however slow the machine is. */
const hasty: Patience = { connect: 1000, answer: 1500, transfer: 3000, attempts: usualPatience.attempts };
const isSilent = ({ frozen, unanswered, freezeDown, cutDown }: Fault) => Boolean(frozen || unanswered || freezeDown || cutDown);
const MiB = 1024 * 1024;

/** A store twice: by itself, and behind a proxy that is told what to do wrong. */
interface Place {
  direct: BlobStore;
  patient: RemoteStore;
  hasty: RemoteStore;
  proxy: FaultyProxy;
  /** The methods that carry bytes of objects. */
  writes: string[];
  /** Parts of uploads that are neither completed nor given up. */
  unfinished(): Promise<number>;
  close(): Promise<void>;
}

async function azure(): Promise<Place> {
  const azurite = await startAzurite();
  const container = await azurite.makeContainer();
  const proxy = await startFaultyProxy(azurite.host);
  const hosts = createHostGuard([azurite.host, proxy.host]);
  const direct = createAzureStore(container, azurite.credentials, { hosts });
  const endpoint = azurite.credentials.endpoint?.replace(azurite.host, proxy.host);
  const credentials = { ...azurite.credentials, endpoint };
  const [patient, fast] = [usualPatience, hasty].map((patience) => createAzureStore(container, credentials, { hosts, patience })) as [
    RemoteStore,
    RemoteStore,
  ]; // One for each.
  const close = async () => {
    direct.close();
    patient.close();
    fast.close();
    await proxy.stop();
    await azurite.stop();
  };
  // The service drops blocks that nobody commits by itself, after a week.
  return { direct, patient, hasty: fast, proxy, close, writes: ['PUT'], unfinished: async () => 0 };
}

async function gcs(): Promise<Place> {
  const double = await startGcsDouble();
  const bucket = double.makeBucket();
  const proxy = await startFaultyProxy(double.host);
  const hosts = createHostGuard([double.host, proxy.host]);
  const direct = createGcsStore(bucket, double.credentials, { hosts });
  const endpoint = double.credentials.endpoint?.replace(double.host, proxy.host);
  const credentials = { ...double.credentials, endpoint };
  const [patient, fast] = [usualPatience, hasty].map((patience) => createGcsStore(bucket, credentials, { hosts, patience })) as [
    RemoteStore,
    RemoteStore,
  ]; // One for each.
  const close = async () => {
    direct.close();
    patient.close();
    fast.close();
    await proxy.stop();
    await double.stop();
  };
  // The service drops sessions that nobody ends by itself, after a week.
  return { direct, patient, hasty: fast, proxy, close, writes: ['PUT', 'POST'], unfinished: async () => 0 };
}

/** @param isGoogle as Google is spoken to by its S3-compatible API */
async function s3(isGoogle: boolean): Promise<Place> {
  if (!radosgw) throw new Error('no S3 server');
  const bucket = await makeBucket();
  const proxy = await startFaultyProxy(radosgw.host);
  const hosts = createHostGuard([radosgw.host, proxy.host]);
  const direct = createS3Store(bucket, radosgw.admin, { hosts });
  const credentials = { ...radosgw.admin, endpoint: `http://${proxy.host}` };
  const [patient, fast] = [usualPatience, hasty].map((patience) => createS3Store(bucket, credentials, { hosts, patience, isGoogle })) as [
    RemoteStore,
    RemoteStore,
  ]; // One for each.
  const close = async () => {
    direct.close();
    patient.close();
    fast.close();
    await proxy.stop();
  };
  return { direct, patient, hasty: fast, proxy, close, writes: ['PUT'], unfinished: () => countUploads(bucket) };
}

/** Where the S3 server is, what needs it; elsewhere the others, which do not change with it. */
const places: [name: string, open: () => Promise<Place>][] = radosgw
  ? [
      ['aws_s3 (RADOS gateway)', () => s3(false)],
      ['aws_s3 with HMAC keys of Google (RADOS gateway)', () => s3(true)],
    ]
  : [
      ['azure_blob (Azurite)', azure],
      ['gcp_storage (a double)', gcs],
    ];

async function faultOf(work: Promise<unknown>): Promise<StorageError> {
  const error = await work.then(
    () => expect.unreachable('it went well'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StorageError);
  return error as StorageError; // As the line above says.
}

const keysOf = async (store: BlobStore, prefix: string) => {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
};

// Side by side, as they mostly wait; the tests of one place in turn, as they share its proxy.
describe.concurrent.each(places)('%s', (_, open) => {
  let place: Place;
  const small = randomBytes(2000);
  const large = randomBytes(9 * MiB);
  beforeAll(async () => {
    place = await open();
    await place.direct.put('there', Readable.from([large]), { size: large.length });
  });
  afterAll(() => place.close());
  afterEach(() => place.proxy.break(null));

  /** The store, with this fault from now on. */
  const broken = (fault: Fault): RemoteStore => {
    place.proxy.break(fault);
    return isSilent(fault) ? place.hasty : place.patient;
  };
  const read = async (fault: Fault) => buffer(await broken(fault).get('there'));
  const write = (fault: Fault, key: string, body: Buffer) =>
    broken({ ...fault, methods: place.writes }).put(key, Readable.from([body]), { size: body.length });

  describe.sequential('gets over', () => {
    test.sequential.each<[string, Fault]>([
      ['two answers of 503', { status: 503, times: 2 }],
      ['two answers of 500', { status: 500, times: 2 }],
      ['a connection that never answers', { frozen: true, times: 1 }],
      ['a slow line', { slow: 5 }],
    ])('%s, as it reads', async (_, fault) => {
      expect((await read(fault)).equals(large)).toBe(true);
    });

    const writes: [string, Fault][] = [
      ['two answers of 503', { status: 503, times: 2 }],
      ['two answers of 500', { status: 500, times: 2 }],
      ['a connection that breaks off in the middle', { cutUp: 1000, times: 1 }],
      ['a connection that never answers', { frozen: true, times: 1 }],
      ['an answer that is lost after all was done', { unanswered: true, times: 1 }],
      ['a slow line', { slow: 5 }],
    ];
    test.sequential.each(
      writes.flatMap(([name, fault]) => [[name, 'small', small, fault] as const, [name, 'large', large, fault] as const]),
    )('%s, as it writes a %s object', async (_, __, body, fault) => {
      const key = `written/${randomUUID()}`;
      await write(fault, key, body);
      expect((await buffer(await place.direct.get(key))).equals(body)).toBe(true);
    });

    test.sequential.each([
      ['small', small],
      ['large', large],
    ])('a last answer that is lost after all was done, as it writes a %s object', async (_, body) => {
      const [first, second] = [randomUUID(), randomUUID()].map((name) => `written/${name}`) as [string, string]; // One for each.
      place.proxy.break(null);
      await place.patient.put(first, Readable.from([body]), { size: body.length });
      const methods = ['PUT', 'POST'];
      const sent = place.proxy.requests().filter((method) => methods.includes(method)).length;
      await broken({ methods, unanswered: true, after: sent - 1, times: 1 }).put(second, Readable.from([body]), { size: body.length });
      expect((await buffer(await place.direct.get(second))).equals(body)).toBe(true);
      expect(place.proxy.requests().length).toBeGreaterThan(sent);
    });
  });

  /** What is told of a fault that stays, and how many requests it may cost: attempts, and looks at what is there. */
  const lasting: [string, Fault, StorageError['reason'], RegExp][] = [
    ['answers 503', { status: 503 }, 'UNKNOWN', /slow down.*Try again later/],
    ['answers 500', { status: 500 }, 'UNKNOWN', /fault of its own.*Try again later/],
    ['answers 403', { status: 403 }, 'FORBIDDEN', /no right.*Grant/],
    ['answers 401', { status: 401 }, 'UNAUTHENTICATED', /Check/],
    ['points elsewhere', { status: 301 }, 'MISCONFIGURED', /Check the region and the endpoint|Correct the region/],
    ['never answers', { frozen: true }, 'UNREACHABLE', /took too long.*try again later/],
  ];

  test.sequential.each(lasting)('a store that %s is told as such, after few requests', async (_, fault, reason, hint) => {
    const store = broken(fault);
    const works = [store.get('there'), store.head('there'), store.delete('nothing'), keysOf(store, '')];
    for (const told of await Promise.all(works.map(faultOf))) {
      expect([told.reason, told.message]).toEqual([reason, expect.stringMatching(hint)]);
    }
    expect(place.proxy.requests().length).toBeLessThanOrEqual(works.length * 2 * hasty.attempts);
  });

  test.sequential.each(lasting)(
    'a store that %s as it is written to is told as such, and nothing is left there',
    async (_, fault, reason, hint) => {
      for (const body of fault.frozen ? [small] : [small, large]) {
        const key = `refused/${randomUUID()}`;
        const told = await faultOf(write(fault, key, body));
        expect([told.reason, told.message]).toEqual([reason, expect.stringMatching(hint)]);
        expect(place.proxy.requests().length).toBeLessThanOrEqual(8 * hasty.attempts);
      }
      expect(await keysOf(place.direct, 'refused/')).toEqual([]);
      expect(await place.unfinished()).toBe(0);
    },
  );

  test.sequential.each(['It works!', '<html><body>It works!</body></html>', '{}', ''])(
    'a server that answers "%s" to everything is no store, and no empty one',
    async (text) => {
      const store = broken({ status: 200, text });
      const told = await faultOf(keysOf(store, ''));
      expect([told.reason, told.message]).toEqual(['MISCONFIGURED', expect.stringMatching(/Whatever answers at the endpoint.*Check/)]);
      expect((await store.probe())[0]).toMatchObject({ name: 'reach', ok: false, detail: told.message });
    },
  );

  test.sequential('a store that fails while more bytes are to come is told as such, and not as a body that was cut', async () => {
    function* endless() {
      for (;;) yield small;
    }
    const source = Readable.from(endless(), { objectMode: false });
    const told = await faultOf(broken({ status: 403, methods: place.writes }).put(`refused/${randomUUID()}`, source));
    expect([told.reason, told.message]).toEqual(['FORBIDDEN', expect.stringMatching(/no right.*Grant/)]);
    expect(source.destroyed).toBe(true);
    expect(await keysOf(place.direct, 'refused/')).toEqual([]);
  });

  test.sequential('a connection that breaks off upwards again and again leaves nothing', async () => {
    for (const body of [small, large]) {
      expect((await faultOf(write({ cutUp: 1000 }, `refused/${randomUUID()}`, body))).reason).toBe('UNREACHABLE');
    }
    expect(await keysOf(place.direct, 'refused/')).toEqual([]);
    expect(await place.unfinished()).toBe(0);
  });

  test.sequential.each<[string, Fault]>([
    ['breaks off', { methods: ['GET'], cutDown: 300_000 }],
    ['stops', { methods: ['GET'], freezeDown: 300_000 }],
  ])('a body that %s again and again has no end that looks like one', async (_, fault) => {
    expect((await faultOf(read(fault))).reason).toBe('UNREACHABLE');
    expect(place.proxy.requests().length).toBeLessThanOrEqual(2 * hasty.attempts);
  });

  test.sequential('an address at which nothing listens any more is told as such', async () => {
    await place.proxy.stop();
    // The end of a connection that was kept may be noticed first.
    expect((await faultOf(place.patient.head('there'))).reason).toBe('UNREACHABLE');
    const told = await faultOf(place.patient.head('there'));
    expect([told.reason, told.message]).toEqual(['UNREACHABLE', expect.stringMatching(/Nothing answers.*Check the endpoint/)]);
    const checks = await place.patient.probe();
    expect(checks[0]).toMatchObject({ name: 'reach', ok: false, detail: expect.stringMatching(/Nothing answers/) });
    expect(await keysOf(place.direct, 'refused/')).toEqual([]);
  });
});
