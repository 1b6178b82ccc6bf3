import { readdir } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { multipart, type Part } from './multipart.js';
import { type Actor, useWorld } from './world.js';

export const pdf = Buffer.from(`%PDF-1.4\n${'the bytes of a passport\n'.repeat(50)}%%EOF`);
export const file = (name: string, body: string | Buffer, field = 'files', type?: string): Part => ({ field, name, body, type });

/** A gateway that listens, and an admin of their own for each test. */
export function useRestFiles() {
  const world = useWorld({ MAX_FILE_SIZE: '8MiB' });

  let admin: Actor;
  let port: number;
  /** Connections stay open after an answer, as those of browsers do. */
  const agent = new Agent({ keepAlive: true });

  beforeAll(async () => {
    await world().app.listen({ port: 0, host: '127.0.0.1' });
    port = (world().app.server.address() as AddressInfo).port; // It listens on a port.
  });
  beforeEach(() => {
    admin = world().actor('admin');
  });
  afterAll(() => agent.destroy());

  const call = async (method: 'GET' | 'HEAD' | 'POST' | 'DELETE' | 'PUT', url: string, headers = {}, payload?: unknown, actor = admin) => {
    const answer = await world().inject(actor, { method, url, headers, ...(payload !== undefined && { payload: payload as object }) });
    const type = String(answer.headers['content-type'] ?? '');
    const body = type.includes('json') && answer.body ? answer.json() : answer.body;
    return { status: answer.statusCode, headers: answer.headers, body, bytes: answer.rawPayload };
  };
  const send = (url: string, parts: Part[], actor = admin) => {
    const { headers, payload } = multipart(parts);
    return call('POST', url, headers, payload, actor);
  };

  async function newDocument(name = 'Passport'): Promise<string> {
    return (await call('POST', '/documents/', {}, { name })).body.id;
  }

  /** A document with these files. @returns the path of its files and their ids */
  async function filed(...files: [name: string, body: string | Buffer][]): Promise<{ url: string; ids: string[] }> {
    const url = `/documents/${await newDocument()}/files/`;
    const { body } = await send(
      url,
      files.map(([name, bytes]) => file(name, bytes)),
    );
    return { url, ids: body.map(({ id }: { id: string }) => id) };
  }

  /** What there is of the tenant's: files, blobs, and documents, those in the trash too. */
  async function left() {
    const { pool } = world().gateway.database;
    const rows = async (table: string) =>
      (await pool.query(`SELECT id FROM ${table} WHERE tenant_id = $1 ORDER BY id`, [admin.tenantId])).rows;
    const folder = join(world().gateway.settings.dataDir, 'blobs', admin.tenantId);
    const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    return { files: await rows('files'), documents: await rows('documents'), blobs: found.filter((entry) => entry.isFile()).length };
  }

  /** A request over a real socket; `write` sends its body. */
  const overSocket = (path: string, headers: object, write: (request: ReturnType<typeof httpRequest>) => void) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const options = { port, method: 'POST', path, headers: { authorization: `Bearer ${admin.token}`, ...headers }, agent };
      const request = httpRequest(options, resolve);
      request.on('error', reject);
      write(request);
    });
  return { world, agent, call, send, newDocument, filed, left, overSocket, admin: () => admin, port: () => port };
}
