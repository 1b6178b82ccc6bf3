import { createServer, type Server } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createHostGuard, isPublic } from '../src/blob/hosts.js';
import { usualPatience } from '../src/blob/patience.js';
import { fetchSigned } from '../src/blob/signed.js';

// Every name is answered by the test: it stands for whoever owns the name, and may answer differently each time.
const answers = vi.hoisted((): { next: { address: string; family: number }[][] } => ({ next: [] }));
vi.mock('node:dns', async (original) => ({
  ...(await original<typeof import('node:dns')>()),
  lookup: (_: string, __: object, done: (error: null, found: object[]) => void) => done(null, answers.next.shift() ?? []),
}));
const resolvesTo = (...addresses: string[]) => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

let server: Server;
let port: number;
let asked = 0;
beforeAll(async () => {
  server = createServer((_, response) => {
    asked += 1;
    response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A server that listens on a port has this form of address.
  port = (server.address() as AddressInfo).port;
});
afterAll(() => server.close());

const get = (url: string, allowed: string[] = []) =>
  fetchSigned({ method: 'GET', url, headers: {}, expiresAt: new Date() }, createHostGuard(allowed), usualPatience);
const refused = { name: 'StorageError', reason: 'MISCONFIGURED' };

describe('an endpoint', () => {
  it.each([
    'http://storage.example.com',
    'https://127.0.0.1',
    'https://127.1',
    'https://2130706433',
    'https://0x7f.0.0.1',
    'https://0177.0.0.1',
    'https://0',
    'https://10.1.2.3:9000',
    'https://172.16.0.1',
    'https://192.168.1.1',
    'https://100.64.0.1',
    'https://100.100.100.200',
    'https://169.254.169.254/latest/meta-data',
    'https://168.63.129.16',
    'https://192.0.0.192',
    'https://198.18.0.1',
    'https://224.0.0.1',
    'https://255.255.255.255',
    'https://[::1]',
    'https://[::]',
    'https://[::ffff:127.0.0.1]',
    'https://[::ffff:a9fe:a9fe]',
    'https://[::127.0.0.1]',
    'https://[64:ff9b::a9fe:a9fe]',
    'https://[64:ff9b:1::a00:1]',
    'https://[2002:7f00:1::]',
    'https://[2001:0:7f00:1::]',
    'https://[fe80::1]',
    'https://[fec0::1]',
    'https://[fc00::1]',
    'https://[fd00:ec2::254]',
    'https://[ff02::1]',
    'https://localhost',
    'https://LOCALHOST.:8443',
    'https://metadata.google.internal',
  ])('%s is refused', async (endpoint) => {
    expect(() => createHostGuard([]).check(endpoint)).toThrow(expect.objectContaining(refused));
    answers.next = [resolvesTo('127.0.0.1')];
    await expect(get(endpoint)).rejects.toMatchObject(refused);
  });

  it.each(['https://storage.example.com', 'https://storage.example.com:9000', 'https://93.184.215.14', 'https://[2606:2800:21f::1]'])(
    '%s may be tried',
    (endpoint) => expect(() => createHostGuard([]).check(endpoint)).not.toThrow(),
  );

  it.each([
    ['http://minio.lan:9000', ['minio.lan']],
    ['http://minio.lan:9000', ['MinIO.lan:9000']],
    ['https://10.0.0.5', ['10.0.0.5:443', 'other']],
    ['http://[::1]:9000', ['[::1]:9000']],
  ])('%s may be tried where the operator allows %j', (endpoint, allowed) =>
    expect(() => createHostGuard(allowed).check(endpoint)).not.toThrow(),
  );

  it('is refused on another port than the allowed one', () => {
    expect(() => createHostGuard(['minio.lan:9000']).check('http://minio.lan:9001')).toThrow(expect.objectContaining(refused));
  });
});

describe('a name', () => {
  it.each([
    [['127.0.0.1']],
    [['10.0.0.1']],
    [['169.254.169.254']],
    [['::1']],
    [['::ffff:10.0.0.1']],
    [['fd00:ec2::254']],
    [['93.184.215.14', '10.0.0.1']],
    [[]],
  ])('that resolves to %j is not connected to', async (addresses) => {
    answers.next = [resolvesTo(...addresses)];
    await expect(get(`https://evil.example.com:${port}/`)).rejects.toMatchObject(refused);
  });

  it('is looked up by the connection itself, so that the address which is judged is the one that is connected to', async () => {
    const connect = vi.spyOn(https.Agent.prototype, 'createConnection').mockReturnValue(null);
    createHostGuard([]).agents({ keepAlive: false, maxSockets: 1 }).httpsAgent.createConnection({ host: 'evil.example.com', port: 443 });
    const [options] = connect.mock.lastCall ?? [];
    connect.mockRestore();
    const look = () =>
      new Promise((resolve) =>
        options?.lookup?.('evil.example.com', { all: true }, (error, found) => resolve(error ? error.message : found)),
      );
    answers.next = [resolvesTo('93.184.215.14'), resolvesTo('127.0.0.1')];
    expect(await look()).toEqual(resolvesTo('93.184.215.14'));
    expect(await look()).toContain('not on the public internet');
  });
});

it('a redirect is not followed, even where the host is allowed', async () => {
  asked = 0;
  await expect(get(`http://127.0.0.1:${port}/`, [`127.0.0.1:${port}`])).rejects.toMatchObject(refused);
  expect(asked).toBe(1);
});

it.each(['', 'localhost', '1.2.3', 'fe80::1%eth0', '::ffff:0:127.0.0.1'])('%j is no public address', (text) =>
  expect(isPublic(text)).toBe(false),
);
