import { readdir } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type Actor, useWorld } from './world.js';

/** A gateway that listens, and an admin of their own for each test. */
export function useFiles() {
  const world = useWorld({ RETENTION_DAYS: '30' });
  /** Connections stay open after an answer, as those of browsers do. */
  const agent = new Agent({ keepAlive: true });
  let admin: Actor;
  let port: number;

  beforeAll(async () => {
    await world().app.listen({ port: 0, host: '127.0.0.1' });
    port = (world().app.server.address() as AddressInfo).port; // It listens on a port.
  });
  afterAll(() => agent.destroy());
  beforeEach(() => {
    admin = world().actor('admin');
  });

  async function newDocument(): Promise<string> {
    const { data } = await world().graphql(admin, 'mutation { createDocument(input: { name: "D" }) { ... on Document { id } } }');
    return data.createDocument.id;
  }

  async function newFile(name: string, body: string | Buffer, type?: string): Promise<{ id: string; document: string }> {
    const document = await newDocument();
    const uploaded = await world().upload(admin, document, [{ name, body, type }]);
    if (uploaded.__typename !== 'UploadedFiles') throw new Error(JSON.stringify(uploaded));
    return { id: uploaded.files[0]?.id ?? '', document };
  }

  async function left(tenantId = admin.tenantId) {
    const { pool } = world().gateway.database;
    const { rows } = await pool.query<{ state: string; id: string }>('SELECT id, state FROM files WHERE tenant_id = $1 ORDER BY id', [
      tenantId,
    ]);
    const folder = join(world().gateway.settings.dataDir, 'blobs', tenantId);
    const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    return { rows, blobs: found.filter((entry) => entry.isFile()).map(({ name }) => name) };
  }

  /** A request over a real socket; `write` sends its body. */
  function send(
    method: string,
    path: string,
    headers: Record<string, string | number> = {},
    write?: (request: ReturnType<typeof httpRequest>) => void,
  ) {
    return new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest({ port, method, path, headers: { authorization: `Bearer ${admin.token}`, ...headers }, agent }, resolve);
      request.on('error', reject);
      if (write) write(request);
      else request.end();
    });
  }

  return { world, admin: () => admin, newDocument, newFile, left, send };
}

export const nothing = { rows: [], blobs: [] };
