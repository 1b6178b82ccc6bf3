import { asSystem, asTenant, type RequestContext } from '../context.js';
import { Prisma, type Share as ShareRow } from '../db/generated/client.js';
import { isId } from '../db/id.js';
import { documentById } from '../document/document.loader.js';
import type { DocumentRow } from '../document/document.service.js';
import { ForbiddenError, notFound } from '../errors.js';
import { files } from '../file/file.loader.js';
import type { FileRow } from '../file/file.service.js';
import { previewKind } from '../rendition/preview.kind.js';
import { recordAccess, watchRefusals } from './access.service.js';
import { shares } from './share.loader.js';
import { type Key, requireGrant, unlock } from './share.password.js';
import { shareGone, shareStatus } from './share.status.js';
import { isToken, tokenHash } from './share.token.js';
import { isPreviewBot } from './share.visitor.js';
import { mayContinue, startTransfer, type Transfer } from './transfer.service.js';

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
  const found = await findShare(ctx, token);
  const kind = found.share.passwordHash !== null && key.password != null ? 'PASSWORD' : 'OPEN';
  return watchRefusals(found.ctx, found.share, { kind }, async () => {
    const visit = await judge(found);
    const grant = await unlock(visit.ctx, visit.share, key);
    const files = await shownFiles(visit);
    if (kind === 'PASSWORD') await recordAccess(visit.ctx, visit.share, { kind });
    await recordAccess(visit.ctx, visit.share, { kind: 'OPEN' });
    return { ...visit, files, grant };
  });
}

/** One file of a share as a rendered preview: free, also where downloads are not allowed. */
export async function openSharedPreview(ctx: RequestContext, token: string, fileId: string, grant?: string | null): Promise<SharedFile> {
  const found = await findShare(ctx, token);
  const access = { kind: 'PREVIEW' as const, fileId: isId(fileId) ? fileId : null };
  return watchRefusals(found.ctx, found.share, access, async () => {
    const visit = await judge(found);
    requireGrant(ctx, visit.share, grant);
    const file = await shownFile(visit, fileId);
    await recordAccess(visit.ctx, visit.share, access);
    return { ...visit, file };
  });
}

/** One file of a share, for its download. Does not count it; see `transferFile`. */
export async function openSharedFile(ctx: RequestContext, token: string, fileId: string, grant?: string | null): Promise<SharedFile> {
  const found = await findShare(ctx, token);
  const access = { kind: 'DOWNLOAD' as const, fileId: isId(fileId) ? fileId : null };
  return watchRefusals(found.ctx, found.share, access, async () => {
    const visit = await judge(found, isId(fileId) ? fileId : null);
    requireDownload(ctx, visit.share, grant);
    return { ...visit, file: await shownFile(visit, fileId) };
  });
}

/** All files of a share, for one download of them as a zip. Does not count it; see `transferZip`. */
export async function openSharedZip(ctx: RequestContext, token: string, grant?: string | null): Promise<OpenedShare> {
  const found = await findShare(ctx, token);
  return watchRefusals(found.ctx, found.share, { kind: 'ZIP' }, async () => {
    const visit = await judge(found);
    requireDownload(ctx, visit.share, grant);
    return { ...visit, files: await shownFiles(visit), grant: grant ?? null };
  });
}

/** Charges a download of a file as its first byte is due. @param length of what is asked for, in bytes */
export function transferFile({ ctx, token, share, file }: SharedFile, length: number): Promise<Transfer> {
  return transfer(token, { ctx, share, file, size: Number(file.size), length });
}

/** The same for a zip of all files: one download. */
export function transferZip({ ctx, token, share, files }: OpenedShare): Promise<Transfer> {
  const size = files.reduce((sum, file) => sum + Number(file.size), 0);
  return transfer(token, { ctx, share, file: null, size, length: size });
}

async function transfer(token: string, due: Parameters<typeof startTransfer>[0]): Promise<Transfer> {
  const started = await startTransfer(due);
  if (started) return started;
  return watchRefusals(due.ctx, due.share, { kind: due.file ? 'DOWNLOAD' : 'ZIP', fileId: due.file?.id ?? null }, async () => {
    // It was open a moment ago: what has changed since says why.
    await judge(await findShare(due.ctx, token));
    throw shareGone('USED_UP');
  });
}

/** A share that does not open says why. @param fileId of which a visitor may fetch the rest, although the share is used up */
async function judge({ ctx, token, share, askedAt }: Found, fileId: string | null = null): Promise<Visit> {
  const document = await documentById(ctx).load(share.documentId);
  const status = shareStatus(share, document, askedAt);
  const open = status === 'ACTIVE' || (status === 'USED_UP' && fileId !== null && (await mayContinue(ctx, share, fileId)));
  if (status !== 'ACTIVE' && !open) throw shareGone(status, status === 'NOT_YET' ? share.notBefore : null);
  if (!document) throw shareGone('DOCUMENT_UNAVAILABLE');
  return { ctx, token, share, document };
}

interface Found {
  ctx: RequestContext;
  token: string;
  share: ShareRow;
  askedAt: Date;
}

/** The share of a token, and the time by the database's clock: the one clock that all copies of the service have in common. */
async function findShare(ctx: RequestContext, token: string): Promise<Found> {
  const [row] = isToken(token)
    ? await asSystem(ctx).$queryRaw<(ShareRow & { askedAt: Date })[]>(
        Prisma.sql`SELECT ${shares.columns}, clock_timestamp() AS "askedAt" FROM ${shares.from} WHERE h.token_hash = ${tokenHash(token)}`,
      )
    : [];
  if (!row) throw notFound('Share');
  const { askedAt, ...share } = row;
  return { ctx: asTenant(ctx, share.tenantId), token, share, askedAt };
}

function requireDownload(ctx: RequestContext, share: ShareRow, grant: string | null | undefined): void {
  requireGrant(ctx, share, grant);
  if (isPreviewBot(ctx))
    throw new ForbiddenError('FORBIDDEN', 'Link previews are shown the page, not the files. Open the link in a browser.');
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
