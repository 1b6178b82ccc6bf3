import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readSettings } from '../src/env.js';
import { uploadFiles } from '../src/file/upload.service.js';
import type { ClamdAddress } from '../src/scan/clamd.js';
import { createScanner, type ScanPolicy, type ScanResult } from '../src/scan/scanner.js';
import {
  answering,
  type Behaviour,
  clamdBinary,
  deaf,
  eicar,
  fakeClamd,
  hangingUp,
  hangingUpAtTheEnd,
  STREAM_MAX,
  silent,
  startClamd,
} from './clamd.js';
import { createObjects } from './objects.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
const MB = 1024 * 1024;
let editor: Actor;
let documentId: string;

beforeEach(async () => {
  world().gateway.services.scanner = null;
  editor = world().actor('admin');
  const { document } = await createObjects(() => world().context(editor));
  documentId = document.id;
});

/** From now on files are scanned there. */
function scanWith(address: ClamdAddress, policy: ScanPolicy = 'fail-closed', timeout = 300) {
  const failures: unknown[] = [];
  world().gateway.services.scanner = createScanner({ address, policy, timeout }, (reason) => failures.push(reason));
  return failures;
}

/** Bytes in pieces of this size. */
function* pieces(bytes: Buffer, size = 64 * 1024) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* incoming(name: string, bytes: Buffer, size?: number) {
  yield { name, declaredType: 'application/pdf', open: () => Readable.from(pieces(bytes, size)) };
}

const upload = (name: string, bytes: Buffer | string, size?: number) =>
  uploadFiles(world().context(editor), documentId, incoming(name, Buffer.from(bytes), size));

const rows = async () =>
  (await world().gateway.database.pool.query('SELECT id, name, state FROM files WHERE tenant_id = $1 ORDER BY id', [editor.tenantId])).rows;

async function objects() {
  const folder = join(world().gateway.settings.dataDir, 'blobs', editor.tenantId);
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map(({ name }) => name);
}

async function scanOf(fileId: string) {
  const { rows: events } = await world().gateway.database.pool.query('SELECT action, after FROM audit_events WHERE entity_id = $1', [
    fileId,
  ]);
  return events.map(({ action, after }) => ({ action, ...after }));
}

/** Whatever is wrong with the scanner: nobody vouches for the file. */
const broken: [string, Behaviour][] = [
  ['is never heard of again', silent],
  ['does not read', deaf],
  ['hangs up in mid-stream', hangingUp],
  ['hangs up without a verdict', hangingUpAtTheEnd],
  ['answers nonsense', answering('PONG')],
  ['answers without end', (socket) => socket.write('x'.repeat(10_000))],
  ['refuses the size', answering('INSTREAM size limit exceeded. ERROR')],
  ['did not look at all of it', answering('stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND')],
];

describe('a scanner that cannot vouch', () => {
  const bytes = Buffer.alloc(20 * MB, 'x');

  test.each(broken)('because it %s: fail-closed accepts nothing', async (_, behaviour) => {
    const failures = scanWith(await fakeClamd(behaviour));
    const before = [await rows(), await objects()];
    await expect(upload('a.txt', bytes)).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503, message: /scanner/ });
    expect([await rows(), await objects()]).toEqual(before);
    expect(failures).toHaveLength(1);
  });

  test.each(broken)('because it %s: fail-open accepts the file and says that nobody looked', async (_, behaviour) => {
    const failures = scanWith(await fakeClamd(behaviour), 'fail-open');
    const { files } = await upload('a.txt', bytes);
    expect(files).toMatchObject([{ state: 'READY', size: BigInt(bytes.length) }]);
    expect(await scanOf(files[0]?.id ?? '')).toMatchObject([{ action: 'file.uploaded', scan: 'NOT_SCANNED' }]);
    expect(failures).toHaveLength(1);
  });

  test('because nothing listens there is a 503 on the door, and nothing is stored', async () => {
    scanWith({ host: '127.0.0.1', port: 1 });
    const before = [await rows(), await objects()];
    await expect(world().upload(editor, documentId, [{ name: 'a.txt', body: 'x' }])).rejects.toThrow(/"UNAVAILABLE"/);
    expect([await rows(), await objects()]).toEqual(before);
  });

  test('because it does not read is not run ahead of', async () => {
    scanWith(await fakeClamd(deaf));
    let read = 0;
    const endless = Readable.from(
      (function* () {
        for (;;) {
          read += 64 * 1024;
          yield Buffer.alloc(64 * 1024);
        }
      })(),
      { highWaterMark: 1 },
    );
    const file = { name: 'a', declaredType: '', open: () => endless };
    const files = (async function* () {
      yield file;
    })();
    await expect(uploadFiles(world().context(editor), documentId, files)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    // What the kernel takes for a socket that nobody reads.
    expect(read).toBeLessThan(16 * MB);
  });
});

describe('a scanner', () => {
  test('gets every byte, once and in order', async () => {
    const taken: Buffer[] = [];
    scanWith(await fakeClamd(answering('stream: OK', (bytes) => taken.push(bytes))));
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    const { files } = await upload('a.bin', bytes, 777);
    expect(Buffer.concat(taken).equals(bytes)).toBe(true);
    expect(await scanOf(files[0]?.id ?? '')).toMatchObject([{ action: 'file.uploaded', scan: 'CLEAN' }]);
  });

  test('that there is none of leaves no word of it', async () => {
    const { files } = await upload('a.txt', 'x');
    expect((await scanOf(files[0]?.id ?? ''))[0]).not.toHaveProperty('scan');
  });

  test.each<[string, ClamdAddress]>([
    ['tcp://clamd.internal:3310', { host: 'clamd.internal', port: 3310 }],
    ['tcp://[::1]:3310', { host: '::1', port: 3310 }],
    ['unix:/run/clamav/clamd.ctl', { path: '/run/clamav/clamd.ctl' }],
    ['unix:///run/clamav/clamd.ctl', { path: '/run/clamav/clamd.ctl' }],
  ])('is set by CLAMAV_URL=%s', (url, address) => {
    expect(readSettings({ CLAMAV_URL: url }).scanner).toEqual({ address, policy: 'fail-closed', timeout: 300_000 });
  });

  test.each(['http://clamd:3310', 'tcp://clamd', 'clamd:3310', 'unix:'])('is not set by CLAMAV_URL=%s', (url) => {
    expect(() => readSettings({ CLAMAV_URL: url })).toThrow(/CLAMAV_URL/);
  });
});

describe('an infected file', () => {
  beforeEach(async () => {
    scanWith(await fakeClamd(answering('stream: Eicar-Test FOUND')));
  });

  test('is a typed error, goes into quarantine with an audit event, and takes the rest of its request with it', async () => {
    const mutation = await world().upload(editor, documentId, [{ name: 'bad.pdf', body: 'x' }]);
    expect(mutation).toMatchObject({ __typename: 'FileInfectedError', code: 'FILE_INFECTED', message: expect.stringContaining('bad.pdf') });
    const [clean, infected, ...others] = await rows();
    expect([clean, infected, others]).toMatchObject([{ state: 'READY' }, { name: 'bad.pdf', state: 'QUARANTINED' }, []]);
    expect(await scanOf(infected.id)).toMatchObject([{ action: 'file.quarantined', signature: 'Eicar-Test', sha256: expect.any(String) }]);
  });

  test('leaves its document as it was reviewed', async () => {
    const approve = `mutation { approve(input: { id: "${documentId}" }) { ... on Document { status } } }`;
    expect((await world().graphql(editor, approve)).data.approve.status).toBe('APPROVED');
    await expect(upload('bad.pdf', 'x')).rejects.toMatchObject({ code: 'FILE_INFECTED' });
    const { data } = await world().graphql(editor, `{ document(id: "${documentId}") { status files { name state } } }`);
    expect(data.document).toMatchObject({ status: 'APPROVED', files: [{ state: 'READY' }, { name: 'bad.pdf', state: 'QUARANTINED' }] });
  });

  test('is served on no door', async () => {
    await expect(upload('bad.pdf', 'the evil bytes')).rejects.toMatchObject({ code: 'FILE_INFECTED' });
    const [, { id }] = await rows();
    const { data } = await world().graphql(editor, `{ node(id: "${id}") { ... on File { downloadUrl } } }`);
    const link = new URL(data.node.downloadUrl);
    const expiresAt = new Date(Date.now() + MB).toISOString();
    const share = await world().graphql(
      editor,
      `mutation { shareDocument(input: { documentId: "${documentId}", expiresAt: "${expiresAt}" }) { ... on Share { token } } }`,
    );
    const { token } = share.data.shareDocument;
    const doors = [
      { url: `/files/${id}`, actor: editor },
      { url: link.pathname + link.search, actor: null },
      { url: `/s/${token}/files/${id}`, actor: null },
    ];
    for (const { url, actor } of doors) {
      const answer = await world().inject(actor, { method: 'GET', url });
      expect([answer.statusCode >= 400, answer.body.includes('evil')], url).toEqual([true, false]);
    }
    const preview = await world().inject(null, {
      method: 'GET',
      url: `/documents/preview/${token}/`,
      headers: { accept: 'application/json' },
    });
    expect(preview.json().files.map((file: { id: string }) => file.id)).not.toContain(id);
    const document = await world().inject(editor, { method: 'GET', url: `/documents/${documentId}/` });
    expect(document.body).not.toContain(id);
  });
});

describe.runIf(clamdBinary)('clamd', () => {
  let clamd: Awaited<ReturnType<typeof startClamd>>;
  beforeAll(async () => {
    clamd = await startClamd();
  });
  afterAll(() => clamd.stop());
  beforeEach(() => {
    scanWith(clamd.address, 'fail-closed', 60_000);
  });

  const filler = Buffer.alloc(26 * MB, 'harmless ');
  const infected: [string, Buffer, number | undefined][] = [
    ['alone', Buffer.from(eicar), undefined],
    ['split over chunks of 7 bytes', Buffer.from(`%PDF-1.4 ${eicar}`), 7],
    ['at the end of 26 MB', Buffer.concat([filler, Buffer.from(eicar)]), undefined],
    ['split over the last chunks of 26 MB', Buffer.concat([filler, Buffer.from(eicar)]), filler.length + 20],
  ];

  test.each(infected)('finds EICAR %s', async (_, bytes, size) => {
    await expect(upload('bad.pdf', bytes, size)).rejects.toMatchObject({ code: 'FILE_INFECTED' });
    expect((await rows()).map(({ state }) => state)).toEqual(['READY', 'QUARANTINED']);
  });

  test.each<[string, Buffer]>([
    ['an empty file', Buffer.alloc(0)],
    ['text', Buffer.from('a harmless text')],
    ['26 MB', filler],
  ])('lets %s pass', async (_, bytes) => {
    const { files } = await upload('good.txt', bytes);
    expect(await scanOf(files[0]?.id ?? '')).toMatchObject([{ scan: 'CLEAN' }]);
  });

  test.each<[ScanPolicy, ScanResult['verdict'] | 'UNAVAILABLE']>([
    ['fail-closed', 'UNAVAILABLE'],
    ['fail-open', 'NOT_SCANNED'],
  ])('cannot vouch for more than its StreamMaxLength: %s makes that %s', async (policy, outcome) => {
    scanWith(clamd.address, policy, 60_000);
    const verdict = await upload('large.txt', Buffer.alloc(STREAM_MAX + 1, 'x')).then(
      async ({ files }) => (await scanOf(files[0]?.id ?? ''))[0].scan,
      (error) => error.code,
    );
    expect(verdict).toBe(outcome);
  });
});
