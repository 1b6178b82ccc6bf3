import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import type { ClamdAddress } from '../src/scan/clamd.js';

/** The test file that every scanner knows. In two pieces, or a scanner would take this source away. */
export const eicar = `${String.raw`X5O!P%@AP[4\PZX54(P^)7CC)7}$`}${'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'}`;

/** The clamd to test with; without it the tests that need one are left out. */
export const clamdBinary = process.env.TEST_CLAMD;

/** What the real clamd of the tests takes in one stream, in bytes. */
export const STREAM_MAX = 40 * 1024 * 1024;

/** A real clamd that knows nothing but EICAR. */
export async function startClamd(): Promise<{ address: ClamdAddress; stop(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'docgate-clamd-'));
  const socket = join(dir, 'clamd.sock');
  await mkdir(join(dir, 'db'));
  await writeFile(join(dir, 'db', 'own.ndb'), `Eicar-Test:0:*:${Buffer.from(eicar).toString('hex')}\n`);
  const config = {
    LocalSocket: socket,
    DatabaseDirectory: join(dir, 'db'),
    TemporaryDirectory: dir,
    Foreground: 'yes',
    LogFile: join(dir, 'clamd.log'),
    StreamMaxLength: STREAM_MAX,
    AlertExceedsMax: 'yes',
  };
  const lines = Object.entries(config).map(([name, value]) => `${name} ${value}\n`);
  await writeFile(join(dir, 'clamd.conf'), lines.join(''));
  const clamd = spawn(clamdBinary ?? 'clamd', ['--config-file', join(dir, 'clamd.conf')], { stdio: 'ignore' });
  await vi.waitFor(() => reach(socket), { timeout: 30_000, interval: 100 });
  return {
    address: { path: socket },
    async stop() {
      if (clamd.exitCode === null && clamd.kill('SIGKILL')) await once(clamd, 'exit');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const reach = (path: string) =>
  new Promise<void>((resolve, reject) => {
    const socket = connect({ path }, () => {
      socket.end();
      resolve();
    }).on('error', reject);
  });

/** What a server that only looks like clamd does with a connection. */
export type Behaviour = (socket: Socket) => void;

/** A server that behaves like this on the next free port, until the test ends. */
export async function fakeClamd(behave: Behaviour): Promise<ClamdAddress> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    behave(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }; // It listens on a port.
}

/** Reads a stream as clamd does and answers this; `take` gets its bytes. */
export const answering =
  (line: string, take: (bytes: Buffer) => void = () => undefined): Behaviour =>
  (socket) => {
    let rest = Buffer.alloc(0);
    let greeted = false;
    socket.on('data', (data) => {
      rest = Buffer.concat([rest, data]);
      if (!greeted && rest.length >= 10) {
        greeted = true;
        rest = rest.subarray(10);
      }
      while (greeted && rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
        const length = rest.readUInt32BE();
        if (length === 0) return socket.end(`${line}\0`);
        take(Buffer.from(rest.subarray(4, 4 + length)));
        rest = rest.subarray(4 + length);
      }
    });
  };

export const silent: Behaviour = (socket) => socket.resume();
export const deaf: Behaviour = (socket) => socket.pause();
export const hangingUp: Behaviour = (socket) => socket.once('data', () => socket.destroy());
export const hangingUpAtTheEnd: Behaviour = (socket) => answering('')(socket);
