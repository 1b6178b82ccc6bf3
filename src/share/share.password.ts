import { createHash } from 'node:crypto';
import { verify } from '@node-rs/argon2';
import { z } from 'zod';
import { signLink, verifyLink } from '../auth/links.js';
import type { RequestContext } from '../context.js';
import type { Share as ShareRow } from '../db/generated/client.js';
import { PasswordRequiredError } from '../errors.js';

/** How long a password that was given opens the files of a share, in seconds. */
export const GRANT_SECONDS = 60 * 60;
const grantClaims = z.object({ share: z.string(), password: z.string() });

interface Key {
  password?: string | null;
  grant?: string | null;
}

/** The grant that opens a share's files, for its password or for a grant; null for a share without a password. */
export async function unlock(ctx: RequestContext, share: ShareRow, { password, grant }: Key): Promise<string | null> {
  if (share.passwordHash === null) return null;
  if (password == null) return requireGrant(ctx, share, grant);
  if (!(await verify(share.passwordHash, password))) throw new PasswordRequiredError('PASSWORD_REQUIRED', 'The password is wrong.');
  return signLink(ctx.services.linkKeys, 'share password', { share: share.id, password: digest(share.passwordHash) }, GRANT_SECONDS);
}

/** The grant itself, where the share needs one. A new password ends the grants of the old one. */
export function requireGrant(ctx: RequestContext, share: ShareRow, grant: string | null | undefined): string | null {
  if (share.passwordHash === null) return null;
  const claims = grant ? verifyLink(ctx.services.linkKeys, 'share password', grantClaims, grant) : null;
  if (!grant || claims?.share !== share.id || claims.password !== digest(share.passwordHash)) {
    throw new PasswordRequiredError('PASSWORD_REQUIRED', 'This link needs its password.');
  }
  return grant;
}

const digest = (passwordHash: string) => createHash('sha256').update(passwordHash).digest('base64url');
