import { createHash, randomUUID } from 'node:crypto';
import type { RequestContext } from '../context.js';
import type { Share as ShareRow } from '../db/generated/client.js';

const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** 122 random bits, as a UUID. */
export const newToken = (): string => randomUUID();

export const isToken = (text: string): boolean => shape.test(text);

/** What the table is searched by. The token has too many random bits to be guessed from it. */
export const tokenHash = (token: string) => new Uint8Array(createHash('sha256').update(token).digest());

export const sealToken = (ctx: RequestContext, id: string, token: string) =>
  ctx.services.secrets.seal(token, { table: 'shares', tenantId: ctx.db.tenantId, id });

/** The token as its owner may see it again. */
export const openToken = (ctx: RequestContext, { id, tenantId, token }: ShareRow): string =>
  ctx.services.secrets.open(token, { table: 'shares', tenantId, id });
