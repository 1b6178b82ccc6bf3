import { createHash } from 'node:crypto';
import { verify } from '@node-rs/argon2';
import pLimit from 'p-limit';
import { z } from 'zod';
import { signLink, verifyLink } from '../auth/links.js';
import type { RequestContext } from '../context.js';
import type { Share as ShareRow } from '../db/generated/client.js';
import { PasswordRequiredError } from '../errors.js';
import { countAttempt, forgiveAttempt, tooManyAttempts } from './share.limiter.js';

/** How long a password that was given opens the files of a share, in seconds. */
export const GRANT_SECONDS = 60 * 60;
const grantClaims = z.object({ share: z.string(), password: z.string() });

/** What opens a share with a password: the password, or the grant that was given for it. */
export interface Key {
  password?: string | null;
  grant?: string | null;
}

/** Passwords are made to be slow to check: however many come at once, they leave the process time for others. */
const checking = pLimit(2);
const MAX_WAITING = 32;

/**
 * The grant that opens a share's files, for its password or for a grant; null for a share without a password.
 *
 * @param ctx acts for the share's tenant
 */
export async function unlock(ctx: RequestContext, share: ShareRow, { password, grant }: Key): Promise<string | null> {
  if (share.passwordHash === null) return null;
  if (password == null) return requireGrant(ctx, share, grant);
  await countAttempt(ctx, share);
  if (!(await matches(ctx, share.passwordHash, password))) {
    throw new PasswordRequiredError('PASSWORD_REQUIRED', 'The password is wrong.');
  }
  await forgiveAttempt(ctx, share);
  return signLink(ctx.services.linkKeys, 'share password', { share: share.id, password: digest(share.passwordHash) }, GRANT_SECONDS);
}

function matches(ctx: RequestContext, passwordHash: string, password: string): Promise<boolean> {
  if (checking.pendingCount >= MAX_WAITING) throw tooManyAttempts(ctx, 1);
  return checking(() => verify(passwordHash, password));
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
