import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { appendFile, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { CRC32C } from '@google-cloud/storage';
import { type About, type Exchange, type GcsState, jsonOf, Refusal, resourceOf, type Stored, send } from './gcs.double.state.js';

interface Session {
  bucket: string;
  key: string;
  condition: string | null;
  about: About;
  file: string;
  /** Of what has arrived; null once a piece broke off, as nobody knows how much of it is in the file. */
  sum: CRC32C | null;
  /** The object, once its last piece has arrived. */
  made?: Promise<Stored>;
}

/** Uploads by one request, and resumable ones. */
export interface GcsUploads {
  /** An upload by one request, or the first request of a resumable one. */
  begin(exchange: Exchange, bucket: string): Promise<void>;
  /** A piece of a resumable one, or the question how much has arrived. */
  takePiece(exchange: Exchange, session: string): Promise<void>;
}

export function createGcsUploads(state: GcsState): GcsUploads {
  const sessions = new Map<string, Session>();

  async function beginSession({ request, response, url }: Exchange, bucket: string): Promise<void> {
    const about = await jsonOf(request);
    const [key, condition] = [url.searchParams.get('name') ?? '', url.searchParams.get('ifGenerationMatch')];
    state.requireFree(bucket, key, condition);
    const file = state.newFile();
    await appendFile(file, '');
    const id = randomUUID();
    sessions.set(id, { bucket, key, condition, about, file, sum: new CRC32C() });
    response.writeHead(200, { location: `http://${state.host}/session/${id}` }).end();
  }

  async function takePiece({ request, response }: Exchange, id: string): Promise<void> {
    const session = sessions.get(id);
    if (!session) throw new Refusal(404, 'no such session');
    // A session that has ended says so for a week.
    if (session.made) {
      request.resume();
      return send(response, 200, resourceOf(session.key, await session.made));
    }
    const range = String(request.headers['content-range']);
    const { size } = await stat(session.file);
    const more = (arrived: number) => response.writeHead(308, arrived > 0 ? { range: `bytes=0-${arrived - 1}` } : {}).end();
    if (range === 'bytes */*') return void more(size);
    const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range) ?? [];
    if (!(Number(first) <= size)) throw new Refusal(400, 'Invalid Content-Range.');
    const fresh = newBytes(request, { size, first: Number(first), sum: session.sum });
    await pipeline(fresh, createWriteStream(session.file, { flags: 'a' })).catch((error: unknown) => {
      session.sum = null;
      throw error;
    });
    const arrived = (await stat(session.file)).size;
    if (arrived !== Number(last) + 1) throw new Refusal(400, 'Another length than announced.');
    if (total === '*') {
      if ((arrived - Number(first)) % (256 * 1024) !== 0) throw new Refusal(400, 'Pieces must be multiples of 256 KiB.');
      return void more(arrived);
    }
    if (Number(total) !== arrived) throw new Refusal(400, 'Another size than announced.');
    session.made = state.store(session.bucket, session.key, session.file, session.about, session.condition, session.sum?.toString());
    send(response, 200, resourceOf(session.key, await session.made));
  }

  return {
    async begin(exchange, bucket) {
      state.allow('storage.objects.create');
      if (exchange.url.searchParams.get('uploadType') === 'resumable') await beginSession(exchange, bucket);
      else await takeWhole(state, exchange, bucket);
    },
    takePiece,
  };
}

/** The bytes alone, or after a JSON that describes them. */
async function takeWhole(state: GcsState, { request, response, url }: Exchange, bucket: string): Promise<void> {
  const file = state.newFile();
  let about: About = { contentType: request.headers['content-type'] };
  if (url.searchParams.get('uploadType') === 'media') await pipeline(request, createWriteStream(file));
  else about = await takeMultipart(request, file);
  const key = url.searchParams.get('name') ?? '';
  const made = await state.store(bucket, key, file, about, url.searchParams.get('ifGenerationMatch'));
  send(response, 200, resourceOf(key, made));
}

async function takeMultipart(request: IncomingMessage, file: string): Promise<About> {
  const [, boundary] = /^multipart\/related; boundary=(\S+)$/.exec(request.headers['content-type'] ?? '') ?? [];
  const body = await buffer(request);
  const head = /^--(\S+)\r\ncontent-type: application\/json[^\r]*\r\n\r\n(.*?)\r\n--\1\r\ncontent-type: [^\r]+\r\n\r\n/is;
  const [start = '', used, about = '{}'] = head.exec(body.subarray(0, 4096).toString('latin1')) ?? [];
  const end = body.length - `\r\n--${boundary}--`.length;
  if (used !== boundary || body.subarray(end).toString() !== `\r\n--${boundary}--`) throw new Refusal(400, 'Bad multipart body.');
  await writeFile(file, body.subarray(start.length, end));
  return JSON.parse(Buffer.from(about, 'latin1').toString());
}

/** The bytes that have not arrived before; they are added to the sum. */
async function* newBytes(request: IncomingMessage, { size, first, sum }: { size: number; first: number; sum: CRC32C | null }) {
  let known = size - first;
  for await (const chunk of request) {
    const fresh = chunk.subarray(known);
    known = Math.max(0, known - chunk.length);
    sum?.update(fresh);
    yield fresh;
  }
}
