import { createHash, randomBytes } from 'node:crypto';
import * as tus from 'tus-js-client';
import { afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { sweepFiles } from '../src/file/file.sweeper.js';
import { createScanner } from '../src/scan/scanner.js';
import { sweepUploads } from '../src/upload/upload.sweeper.js';
import { answering, fakeClamd } from './clamd.js';
import { type Actor, useWorld } from './world.js';

export const MiB = 1024 * 1024;
export const HOUR = 60 * 60 * 1000;
export const MAX = 20 * MiB;
export const bytes = Buffer.concat([Buffer.from('%PDF-1.4\n'), randomBytes(17 * MiB)]);
export const short = Buffer.from('%PDF-1.4\nthe bytes of a passport');
export const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex');
export const encoded = (metadata: Record<string, string>) =>
  Object.entries(metadata)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');

export interface Sent {
  actor?: Actor | null;
  headers?: Record<string, string>;
  body?: Buffer;
}

/** A gateway that listens, and an admin with a document of their own for each test. */
export function useTus() {
  const world = useWorld({ MAX_FILE_SIZE: String(MAX), CORS_ORIGINS: 'https://app.example' });

  let address: string;
  let editor: Actor;
  let documentId: string;

  beforeAll(async () => {
    address = await world().app.listen({ port: 0, host: '127.0.0.1' });
  });
  beforeEach(async () => {
    editor = world().actor('admin');
    const { data } = await world().graphql(editor, 'mutation { createDocument(input: { name: "D" }) { ... on Document { id } } }');
    documentId = data.createDocument.id;
  });
  afterEach(() => {
    const { services } = world().gateway;
    services.scanner = null;
    services.now = () => new Date();
  });

  async function send(method: string, url: string, { actor = editor, headers = {}, body }: Sent = {}) {
    const answer = await fetch(url.startsWith('/') ? address + url : url, {
      method,
      headers: {
        'tus-resumable': '1.0.0',
        ...(actor && { authorization: `Bearer ${actor.token}` }),
        ...(body && { 'content-type': 'application/offset+octet-stream' }),
        ...headers,
      },
      body: body && new Uint8Array(body),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      offset: answer.headers.get('upload-offset'),
      body: text ? JSON.parse(text) : null,
    };
  }

  const creation = (size: number, metadata: Record<string, string> = {}) => ({
    'upload-length': String(size),
    'upload-metadata': encoded({ document: documentId, filename: 'a.pdf', ...metadata }),
  });

  async function begin(size: number, metadata: Record<string, string> = {}): Promise<string> {
    const { status, headers } = await send('POST', '/uploads/', { headers: creation(size, metadata) });
    expect(status).toBe(201);
    return new URL(headers.get('location') ?? '').pathname;
  }

  const patch = (url: string, offset: number, body: Buffer, sent: Sent = {}) =>
    send('PATCH', url, { ...sent, body, headers: { 'upload-offset': String(offset), ...sent.headers } });

  /** What a client that speaks tus does with its defaults, but for what is given. */
  function upload(body: Buffer, options: Partial<tus.UploadOptions> = {}, metadata: Record<string, string> = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const client = new tus.Upload(body, {
        endpoint: `${address}/uploads/`,
        headers: { authorization: `Bearer ${editor.token}` },
        metadata: { document: documentId, filename: 'a.pdf', filetype: 'application/pdf', ...metadata },
        retryDelays: [0, 50, 100, 200, 400, 800, 1600],
        onError: reject,
        onSuccess: () => resolve(new URL(client.url ?? '').pathname),
        ...options,
      });
      client.start();
    });
  }

  async function filesOf(actor: Actor) {
    const { data } = await world().graphql(actor, `{ document(id: "${documentId}") { files { id name size sha256 contentType } } }`);
    return data.document.files;
  }

  /** States of rows, and how many objects are staged. */
  async function left() {
    const { pool } = world().gateway.database;
    const rowsOf = async (table: string) =>
      (await pool.query(`SELECT state FROM ${table} WHERE tenant_id = $1 ORDER BY id`, [editor.tenantId])).rows.map(({ state }) => state);
    return { files: await rowsOf('files'), uploads: await rowsOf('staged_uploads') };
  }

  async function sweepAfter(ms: number) {
    const now = world().gateway.services.now().getTime() + ms;
    world().gateway.services.now = () => new Date(now);
    await sweepUploads(world().context(null));
    await sweepFiles(world().context(null));
  }

  function scanning(answer: string) {
    return fakeClamd(answering(answer)).then((at) => {
      world().gateway.services.scanner = createScanner({ address: at, policy: 'fail-closed', timeout: 5000 }, () => {});
    });
  }

  return {
    world,
    send,
    creation,
    begin,
    patch,
    upload,
    filesOf,
    left,
    sweepAfter,
    scanning,
    address: () => address,
    editor: () => editor,
    documentId: () => documentId,
  };
}
