import { verify } from '@node-rs/argon2';
import { z } from 'zod';
import { signLink, verifyLink } from '../auth/links.js';
import { asSystem, asTenant, type RequestContext } from '../context.js';
import { Prisma, type Share as ShareRow } from '../db/generated/client.js';
import { isId } from '../db/id.js';
import { documentById } from '../document/document.loader.js';
import type { DocumentRow } from '../document/document.service.js';
import { ForbiddenError, notFound, PasswordRequiredError } from '../errors.js';
import { documentFiles } from '../file/file.relations.js';
import type { FileRow } from '../file/file.service.js';
import { shareGone, shareStatus } from './share.status.js';
import { isToken, tokenHash } from './share.token.js';

/** How long a password that was given opens the files of a share, in seconds. */
const GRANT_SECONDS = 15 * 60;
const grantClaims = z.object({ share: z.string() });

export interface OpenedShare {
  /** Acts for the share's tenant. */
  ctx: RequestContext;
  token: string;
  share: ShareRow;
  document: DocumentRow;
  files: FileRow[];
  /** Opens the files of a share with a password; null where none is needed. */
  grant: string | null;
}

/**
 * What whoever holds the token sees: no viewer is needed. Judged anew on each call.
 * NOT_FOUND for an unknown token, GONE for a dead one, PASSWORD_REQUIRED without the right password.
 */
export async function previewShare(ctx: RequestContext, token: string, password?: string | null): Promise<OpenedShare> {
  const { tenant, share, document } = await liveShare(ctx, token);
  const grant = share.passwordHash === null ? null : await checkPassword(ctx, share, share.passwordHash, password);
  const files = (await documentFiles.load(tenant).load(document.id)) ?? [];
  return { ctx: tenant, token, share, document, files: files.filter((file) => file.state === 'READY'), grant };
}

/** One file of a share, for its download. Does not count it; see `chargeDownload`. */
export async function openSharedFile(ctx: RequestContext, token: string, fileId: string, grant?: string) {
  const { tenant, share, document } = await liveShare(ctx, token);
  if (share.passwordHash !== null) requireGrant(ctx, share, grant);
  if (!share.allowDownload) throw new ForbiddenError('FORBIDDEN', 'This link shows the document but does not allow to download it.');
  const files = isId(fileId) ? await documentFiles.load(tenant).load(document.id) : null;
  const file = files?.find((candidate) => candidate.id === fileId && candidate.state === 'READY');
  if (!file) throw notFound('File');
  return { ctx: tenant, share, file };
}

/** Takes one download from the budget, or says why there is none: one conditional statement, exact however many ask at once. */
export async function chargeDownload(ctx: RequestContext, share: ShareRow): Promise<void> {
  const charged = await ctx.db.execute(Prisma.sql`
    UPDATE shares h SET download_count = download_count + 1
     WHERE ${ctx.db.owns('h')} AND h.id = ${share.id} AND h.revoked_at IS NULL AND h.expires_at > ${ctx.now()}
       AND (h.max_downloads IS NULL OR h.download_count < h.max_downloads)`);
  if (charged === 0) throw shareGone('USED_UP');
}

async function liveShare(ctx: RequestContext, token: string) {
  const share = isToken(token) ? await asSystem(ctx).share.findUnique({ where: { tokenHash: tokenHash(token) } }) : null;
  if (!share) throw notFound('Share');
  const tenant = asTenant(ctx, share.tenantId);
  const document = await documentById(tenant).load(share.documentId);
  const status = shareStatus(share, document, ctx.now());
  if (status !== 'ACTIVE') throw shareGone(status);
  if (!document) throw shareGone('DOCUMENT_UNAVAILABLE');
  return { tenant, share, document };
}

async function checkPassword(ctx: RequestContext, share: ShareRow, expected: string, password: string | null | undefined): Promise<string> {
  const right = password != null && (await verify(expected, password));
  if (!right) throw passwordRequired(password == null);
  return signLink(ctx.services.linkKeys, 'share password', { share: share.id }, GRANT_SECONDS);
}

function requireGrant(ctx: RequestContext, share: ShareRow, grant: string | undefined): void {
  const claims = grant === undefined ? null : verifyLink(ctx.services.linkKeys, 'share password', grantClaims, grant);
  if (claims?.share !== share.id) throw passwordRequired(true);
}

const passwordRequired = (missing: boolean) =>
  new PasswordRequiredError('PASSWORD_REQUIRED', missing ? 'This link needs its password.' : 'The password is wrong.');

/** Where a file of an opened share is downloaded. Nothing in it outlives the share: it is judged again on each use. */
export function sharedFileUrl({ ctx, token, grant }: OpenedShare, file: FileRow): string {
  const path = `${ctx.baseUrl}/s/${token}/files/${file.id}`;
  return grant === null ? path : `${path}?grant=${grant}`;
}
