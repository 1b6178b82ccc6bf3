import { asSystem, asTenant, type RequestContext } from '../context.js';
import { Prisma, type Share as ShareRow } from '../db/generated/client.js';
import { documentById } from '../document/document.loader.js';
import type { DocumentRow } from '../document/document.service.js';
import { ForbiddenError, notFound } from '../errors.js';
import { files } from '../file/file.loader.js';
import type { FileRow } from '../file/file.service.js';
import { previewKind } from '../rendition/preview.kind.js';
import { shares } from './share.loader.js';
import { requireGrant, unlock } from './share.password.js';
import { shareGone, shareStatus } from './share.status.js';
import { isToken, tokenHash } from './share.token.js';

/** What opens a share with a password: the password, or the grant that was given for it. */
export interface Key {
  password?: string | null;
  grant?: string | null;
}

/** A share that somebody came for, with all that judges it. */
interface Visit {
  /** Acts for the share's tenant. */
  ctx: RequestContext;
  token: string;
  share: ShareRow;
  document: DocumentRow;
}

export interface OpenedShare extends Visit {
  /** Those that it shows. */
  files: FileRow[];
  /** Opens the files of a share with a password, for an hour; null where none is needed. */
  grant: string | null;
}

export interface SharedFile extends Visit {
  file: FileRow;
}

/**
 * What whoever holds the token sees: no viewer is needed. Judged anew on each call. NOT_FOUND for an unknown token,
 * GONE for a dead one, NOT_YET before its time, PASSWORD_REQUIRED without the right password or grant.
 */
export async function previewShare(ctx: RequestContext, token: string, key: Key = {}): Promise<OpenedShare> {
  const visit = await openVisit(ctx, token);
  const grant = await unlock(ctx, visit.share, key);
  return { ...visit, files: await shownFiles(visit), grant };
}

/** One file of a share as a rendered preview: free, also where downloads are not allowed. */
export async function openSharedPreview(ctx: RequestContext, token: string, fileId: string, grant?: string | null): Promise<SharedFile> {
  const visit = await openVisit(ctx, token);
  requireGrant(ctx, visit.share, grant);
  return { ...visit, file: await shownFile(visit, fileId) };
}

/** One file of a share, for its download. Does not count it; see `chargeDownload`. */
export async function openSharedFile(ctx: RequestContext, token: string, fileId: string, grant?: string | null): Promise<SharedFile> {
  const visit = await openVisit(ctx, token);
  requireDownload(ctx, visit.share, grant);
  return { ...visit, file: await shownFile(visit, fileId) };
}

/** All files of a share, for one download of them as a zip. Does not count it; see `chargeDownload`. */
export async function openSharedZip(ctx: RequestContext, token: string, grant?: string | null): Promise<OpenedShare> {
  const visit = await openVisit(ctx, token);
  requireDownload(ctx, visit.share, grant);
  return { ...visit, files: await shownFiles(visit), grant: grant ?? null };
}

/** Takes one download from the budget, or says why there is none: one conditional statement, exact however many ask at once. */
export async function chargeDownload(ctx: RequestContext, share: ShareRow): Promise<void> {
  const charged = await ctx.db.execute(Prisma.sql`
    UPDATE shares h SET download_count = download_count + 1
     WHERE ${ctx.db.owns('h')} AND h.id = ${share.id} AND h.revoked_at IS NULL AND h.expires_at > clock_timestamp()
       AND (h.max_downloads IS NULL OR h.download_count < h.max_downloads)`);
  if (charged === 0) throw shareGone('USED_UP');
}

async function openVisit(ctx: RequestContext, token: string): Promise<Visit> {
  const found = isToken(token) ? await findShare(ctx, token) : null;
  if (!found) throw notFound('Share');
  const { askedAt, ...share } = found;
  const tenant = asTenant(ctx, share.tenantId);
  const document = await documentById(tenant).load(share.documentId);
  const status = shareStatus(share, document, askedAt);
  if (status !== 'ACTIVE') throw shareGone(status, status === 'NOT_YET' ? share.notBefore : null);
  if (!document) throw shareGone('DOCUMENT_UNAVAILABLE');
  return { ctx: tenant, token, share, document };
}

/** The share of a token, and the time by the database's clock: the one clock that all copies of the service have in common. */
async function findShare(ctx: RequestContext, token: string): Promise<(ShareRow & { askedAt: Date }) | undefined> {
  const [row] = await asSystem(ctx).$queryRaw<(ShareRow & { askedAt: Date })[]>(
    Prisma.sql`SELECT ${shares.columns}, clock_timestamp() AS "askedAt" FROM ${shares.from} WHERE h.token_hash = ${tokenHash(token)}`,
  );
  return row;
}

function requireDownload(ctx: RequestContext, share: ShareRow, grant: string | null | undefined): void {
  requireGrant(ctx, share, grant);
  if (!share.allowDownload) throw new ForbiddenError('FORBIDDEN', 'This link shows the document but does not allow to download it.');
}

/** The files of a share, those among them too that were removed or are in quarantine. */
function filesOf({ ctx, share }: Visit): Promise<FileRow[]> {
  const selection = share.fileIds.length === 0 ? Prisma.sql`true` : Prisma.sql`f.id = ANY(${share.fileIds}::text[])`;
  return ctx.db.query<FileRow>(Prisma.sql`
    SELECT ${files.columns} FROM ${files.from}
     WHERE ${ctx.db.owns('f')} AND f.document_id = ${share.documentId} AND f.state <> 'UPLOADING' AND ${selection} ORDER BY f.id`);
}

/** What a share shows now. FILE_UNAVAILABLE once nothing is left of what it showed. */
async function shownFiles(visit: Visit): Promise<FileRow[]> {
  const all = await filesOf(visit);
  const shown = all.filter((file) => file.state === 'READY');
  const hadFiles = all.length > 0 || visit.share.fileIds.length > 0;
  if (shown.length === 0 && hadFiles) throw shareGone('FILE_UNAVAILABLE');
  return shown;
}

/** NOT_FOUND for what the share never showed, FILE_UNAVAILABLE for what it shows no more. */
async function shownFile(visit: Visit, fileId: string): Promise<FileRow> {
  const file = (await filesOf(visit)).find(({ id }) => id === fileId);
  if (!file) throw notFound('File');
  if (file.state !== 'READY') throw shareGone('FILE_UNAVAILABLE');
  return file;
}

/** Where the pictures of a file of an opened share are; null for what is not drawn. Takes `page` and `width` too. */
export function sharedPreviewUrl({ ctx, token, grant }: OpenedShare, file: FileRow): string | null {
  const kind = previewKind(file);
  if (kind !== 'pages' && kind !== 'image') return null;
  const path = `${ctx.baseUrl}/s/${token}/files/${file.id}/preview`;
  return grant === null ? path : `${path}?grant=${grant}`;
}

/** Where a file of an opened share is downloaded. Nothing in it outlives the share: it is judged again on each use. */
export function sharedFileUrl({ ctx, token, grant }: OpenedShare, file: FileRow): string {
  const path = `${ctx.baseUrl}/s/${token}/files/${file.id}`;
  return grant === null ? path : `${path}?grant=${grant}`;
}
