import { once as onceEvent } from 'node:events';
import { request } from 'node:http';
import { pdfOf } from '../test/pdfs.js';
import { load } from './client.js';
import { once } from './measure.js';
import type { Options } from './options.js';
import type { Server } from './postgres.js';
import { setApart } from './processors.js';
import { markdown } from './sections.js';
import type { Target } from './targets.js';
import { documentId, type Workload } from './workloads.js';

const GIB = 2 ** 30;
const CHUNK = Buffer.alloc(2 ** 20, 'the bytes of a video, ');
const PAGES = 200;

/** How late the event loop of Docgate is while it answers W1, alone and beside an upload and previews. */
export async function measureBusy(docgate: Target, token: string, workload: Workload, postgres: Server, options: Options): Promise<string> {
  const { connections, seconds, warmup, smoke } = options;
  const requests = docgate.requests(workload);
  const authorization = `Bearer ${token}`;
  await load(docgate.origin, requests, connections, warmup);
  const pdf = await uploaded(docgate, authorization, 'scan.pdf', [pdfOf({ pages: PAGES })]);
  const nothing = async () => undefined;
  const upload = () => uploaded(docgate, authorization, 'video.bin', chunks(smoke ? 8 * CHUNK.length : GIB));
  const previews = (signal: AbortSignal) => preview(docgate, authorization, pdf, signal);
  const works: [title: string, work: (signal: AbortSignal) => Promise<unknown>, apart: boolean][] = [
    ['W1', nothing, false],
    ['W1 beside an upload of 1 GiB', upload, false],
    ['W1 beside previews, one after the other', previews, false],
    ['W1, a processor for Docgate alone', nothing, true],
    ['W1 beside an upload of 1 GiB, a processor for Docgate alone', upload, true],
  ];
  const rows: string[][] = [];
  for (const [title, work, apart] of works) {
    const undo = apart && docgate.pid !== null ? setApart(docgate.pid, postgres.pid) : null;
    await docgate.loopDelay?.();
    const ended = new AbortController();
    const beside = work(ended.signal);
    const { rate, p50, p99 } = await load(docgate.origin, requests, connections, seconds);
    ended.abort();
    await beside;
    const delay = await docgate.loopDelay?.();
    undo?.();
    rows.push([title, rate.toFixed(0), p50.toFixed(1), p99.toFixed(1), delay?.p99.toFixed(1) ?? '', delay?.max.toFixed(0) ?? '']);
  }
  return markdown([`c = ${connections}`, 'req/s', 'p50 ms', 'p99 ms', 'event loop late by: p99 ms', 'max ms'], rows);
}

function* chunks(size: number) {
  for (let sent = 0; sent < size; sent += CHUNK.length) yield CHUNK;
}

/** @returns the id of the file */
async function uploaded(docgate: Target, authorization: string, name: string, body: Iterable<Buffer>): Promise<string> {
  const { hostname, port } = new URL(docgate.origin);
  const boundary = 'the-boundary-of-the-benchmark';
  const headers = { authorization, 'content-type': `multipart/form-data; boundary=${boundary}` };
  const out = request({ hostname, port, method: 'POST', path: `/documents/${documentId(60)}/files/`, headers });
  const answer = onceEvent(out, 'response');
  out.write(
    `--${boundary}\r\nContent-Disposition: form-data; name="files"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n`,
  );
  for (const chunk of body) if (!out.write(chunk)) await onceEvent(out, 'drain');
  out.end(`\r\n--${boundary}--\r\n`);
  const [response] = await answer;
  const text = Buffer.concat(await response.toArray()).toString();
  if (response.statusCode !== 201) throw new Error(`the upload was refused: ${text.slice(0, 500)}`);
  const [file] = JSON.parse(text) as { id: string }[];
  return file?.id ?? '';
}

async function preview(docgate: Target, authorization: string, id: string, signal: AbortSignal): Promise<void> {
  for (let page = 1; page <= PAGES && !signal.aborted; page++) {
    await once(docgate, [{ method: 'GET', path: `/files/${id}/preview?page=${page}&width=1600`, headers: { authorization } }]);
  }
}
