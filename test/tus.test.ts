import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type * as tus from 'tus-js-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createScanner } from '../src/scan/scanner.js';
import { drivers, type OpenStore } from './blob.drivers.js';
import { clamdBinary, eicar, startClamd } from './clamd.js';
import { bytes, HOUR, MiB, sha256, short, useTus } from './tus.world.js';

const { world, send, begin, patch, upload, filesOf, left, sweepAfter, scanning, address, editor, documentId } = useTus();

describe('a client of tus', () => {
  test.each<[string, Buffer, Partial<tus.UploadOptions>]>([
    ['in one request', bytes, {}],
    ['in chunks that fit no part', bytes, { chunkSize: 3 * MiB }],
    ['with its creation', short, { uploadDataDuringCreation: true }],
    ['of no bytes at all', Buffer.alloc(0), {}],
  ])('uploads a file %s', async (_, body, options) => {
    const url = await upload(body, options, { filename: 'Übersicht 会社 🧾.pdf', sha256: sha256(body) });
    const [file] = await filesOf(editor());
    expect(file).toMatchObject({ name: 'Übersicht 会社 🧾.pdf', size: body.length, sha256: sha256(body) });
    const staged = await world().inject(editor(), { url });
    expect(staged.json()).toMatchObject({ state: 'done', file: file.id, parts: [], requests: [] });
    expect((await send('HEAD', url)).offset).toBe(String(body.length));
  });

  test('whose connection breaks again and again goes on where it was', async () => {
    const proxy = await cuttingProxy(2.5 * MiB);
    await upload(bytes, { endpoint: `${proxy.address}/uploads/` }, { sha256: sha256(bytes) });
    expect(proxy.cuts()).toBeGreaterThan(3);
    expect(await filesOf(editor())).toMatchObject([{ size: bytes.length, sha256: sha256(bytes) }]);
  });

  test('hears that its bytes are not what it announced', async () => {
    const failed = upload(short, {}, { sha256: '0'.repeat(64) });
    await expect(failed).rejects.toThrow(/response code: 400, response text: .*sha256/);
    expect(await filesOf(editor())).toEqual([]);
  });

  /** Passes on so many bytes of each connection to the service, then cuts it. */
  async function cuttingProxy(after: number) {
    let cuts = 0;
    const target = new URL(address());
    const server = createServer((client) => {
      let passed = 0;
      const upstream = connect(Number(target.port), target.hostname);
      const end = () => {
        client.destroy();
        upstream.destroy();
      };
      for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
      upstream.on('data', (data) => client.write(data));
      client.on('data', (data) => {
        passed += data.length;
        if (!upstream.write(data)) {
          client.pause();
          upstream.once('drain', () => client.resume());
        }
        if (passed < after) return;
        cuts += 1;
        end();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    // The service names itself by the host that it was asked for: the proxy.
    return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cuts: () => cuts };
  }
});

describe('at the end', () => {
  test('a lie is told of, whoever asks again', async () => {
    const url = await begin(short.length, { sha256: '0'.repeat(64) });
    const last = await patch(url, 0, short);
    expect(last).toMatchObject({ status: 400, body: { sha256: [expect.stringContaining(sha256(short))] } });
    expect((await send('HEAD', url)).status).toBe(400);
    expect((await world().inject(editor(), { url })).json()).toMatchObject({
      state: 'closed',
      failure: expect.stringContaining('SHA-256'),
    });
    const again = await world().inject(editor(), { method: 'POST', url: `${url}complete/` });
    expect([again.statusCode, again.json()]).toEqual([400, last.body]);
    await sweepAfter(25 * HOUR);
    expect(await left()).toEqual({ files: [], uploads: [] });
  });

  test('an infected file is told of, whoever asks again', async () => {
    await scanning('stream: Eicar-Test FOUND');
    const url = await begin(short.length);
    expect(await patch(url, 0, short)).toMatchObject({ status: 400, body: { code: 'file_infected' } });
    expect((await send('HEAD', url)).status).toBe(400);
    expect((await left()).files).toEqual(['QUARANTINED']);
  });

  test('a scanner that is away makes the client wait, and then the file appears', async () => {
    const url = await begin(short.length);
    await scanning('INSTREAM size limit exceeded. ERROR');
    expect((await patch(url, 0, short)).status).toBe(503);
    expect((await send('HEAD', url)).status).toBe(423);
    expect(await filesOf(editor())).toEqual([]);
    world().gateway.services.scanner = null;
    expect(await send('HEAD', url)).toMatchObject({ status: 200, offset: String(short.length) });
    expect(await filesOf(editor())).toMatchObject([{ sha256: sha256(short) }]);
  });

  test('a document that became inactive is told of', async () => {
    const url = await begin(short.length);
    await world().graphql(editor(), `mutation { inactivate(input: { id: "${documentId()}" }) { __typename } }`);
    expect((await patch(url, 0, short)).status).toBe(409);
    expect((await left()).files).toEqual([]);
  });
});

describe.runIf(clamdBinary)('an infected file over tus, by a real clamd', () => {
  test.each<[string, Buffer, Partial<tus.UploadOptions>]>([
    ['in one request', Buffer.concat([short, Buffer.from(eicar)]), {}],
    ['in chunks that cut the virus in two', Buffer.concat([bytes, Buffer.from(eicar)]), { chunkSize: bytes.length + 20 }],
  ])('%s is refused, kept in quarantine, and served on no door', async (_, body, options) => {
    const clamd = await startClamd();
    onTestFinished(() => clamd.stop());
    world().gateway.services.scanner = createScanner({ address: clamd.address, policy: 'fail-closed', timeout: 60_000 }, () => {});
    const failed = upload(body, { retryDelays: null, ...options }, { filename: 'bad.pdf', sha256: sha256(body) });
    await expect(failed).rejects.toThrow(/response code: 400, response text: .*file_infected/);
    expect(await left()).toEqual({ files: ['QUARANTINED'], uploads: ['DONE'] });
    const { data } = await world().graphql(editor(), `{ document(id: "${documentId()}") { files { id state downloadUrl } } }`);
    const [file] = data.document.files;
    expect(file.state).toBe('QUARANTINED');
    const link = new URL(file.downloadUrl);
    const doors = [
      { url: `/files/${file.id}`, actor: editor() },
      { url: link.pathname + link.search, actor: null },
      { url: `/documents/${documentId()}/files/${file.id}/`, actor: editor() },
      { url: `/documents/${documentId()}/files/`, actor: editor() },
    ];
    for (const { url, actor } of doors) {
      const answer = await world().inject(actor, { url });
      expect([url, answer.statusCode, answer.body.includes(eicar)]).toEqual([url, expect.toSatisfy((status) => status >= 400), false]);
    }
  });

  test('the same clamd lets a harmless one pass', async () => {
    const clamd = await startClamd();
    onTestFinished(() => clamd.stop());
    world().gateway.services.scanner = createScanner({ address: clamd.address, policy: 'fail-closed', timeout: 60_000 }, () => {});
    await upload(bytes, { chunkSize: 3 * MiB });
    expect(await filesOf(editor())).toMatchObject([{ sha256: sha256(bytes) }]);
    expect((await left()).files).toEqual(['READY']);
  });
});

describe.each(drivers)('over tus to $name', ({ open }) => {
  test('a file comes in chunks that fit no part, another with no bytes, and nothing is left over', async () => {
    const place: OpenStore = await open();
    const { blobs } = world().gateway.services;
    const usual = blobs.open;
    blobs.open = async () => place.store;
    onTestFinished(async () => {
      blobs.open = usual;
      await place.close();
    });
    const body = bytes.subarray(0, 9.5 * MiB);
    await upload(body, { chunkSize: 3 * MiB }, { sha256: sha256(body) });
    await upload(Buffer.alloc(0), {}, { sha256: sha256(Buffer.alloc(0)) });
    const given = await begin(body.length);
    await patch(given, 0, body.subarray(0, 9 * MiB));
    expect(await filesOf(editor())).toMatchObject([{ sha256: sha256(body) }, { size: 0 }]);
    await sweepAfter(26 * HOUR);
    expect(await left()).toEqual({ files: ['READY', 'READY'], uploads: [] });
    const keys: string[] = [];
    for await (const { key } of place.store.list('uploads/')) keys.push(key);
    expect({ keys, unfinished: (await place.unfinished?.()) ?? 0 }).toEqual({ keys: [], unfinished: 0 });
  });
});
