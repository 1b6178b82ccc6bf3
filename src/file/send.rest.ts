import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RequestContext } from '../context.js';
import { DomainError } from '../errors.js';
import type { Disposition } from './download.service.js';
import { type FileRow, locateFile, openFile } from './file.service.js';
import { contentHeaders, planDownload } from './serve.js';
import { sendWatched, type Transfer } from './watch.rest.js';

interface SendOptions {
  /** Acts for the file's tenant; the right to read is established. */
  ctx: RequestContext;
  file: FileRow;
  disposition: Disposition;
  /** Called before the first byte. What is counted never goes round this process. @param length of what is asked for, in bytes */
  beforeBytes?: (length: number) => Promise<Transfer>;
}

/** Answers with the bytes of a file, or the range of them that was asked for. */
export async function sendFile(request: FastifyRequest, reply: FastifyReply, { ctx, file, disposition, beforeBytes }: SendOptions) {
  const { headers, method } = request;
  const plan = planDownload({
    method: method === 'HEAD' ? 'HEAD' : 'GET',
    size: Number(file.size),
    etag: `"${file.sha256}"`,
    lastModified: file.createdAt,
    headers: {
      range: headers.range,
      ifRange: headers['if-range'] as string | undefined, // node joins repeated headers of this name
      ifNoneMatch: headers['if-none-match'],
      ifMatch: headers['if-match'],
      ifModifiedSince: headers['if-modified-since'],
      ifUnmodifiedSince: headers['if-unmodified-since'],
    },
  });
  if (plan.status === 412) throw changed();
  if (plan.status === 416) {
    reply.headers(plan.headers);
    throw new DomainError('RANGE_NOT_SATISFIABLE', 'Ask for one range that begins within the file; Content-Range tells its length.');
  }
  const described = contentHeaders({ name: file.name, contentType: file.contentType, disposition });
  const begin = () => reply.status(plan.status).headers({ ...described, ...plan.headers });
  if (plan.status === 304 || method === 'HEAD') return begin().send(noBytes(method));
  const open = async () => {
    const body = await openFile(ctx, file, plan.range);
    // Not before: an error has no bytes that these would describe.
    begin();
    return body;
  };
  if (beforeBytes)
    return sendWatched(reply, await beforeBytes(plan.range ? plan.range.end - plan.range.start + 1 : Number(file.size)), open);
  const location = await locateFile(ctx, file, {
    contentType: described['Content-Type'],
    contentDisposition: described['Content-Disposition'],
  });
  if (location) return begin().removeHeader('content-length').header('cache-control', 'no-store').redirect(location, 302);
  const body = await open();
  // A client that goes away must not leave the source open.
  reply.raw.once('close', () => body.destroy());
  return reply.send(body);
}

const changed = () =>
  new DomainError('PRECONDITION_FAILED', 'If-Match or If-Unmodified-Since means other bytes than the file has. Read it again and retry.');

/** Fastify would set the length of an answer to HEAD to 0 if it were given nothing; a stream it leaves alone. */
export const noBytes = (method: string) => (method === 'HEAD' ? Readable.from([]) : undefined);
