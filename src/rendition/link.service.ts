import { signLink } from '../auth/links.js';
import { authorize } from '../auth/policy.js';
import type { RequestContext } from '../context.js';
import { notFound } from '../errors.js';
import { fileClaims, findLinked } from '../file/download.service.js';
import { canReadFiles } from '../file/file.policy.js';
import { type FileRow, getFile } from '../file/file.service.js';
import { parseInput } from '../input.js';
import { formatOf } from './preview.kind.js';
import { previewInput } from './rendition.input.js';
import { type PreviewRequest, pageCountOf } from './rendition.service.js';

/** How long a link to a preview works, in seconds. */
const SECONDS = 300;

/** A link to a picture that works without a bearer token for five minutes; null for files that have none. */
export function previewLink(ctx: RequestContext, file: FileRow, input: PreviewRequest): string | null {
  authorize(ctx, canReadFiles);
  const { page, width } = parseInput(previewInput, input);
  if (!formatOf(file) || file.state !== 'READY') return null;
  const token = signLink(ctx.services.linkKeys, 'preview', { tenant: file.tenantId, file: file.id }, SECONDS);
  return `${ctx.baseUrl}/files/${file.id}/preview?page=${page}&width=${width}&token=${token}`;
}

/** The file whose preview a request may have: by the link's signature if there is one, by the viewer's right otherwise. */
export async function findPreview(ctx: RequestContext, id: string, link?: string): Promise<{ ctx: RequestContext; file: FileRow }> {
  const found = link === undefined ? { ctx, file: await getFile(ctx, id) } : await findLinked(ctx, id, 'preview', fileClaims, link);
  if (found.file.state !== 'READY') throw notFound('File');
  return found;
}

/** How many pages a file has, for its tenant's users; see `pageCountOf`. */
export async function countPages(ctx: RequestContext, file: FileRow): Promise<number | null> {
  authorize(ctx, canReadFiles);
  return pageCountOf(ctx, file);
}
