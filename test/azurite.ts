import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { AzureCredentials } from '../src/blob/credentials.js';

/** Azure Blob Storage as Microsoft's own emulator has it, with a port, a folder and an account of its own. */
export interface Azurite {
  /** "127.0.0.1:10000", as STORAGE_HOSTS takes it. */
  host: string;
  credentials: AzureCredentials;
  /** A new, empty container. */
  makeContainer(): Promise<string>;
  /** How many blobs of a container are nothing but blocks that wait. */
  countUncommitted(container: string): Promise<number>;
  stop(): Promise<void>;
}

const account = 'docgatetest';

export async function startAzurite(givenPort?: number): Promise<Azurite> {
  const folder = await mkdtemp(join(tmpdir(), 'docgate-azurite-'));
  const key = randomBytes(64).toString('base64');
  const port = givenPort ?? (await freePort());
  const program = fileURLToPath(new URL('../node_modules/.bin/azurite-blob', import.meta.url));
  const quiet = ['--silent', '--disableTelemetry', '--disableProductStyleUrl', '--skipApiVersionCheck'];
  const options = ['--blobHost', '127.0.0.1', '--blobPort', String(port), '--location', folder, ...quiet];
  const env = { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` };
  const child = spawn(process.execPath, [program, ...options], { env, stdio: 'ignore' });
  const endpoint = `http://127.0.0.1:${port}/${account}`;
  await answers(endpoint);
  const containerOf = (name: string) => new ContainerClient(`${endpoint}/${name}`, new StorageSharedKeyCredential(account, key));
  return {
    host: `127.0.0.1:${port}`,
    credentials: { account_name: account, account_key: key, endpoint },
    async makeContainer() {
      const name = `t${randomBytes(8).toString('hex')}`;
      await containerOf(name).create();
      return name;
    },
    async countUncommitted(container) {
      let count = 0;
      for await (const { name } of containerOf(container).listBlobsFlat({ includeUncommitedBlobs: true })) {
        if (!(await containerOf(container).getBlobClient(name).exists())) count += 1;
      }
      return count;
    },
    async stop() {
      child.kill();
      await once(child, 'exit');
      await rm(folder, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function answers(endpoint: string): Promise<void> {
  for (let tries = 0; tries < 150; tries++) {
    if (await fetch(endpoint).catch(() => null)) return;
    await sleep(200);
  }
  throw new Error('Azurite did not come up');
}
