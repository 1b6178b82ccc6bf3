import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createGcsStore } from '../src/blob/gcs.js';
import { createHostGuard } from '../src/blob/hosts.js';
import type { StorageFailure } from '../src/errors.js';
import { startFaultyProxy } from './faulty.proxy.js';
import { type GcsDouble, startGcsDouble } from './gcs.double.js';

let gcs: GcsDouble;
beforeAll(async () => {
  gcs = await startGcsDouble();
});
afterAll(() => gcs.stop());

const open = () => createGcsStore(gcs.makeBucket(), gcs.credentials, { hosts: createHostGuard([gcs.host]) });

describe('Google Cloud Storage', () => {
  it('is not left for what STORAGE_EMULATOR_HOST says', () => {
    vi.stubEnv('STORAGE_EMULATOR_HOST', 'http://127.0.0.1:9');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { endpoint, ...credentials } = gcs.credentials;
    for (const given of [credentials, gcs.credentials])
      expect(() => createGcsStore('bucket', given, { hosts: createHostGuard([gcs.host]) })).toThrow(
        expect.objectContaining({ reason: 'MISCONFIGURED', message: expect.stringContaining('STORAGE_EMULATOR_HOST') }),
      );
    expect(endpoint).toBe(`http://${gcs.host}`);
  });

  it.each<[string, RequestListener, StorageFailure, number]>([
    ['has a fault of its own', (_, response) => response.writeHead(503).end('busy'), 'UNKNOWN', 3],
    ['never answers', () => undefined, 'UNREACHABLE', 3],
    ['points elsewhere', (_, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(), 'MISCONFIGURED', 1],
    ['is something else', (_, response) => response.writeHead(200).end('<html>'), 'MISCONFIGURED', 3],
  ])('that %s is told apart, and not asked more often than patience has it', async (_, answer, reason, times) => {
    let asked = 0;
    const server = createServer((request, response) => {
      asked += 1;
      answer(request, response);
    }).listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    // A server that listens on a port has this form of address.
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const patience = { connect: 1000, answer: 1000, transfer: 1000, attempts: 3 };
    const store = createGcsStore(
      'bucket',
      { ...gcs.credentials, endpoint: `http://${host}` },
      { hosts: createHostGuard([host]), patience },
    );
    await expect(store.head('key')).rejects.toMatchObject({ name: 'StorageError', reason });
    expect(asked).toBe(times);
    store.close();
  });

  it.each([404, 410])('that has forgotten an upload and answers %d has not lost an object', async (status) => {
    const proxy = await startFaultyProxy(gcs.host);
    onTestFinished(() => proxy.stop());
    const hosts = createHostGuard([gcs.host, proxy.host]);
    const endpoint = `http://${proxy.host}`;
    const store = createGcsStore(gcs.makeBucket(), { ...gcs.credentials, endpoint }, { hosts });
    proxy.break({ methods: ['PUT'], status });
    await expect(store.put('large', Readable.from([Buffer.alloc(9 * 1024 ** 2)]))).rejects.toMatchObject({
      reason: 'UNKNOWN',
      message: 'The storage has forgotten an upload that it had begun. Send it again.',
    });
    expect(proxy.requests()).toEqual(['POST', 'PUT']);
    await expect(store.head('large')).rejects.toMatchObject({ reason: 'NOT_FOUND' });
    store.close();
  });

  it.each([
    ['storage.objects.create', ['write']],
    ['storage.objects.get', ['read a range']],
    ['storage.objects.list', ['list']],
    ['storage.objects.delete', ['delete']],
  ])('without %s fails exactly that step of a probe, and names it', async (right, failed) => {
    const store = open();
    gcs.denied.add(right);
    onTestFinished(() => gcs.denied.clear());
    const checks = (await store.probe()).filter(({ ok }) => !ok);
    expect(checks.map(({ name }) => name)).toEqual(failed);
    expect(checks[0]?.detail).toContain(`Grant ${right}`);
  });
});
