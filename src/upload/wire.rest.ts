import { z } from 'zod';
import type { RequestContext } from '../context.js';
import { auditExample, exampleId, exampleTime, wireTime, wireTimeShape } from '../rest/wire.js';
import { countParts } from './parts.js';
import { listParts, nextRequests, type PartRequest, type UploadRow } from './upload.service.js';

const requestExample = {
  number: 1,
  offset: 0,
  size: 48213,
  method: 'PUT',
  url: `https://docs.example/uploads/${exampleId}/parts/1?token=…`,
  headers: {},
  expires_at: '2025-03-26T15:20:38.277000Z',
};

const partRequest = z
  .object({
    number: z.int().meta({ description: 'Which part, from 1.' }),
    offset: z.int().meta({ description: 'Where it begins in the file.' }),
    size: z.int().meta({ description: 'How many bytes it has, exactly.' }),
    method: z.string(),
    url: z.string(),
    headers: z.record(z.string(), z.string()),
    expires_at: wireTimeShape,
  })
  .meta({ id: 'PartRequest', description: 'The request that brings a part.', examples: [requestExample] });

export const signedParts = z.object({ requests: z.array(partRequest) });

/** How OpenAPI describes an upload. */
export const upload = z
  .object({
    id: z.string(),
    tenant_id: z.string(),
    created_by: z.string(),
    created_at: wireTimeShape,
    document: z.string(),
    name: z.string(),
    content_type: z.string(),
    size: z.int(),
    checksum: z.string().meta({ description: 'As announced; empty if it was not.' }),
    part_size: z.int(),
    part_count: z.int(),
    state: z.enum(['open', 'done', 'closed']),
    expires_at: wireTimeShape,
    file: z.string().nullable(),
    failure: z.string().nullable().meta({ description: 'Why its bytes were refused, if that is why it is closed.' }),
    parts: z.array(z.object({ number: z.int(), size: z.int() })).meta({ description: 'What has arrived.' }),
    requests: z.array(partRequest).meta({ description: 'What is still to come, at most 100.' }),
  })
  .meta({
    id: 'Upload',
    description: 'A file that comes in parts.',
    examples: [
      {
        id: exampleId,
        tenant_id: auditExample.tenant_id,
        created_by: auditExample.created_by,
        created_at: exampleTime,
        document: exampleId,
        name: 'passport.pdf',
        content_type: 'application/pdf',
        size: 48213,
        checksum: '',
        part_size: 8388608,
        part_count: 1,
        state: 'open',
        expires_at: '2025-03-27T14:20:38.277000Z',
        file: null,
        failure: null,
        parts: [],
        requests: [requestExample],
      },
    ],
  });

export const wireRequest = ({ expiresAt, ...request }: PartRequest) => ({ ...request, expires_at: wireTime(expiresAt) });

export const wireUpload = async (ctx: RequestContext, row: UploadRow) => ({
  id: row.id,
  tenant_id: row.tenantId,
  created_by: row.createdBy,
  created_at: wireTime(row.createdAt),
  document: row.documentId,
  name: row.name,
  content_type: row.declaredType,
  size: Number(row.size),
  checksum: row.sha256 && `sha256:${row.sha256}`,
  part_size: Number(row.partSize),
  part_count: countParts(row),
  state: row.state.toLowerCase(),
  expires_at: wireTime(row.expiresAt),
  file: row.fileId,
  failure: row.failure,
  parts: (await listParts(ctx, row)).map(({ number, size }) => ({ number, size })),
  requests: (await nextRequests(ctx, row)).map(wireRequest),
});
