import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type Exchange, type GcsState, jsonOf, Refusal, resourceOf, type Stored, send } from './gcs.double.state.js';

/** In bytes: larger objects are copied in two steps, as Google does with much larger ones. */
const LARGE = 1024 ** 2;

/** @param path "<key>", "<key>/compose" or "<key>/rewriteTo/b/<bucket>/o/<key>", keys encoded */
export async function atObject(state: GcsState, exchange: Exchange, bucket: string, path: string): Promise<void> {
  const { request, response, url } = exchange;
  const [key = '', verb, , , , target = ''] = path.split('/').map(decodeURIComponent);
  if (request.method === 'DELETE') return remove(state, exchange, bucket, key);
  if (verb === 'rewriteTo') return rewrite(state, exchange, bucket, { key, target });
  if (verb === 'compose') return compose(state, exchange, bucket, key);
  state.allow('storage.objects.get');
  const object = state.found(bucket, key);
  if (url.searchParams.get('alt') === 'media') sendBytes(exchange, object);
  else send(response, 200, resourceOf(key, object));
}

/** Sends the bytes, or the range that is asked for, under headers that a signed address may name. */
export function sendBytes({ request, response, url }: Exchange, { file, size, contentType }: Stored): void {
  const disposition = url.searchParams.get('response-content-disposition');
  const headers = {
    'content-type': url.searchParams.get('response-content-type') ?? contentType,
    ...(disposition && { 'content-disposition': disposition }),
  };
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (first !== undefined && Number(first) >= size) throw new Refusal(416, 'The requested range cannot be satisfied.');
  const start = Number(first ?? 0);
  const end = Math.min(last ? Number(last) : size - 1, size - 1);
  const partial = first !== undefined && { 'content-range': `bytes ${start}-${end}/${size}` };
  response.writeHead(partial ? 206 : 200, { ...headers, ...partial, 'content-length': end - start + 1 });
  if (size === 0) response.end();
  else createReadStream(file, { start, end }).pipe(response);
}

function remove({ allow, found, bucketOf }: GcsState, { response }: Exchange, bucket: string, key: string): void {
  allow('storage.objects.delete');
  found(bucket, key);
  bucketOf(bucket).objects.delete(key);
  response.writeHead(204).end();
}

async function rewrite(state: GcsState, { request, response, url }: Exchange, bucket: string, way: { key: string; target: string }) {
  state.allow('storage.objects.create');
  const source = state.found(bucket, way.key, url.searchParams.get('sourceGeneration'));
  const about = await jsonOf(request);
  if (source.size > LARGE && url.searchParams.get('rewriteToken') === null)
    return send(response, 200, { done: false, rewriteToken: randomUUID() });
  const made = await state.store(bucket, way.target, source.file, about, url.searchParams.get('ifGenerationMatch'));
  send(response, 200, { done: true, resource: resourceOf(way.target, made) });
}

async function compose(state: GcsState, { request, response, url }: Exchange, bucket: string, key: string): Promise<void> {
  state.allow('storage.objects.create');
  const { sourceObjects, destination } = await jsonOf(request);
  if (sourceObjects.length > 32) throw new Refusal(400, 'The number of source components provided exceeds the maximum (32).');
  const sources: Stored[] = sourceObjects.map((source: { name: string; generation?: string }) =>
    state.found(bucket, source.name, source.generation),
  );
  const file = state.newFile();
  for (const source of sources) await pipeline(createReadStream(source.file), createWriteStream(file, { flags: 'a' }));
  const made = await state.store(bucket, key, file, destination ?? {}, url.searchParams.get('ifGenerationMatch'));
  send(response, 200, resourceOf(key, made));
}
