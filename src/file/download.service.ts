import { z } from 'zod';
import { type LinkPurpose, signLink, verifyLink } from '../auth/links.js';
import { authorize } from '../auth/policy.js';
import { asTenant, type RequestContext } from '../context.js';
import { isId } from '../db/id.js';
import { type DocumentRow, getDocument } from '../document/document.service.js';
import { invalid, notFound } from '../errors.js';
import { fileById } from './file.loader.js';
import { canReadFiles } from './file.policy.js';
import { type FileRow, getFile, listFiles } from './file.service.js';

export type Disposition = 'inline' | 'attachment';

const DEFAULT_SECONDS = 300;
const MAX_SECONDS = 3600;

/** What a link to a file says at least. */
export const fileClaims = z.object({ tenant: z.string(), file: z.string() });
type FileClaims = z.output<typeof fileClaims>;
const downloadClaims = fileClaims.extend({ disposition: z.enum(['inline', 'attachment']) });

export interface Download {
  /** Acts for the file's tenant. */
  ctx: RequestContext;
  file: FileRow;
  disposition: Disposition;
}

/**
 * A link to a file's bytes that works without a bearer token, in an `<a href>`, until it expires.
 *
 * @param expiresIn in seconds, 1 to 3600, by default 300
 */
export function downloadLink(ctx: RequestContext, file: FileRow, expiresIn?: number | null, disposition?: Disposition | null): string {
  authorize(ctx, canReadFiles);
  const seconds = expiresIn ?? DEFAULT_SECONDS;
  if (seconds < 1 || seconds > MAX_SECONDS) throw invalid('expiresIn', `must be 1 to ${MAX_SECONDS} seconds`);
  const claims = { tenant: file.tenantId, file: file.id, disposition: disposition ?? 'attachment' };
  return `${ctx.baseUrl}/files/${file.id}?token=${signLink(ctx.services.linkKeys, 'download', claims, seconds)}`;
}

/** The file that a request may have: by the link's signature if there is one, by the viewer's right otherwise. */
export async function findDownload(ctx: RequestContext, id: string, link?: string, disposition?: Disposition): Promise<Download> {
  if (link === undefined) return { ctx, file: await getFile(ctx, id), disposition: disposition ?? 'attachment' };
  const { claims, ...found } = await findLinked(ctx, id, 'download', downloadClaims, link);
  return { ...found, disposition: claims.disposition };
}

/** The file that a signed link is for, and its tenant's context. NOT_FOUND for a link of another purpose or file. */
export async function findLinked<Claims extends FileClaims>(
  ctx: RequestContext,
  id: string,
  purpose: LinkPurpose,
  schema: z.ZodType<Claims>,
  link: string,
) {
  const claims = verifyLink(ctx.services.linkKeys, purpose, schema, link);
  if (claims?.file !== id || !isId(id)) throw notFound('File');
  const tenant = asTenant(ctx, claims.tenant);
  const file = await fileById(tenant).load(id);
  if (!file) throw notFound('File');
  return { ctx: tenant, file, claims };
}

/**
 * A document with its files that can be read, in the order of their upload, or with just the one that is asked for.
 * NOT_FOUND without the document or that file.
 */
export async function findReadableFiles(
  ctx: RequestContext,
  documentId: string,
  fileId?: string,
): Promise<{ document: DocumentRow; files: FileRow[] }> {
  const document = await getDocument(ctx, documentId);
  const files = (await listFiles(ctx, documentId)).filter((file) => file.state === 'READY');
  if (fileId === undefined) return { document, files };
  const file = files.find(({ id }) => id === fileId);
  if (!file) throw notFound('File');
  return { document, files: [file] };
}
