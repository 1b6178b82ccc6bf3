import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { RequestContext } from '../context.js';
import type { DocumentRow } from '../document/document.service.js';
import { file } from '../document/document.wire.rest.js';
import { DomainError, notFound } from '../errors.js';
import { bytes, empty, idParams, operation, reading, writing } from '../rest/operation.js';
import { findReadableFiles } from './download.service.js';
import { deleteFile, type FileRow, getFileOf } from './file.service.js';
import { noBytes, sendFile } from './send.rest.js';
import { contentHeaders, namesTag } from './serve.js';
import { wireFile } from './wire.rest.js';
import { zipOf } from './zip.service.js';

const tag = 'Document';
const fileParams = z.object({ id: z.string(), file: z.string() });
const query = z.object({ file: z.string().optional().meta({ description: 'The id of the one file that is wanted.' }) });
const disposition = 'attachment';

const elsewhere = empty.describe('Where the bucket hands out the bytes for a minute; only with DOWNLOAD_MODE=redirect.');
const unchanged = empty.describe('If-None-Match names the bytes that are there.');
const part = bytes('The range that was asked for.', '*/*');
const whole = bytes('The bytes of the file, as what they are; never executed by a browser.', '*/*');
const all = bytes(
  'The bytes of the only file; a zip of several; their list for a client that accepts nothing but JSON.',
  '*/*',
  'application/zip',
);
const anyOfThem = { ...all, content: { ...all.content, 'application/json': { schema: z.array(file) } } };
const errors = [...reading, 409, 412, 416] as const;

/** `/documents/{id}/files/`: the bytes of a document. */
export const downloadRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/documents/:id/files/',
    {
      schema: operation({
        id: 'downloadFiles',
        summary: 'Download Files',
        tag,
        params: idParams,
        query,
        ok: { 200: anyOfThem, 206: part, 302: elsewhere, 304: unchanged },
        errors: [...errors],
      }),
    },
    async (request, reply) => {
      const { ctx, params, query } = request;
      const { document, files } = await findReadableFiles(ctx, params.id, query.file);
      reply.header('vary', 'Accept');
      if (wantsJson(request)) return files.map(wireFile);
      const [first, ...others] = files;
      if (!first) throw notFound('File');
      if (others.length === 0) return sendFile(request, reply, { ctx, file: first, disposition });
      return sendZip(request, reply, { ctx, document, files });
    },
  );
  app.get(
    '/documents/:id/files/:file/',
    {
      schema: operation({
        id: 'downloadFile',
        summary: 'Download one file',
        tag,
        params: fileParams,
        ok: { 200: whole, 206: part, 302: elsewhere, 304: unchanged },
        errors: [...errors],
      }),
    },
    async (request, reply) => {
      const { ctx, params } = request;
      return sendFile(request, reply, { ctx, file: await getFileOf(ctx, params.id, params.file), disposition });
    },
  );
  app.delete(
    '/documents/:id/files/:file/',
    {
      schema: operation({ id: 'deleteFile', summary: 'Delete File', tag, params: fileParams, ok: { 204: empty }, errors: writing }),
    },
    async (request, reply) => {
      const { ctx, params } = request;
      requireMatch(request, await getFileOf(ctx, params.id, params.file));
      await deleteFile(ctx, params.file);
      return reply.status(204).send();
    },
  );
};

/** Clients that take anything, as most libraries say by themselves, want the bytes. */
function wantsJson({ headers }: FastifyRequest): boolean {
  const types = (headers.accept ?? '').split(',').map((range) => range.replace(/;.*/s, '').trim().toLowerCase());
  return types.includes('application/json') && types.every((type) => /^application\/(?:[\w.-]+\+)?json$/.test(type));
}

interface Archive {
  ctx: RequestContext;
  document: DocumentRow;
  files: FileRow[];
}

function sendZip({ method }: FastifyRequest, reply: FastifyReply, { ctx, document, files }: Archive) {
  reply.headers(contentHeaders({ name: `${document.name}.zip`, contentType: 'application/zip', disposition }));
  if (method === 'HEAD') return reply.send(noBytes(method));
  const archive = zipOf(ctx, files);
  // A client that goes away must not leave a file open.
  reply.raw.once('close', () => archive.destroy());
  return reply.send(archive);
}

/** The bytes of a file never change: its tag matches or is another file's. */
function requireMatch({ headers }: FastifyRequest, { sha256 }: FileRow): void {
  const tags = headers['if-match'];
  if (tags === undefined || namesTag(tags, `"${sha256}"`, 'strong')) return;
  throw new DomainError('PRECONDITION_FAILED', 'If-Match is not the ETag of this file. Read it again and retry.');
}
