import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { operation, reading } from '../rest/operation.js';
import { envelope, numbered, pageOf, pageQuery } from '../rest/pages.js';
import { exampleId, exampleTime, wireTime, wireTimeShape } from '../rest/wire.js';
import { accessKinds, accessOutcomes, accessReasons, listAccessesByNumber, type ShareAccessRow } from './access.service.js';
import { getAnyShareOf } from './share.service.js';

const kinds = accessKinds.map((kind) => kind.toLowerCase());
const access = z
  .object({
    id: z.string(),
    created_at: wireTimeShape,
    last_at: wireTimeShape,
    times: z.int().meta({ description: 'How often, within the hour.' }),
    kind: z.enum(kinds),
    outcome: z.enum(accessOutcomes.map((outcome) => outcome.toLowerCase())),
    reason: z
      .enum(accessReasons.map((reason) => reason.toLowerCase()))
      .nullable()
      .meta({ description: 'Why it was refused.' }),
    file: z.string().nullable().meta({ description: 'Null: the share as a whole.' }),
    address: z.string(),
    user_agent: z.string(),
    bytes: z.int(),
    charged: z.boolean().meta({ description: 'Whether it counts as a download.' }),
  })
  .meta({
    id: 'ShareAccess',
    description: 'Something that was done with a share. The same by the same visitor within an hour is one.',
    examples: [
      {
        id: exampleId,
        created_at: exampleTime,
        last_at: exampleTime,
        times: 1,
        kind: 'download',
        outcome: 'succeeded',
        reason: null,
        file: exampleId,
        address: '203.0.113.7',
        user_agent: 'Mozilla/5.0',
        bytes: 48213,
        charged: true,
      },
    ],
  });

const wireAccess = (row: ShareAccessRow) => ({
  id: row.id,
  created_at: wireTime(row.createdAt),
  last_at: wireTime(row.lastAt),
  times: row.times,
  kind: row.kind.toLowerCase(),
  outcome: row.outcome.toLowerCase(),
  reason: row.reason?.toLowerCase() ?? null,
  file: row.fileId,
  address: row.address,
  user_agent: row.userAgent,
  bytes: Number(row.bytes),
  charged: row.charged,
});

const { search: _, ...paged } = pageQuery('created_at');
const query = z.object({ ...paged, kind: z.enum(kinds).optional() });
type ListQuery = z.output<typeof query>;

/** `GET /documents/{id}/shares/{share}/accesses/`: what was done with a share, refused attempts too, and those after it was revoked. */
export const accessRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/documents/:id/shares/:share/accesses/',
    {
      schema: operation({
        id: 'listShareAccesses',
        summary: 'List Accesses of a Share',
        tag: 'Sharing',
        params: z.object({ id: z.string(), share: z.string() }),
        query,
        ok: { 200: pageOf(access) },
        errors: reading,
      }),
    },
    async ({ ctx, params, query }) => {
      const share = await getAnyShareOf(ctx, params.id, params.share);
      const found = await listAccessesByNumber(ctx, share.id, { filter: filterOf(query), ...numbered(query) });
      return envelope(found, query, wireAccess);
    },
  );
};

const filterOf = ({ kind, created_at_after, created_at_before }: ListQuery) => ({
  kind: accessKinds.find((known) => known.toLowerCase() === kind),
  createdAt: { from: created_at_after, to: created_at_before },
});
