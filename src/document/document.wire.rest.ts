import { z } from 'zod';
import { anyObject } from '../rest/operation.js';
import { audit, auditExample, auditShape, exampleId, exampleTime, wireTime, wireTimeShape } from '../rest/wire.js';
import type { DocumentRow } from './document.service.js';

export const statuses = ['pending', 'approved', 'rejected', 'inactive'] as const;

const fileExample = {
  id: exampleId,
  name: 'passport.pdf',
  content_type: 'application/pdf',
  size: 48213,
  checksum: 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  created_at: exampleTime,
  created_by: auditExample.created_by,
};

export const file = z
  .object({
    id: z.string(),
    name: z.string(),
    content_type: z.string(),
    size: z.int().meta({ description: 'In bytes.' }),
    checksum: z.string().meta({ description: '"sha256:" and 64 hexadecimal digits.' }),
    created_at: wireTimeShape,
    created_by: z.string(),
  })
  .meta({ id: 'File', description: 'A file of a document.', examples: [fileExample] });

export const document = z
  .object({
    ...auditShape,
    name: z.string(),
    description: z.string(),
    category: z.union([z.string(), anyObject]).nullable().meta({ description: 'Its id; the object with expand=category.' }),
    storage: z.union([z.string(), anyObject]).meta({ description: 'Its id; the object with expand=storage.' }),
    tags: z.array(z.string()),
    metadata: anyObject,
    status: z.enum(statuses),
    rejection_reason: z.string(),
    reviewed_by: z.string(),
    reviewed_at: wireTimeShape.nullable(),
    files: z.array(file),
  })
  .meta({
    id: 'Document',
    description: 'What is known of a document, its files and its review.',
    examples: [
      {
        ...auditExample,
        name: 'Passport',
        description: 'Of the applicant',
        category: exampleId,
        storage: exampleId,
        tags: ['kyc'],
        metadata: { country: 'IN' },
        status: 'pending',
        rejection_reason: '',
        reviewed_by: '',
        reviewed_at: null,
        files: [fileExample],
      },
    ],
  });

/** @param files in the wire's form */
export const wireDocument = (row: DocumentRow, files: object[]) => ({
  ...audit(row),
  name: row.name,
  description: row.description,
  category: row.categoryId as string | object | null,
  storage: row.storageId as string | object,
  tags: row.tags,
  metadata: row.metadata,
  status: row.status.toLowerCase(),
  rejection_reason: row.rejectionReason ?? '',
  reviewed_by: row.reviewedBy ?? '',
  reviewed_at: row.reviewedAt && wireTime(row.reviewedAt),
  files,
});

/** What a client says of a document, by the domain's names. */
export const domainNames = <Body extends { category?: string | null; storage?: string | null }>({ category, storage, ...body }: Body) => ({
  ...body,
  categoryId: category,
  storageId: storage,
});
