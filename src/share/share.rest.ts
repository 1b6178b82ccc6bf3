import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { RequestContext } from '../context.js';
import { created, expectedVersion, sendVersioned } from '../rest/etag.js';
import { empty, example, idParams, operation, reading, writing } from '../rest/operation.js';
import { envelope, numbered, pageOf, pageQuery } from '../rest/pages.js';
import { audit, auditExample, auditShape, day, exampleId, moment, span, wireTime, wireTimeShape } from '../rest/wire.js';
import { shareDocumentInput, updateShareInput } from './share.input.js';
import { getShareOf, listSharesByNumber, revokeShare, type ShareRow, shareDocument, updateShare } from './share.service.js';
import { openToken } from './share.token.js';

const tag = 'Sharing';
const share = z
  .object({
    ...auditShape,
    expires_at: wireTimeShape,
    token: z.string().meta({ description: 'Opens the document; treat it as opaque.' }),
    document: z.string(),
    label: z.string().optional(),
    allow_download: z.boolean().optional(),
    max_downloads: z.int().nullable().optional(),
    download_count: z.int().optional(),
    has_password: z.boolean().optional(),
    not_before: wireTimeShape.nullable().optional(),
    watermark: z.string().optional(),
    open_count: z.int().optional(),
    last_opened_at: wireTimeShape.nullable().optional(),
    files: z.array(z.string()).optional().meta({ description: 'Ids of the files that it opens; empty: all.' }),
  })
  .meta({
    id: 'Share',
    description: 'A link that opens a document. What follows `document` only with expand=policy.',
    examples: [
      {
        ...auditExample,
        expires_at: '2025-08-01T05:38:35.000000Z',
        token: 'f0a6f0f2-6d0c-4b3a-9c57-3a4a2a3f6c1e',
        document: exampleId,
      },
    ],
  });

const wireShare = (ctx: RequestContext, row: ShareRow, expand = '') => ({
  ...audit(row),
  expires_at: wireTime(row.expiresAt),
  token: openToken(ctx, row),
  document: row.documentId,
  ...(expand.split(',').includes('policy') && {
    label: row.label,
    allow_download: row.allowDownload,
    max_downloads: row.maxDownloads,
    download_count: row.downloadCount,
    has_password: row.passwordHash !== null,
    not_before: row.notBefore && wireTime(row.notBefore),
    watermark: row.watermark,
    open_count: row.openCount,
    last_opened_at: row.lastOpenedAt && wireTime(row.lastOpenedAt),
    files: row.fileIds,
  }),
});

const shareParams = z.object({ id: z.string(), share: z.string() });
const { password, label, maxDownloads, allowDownload, watermark, fileIds } = shareDocumentInput.shape;
const creation = z
  .object({
    expires_at: moment(),
    not_before: moment().nullish(),
    password,
    label,
    watermark,
    max_downloads: maxDownloads,
    allow_download: allowDownload,
    files: fileIds,
  })
  .meta(example({ expires_at: '2025-08-01T05:38:35+00:00' }));
const change = z
  .object({
    expires_at: moment().nullish(),
    not_before: moment().nullish(),
    password: updateShareInput.shape.password,
    label,
    watermark,
    max_downloads: updateShareInput.shape.maxDownloads,
    allow_download: allowDownload,
    files: fileIds,
  })
  .meta(example({ label: 'For the auditor' }));
const expand = z
  .string()
  .optional()
  .meta({ description: '"policy" shows its limits.', examples: ['policy'] });
const one = z.object({ expand });
const query = z.object({
  ...pageQuery('created_at', 'updated_at', 'expires_at'),
  expand,
  expires_at: span().optional().meta({ description: 'At this moment, or on this day.' }),
  expires_at_gte: day('from').optional(),
  expires_at_lte: day('to').optional(),
});

type ListQuery = z.output<typeof query>;

/** `/documents/{id}/shares/`: who owns a document shares it. */
export const shareRoutes: FastifyPluginAsyncZod = async (app) => {
  app.post(
    '/documents/:id/shares/',
    {
      schema: operation({
        id: 'shareDocument',
        summary: 'Share Document',
        tag,
        params: idParams,
        query: one,
        body: creation,
        ok: { 201: share },
        errors: writing,
      }),
    },
    async ({ ctx, params: { id }, query: { expand }, body }, reply) => {
      const row = await shareDocument(ctx, id, { ...domainNames(body), expiresAt: body.expires_at });
      return created(reply, row.version, wireShare(ctx, row, expand));
    },
  );
  app.get(
    '/documents/:id/shares/',
    {
      schema: operation({
        id: 'listShares',
        summary: 'List Shared Documents',
        tag,
        params: idParams,
        query,
        ok: { 200: pageOf(share) },
        errors: reading,
      }),
    },
    async ({ ctx, params: { id }, query }) => {
      const found = await listSharesByNumber(ctx, id, { filter: filterOf(query), ...numbered(query) });
      return envelope(found, query, (row) => wireShare(ctx, row, query.expand));
    },
  );
  app.get(
    '/documents/:id/shares/:share/',
    {
      schema: operation({
        id: 'getShare',
        summary: 'Get Shared Document',
        tag,
        params: shareParams,
        query: one,
        ok: { 200: share },
        errors: reading,
      }),
    },
    async (request, reply) => {
      const { id, share: shareId } = request.params;
      return sendShare(request, reply, await getShareOf(request.ctx, id, shareId), request.query.expand);
    },
  );
  app.patch(
    '/documents/:id/shares/:share/',
    {
      schema: operation({
        id: 'updateShare',
        summary: 'Update Shared Document',
        tag,
        params: shareParams,
        query: one,
        body: change,
        ok: { 200: share },
        errors: writing,
      }),
    },
    async (request, reply) => {
      const { ctx, body, params } = request;
      await getShareOf(ctx, params.id, params.share);
      const input = { ...domainNames(body), expiresAt: body.expires_at, expectedVersion: expectedVersion(request) };
      return sendShare(request, reply, await updateShare(ctx, params.share, input), request.query.expand);
    },
  );
  app.delete(
    '/documents/:id/shares/:share/',
    {
      schema: operation({
        id: 'deleteShare',
        summary: 'Delete Document Share',
        tag,
        params: shareParams,
        ok: { 204: empty },
        errors: writing,
      }),
    },
    async (request, reply) => {
      const { ctx, params } = request;
      await revokeShare(ctx, params.share, expectedVersion(request), params.id);
      return reply.status(204).send();
    },
  );
};

const sendShare = (request: FastifyRequest, reply: FastifyReply, row: ShareRow, expand?: string) =>
  sendVersioned(request, reply, row.version, wireShare(request.ctx, row, expand));

type Policy = Omit<z.output<typeof change>, 'expires_at'> & { expires_at?: unknown };

const domainNames = <Body extends Policy>({ max_downloads, allow_download, not_before, files, expires_at: _, ...body }: Body) => ({
  ...body,
  maxDownloads: max_downloads,
  allowDownload: allow_download,
  notBefore: not_before,
  fileIds: files,
});

/** All conditions hold together. */
function filterOf({ expires_at, search, ...rest }: ListQuery) {
  return {
    search,
    createdAt: { from: rest.created_at_after, to: rest.created_at_before },
    expiresAt: { from: latest(rest.expires_at_gte, expires_at?.from), to: earliest(rest.expires_at_lte, expires_at?.to) },
  };
}

const given = (dates: (Date | undefined)[]) => dates.filter((date) => date !== undefined).toSorted((a, b) => a.getTime() - b.getTime());
const latest = (...dates: (Date | undefined)[]) => given(dates).at(-1);
const earliest = (...dates: (Date | undefined)[]) => given(dates).at(0);
