import type { BaseLogger, Logger } from 'pino';
import type { Viewer } from './auth/viewer.js';
import type { BlobStores } from './blob/stores.js';
import type { PrismaClient } from './db/generated/client.js';
import type { Reader } from './db/read.js';
import type { Secrets } from './db/secrets.js';
import { type AnyClient, TenantDb } from './db/tenant.js';
import { unauthenticated } from './errors.js';
import type { Renderer } from './render/renderer.js';
import type { Scanner } from './scan/scanner.js';

/** Where a request writes what operators should know. */
export type Log = Pick<BaseLogger, 'debug' | 'info' | 'warn' | 'error'>;

/** What lives as long as the process. Made once by main or by a test. */
export interface Services {
  prisma: PrismaClient;
  /** For hand-written SELECTs outside of transactions. */
  reader: Reader;
  blobs: BlobStores;
  /** Makes pictures of files. */
  renderer: Renderer;
  secrets: Secrets;
  /** Null: files are not scanned. */
  scanner: Scanner | null;
  /** For signing links; the first signs, all verify. */
  linkKeys: Buffer[];
  log: Logger;
  now: () => Date;
  limits: Limits;
  /** Whether whoever may read a file is sent to its bucket for the bytes. */
  redirectDownloads: boolean;
  /** Whether addresses of clients are kept without their last part. */
  truncateAddresses: boolean;
}

export interface Limits {
  /** In bytes. */
  maxFileSize: number;
  /** Files in one request. */
  maxFiles: number;
  /** Uploads that a user may have open at once. */
  maxOpenUploads: number;
  /** How long an upload may stay open, in hours. */
  uploadHours: number;
  /** How long deleted documents and files are kept, in days. */
  retentionDays: number;
}

/** Who is at the other end of the line, as far as the line tells. */
export interface Client {
  /** IPv4 or IPv6, never IPv4 written as IPv6; empty when nobody asked (the sweeper). */
  address: string;
  /** As it came, cut to 300 characters; may be empty. */
  userAgent: string;
}

/** One request, first argument of every service function. */
export interface RequestContext {
  requestId: string;
  log: Log;
  /** Null before authentication and for outsiders who open a share. */
  viewer: Viewer | null;
  /** The database as the viewer's tenant sees it; throws UNAUTHENTICATED on use while there is no viewer. */
  db: TenantDb;
  services: Services;
  client: Client;
  /** What the answer should tell besides: seconds after which to try again. */
  hints: { retryAfter?: number };
  /** The address that this client reaches us by, without a trailing slash. */
  baseUrl: string;
  now: () => Date;
  /** The DataLoaders of this request, by definition; see loader.ts. */
  loaders: Map<object, unknown>;
}

interface ContextInit {
  requestId: string;
  viewer: Viewer | null;
  baseUrl: string;
  log?: Log;
  client?: Client;
}

const nobody: Client = { address: '', userAgent: '' };

export function createContext(services: Services, init: ContextInit): RequestContext {
  const { requestId, viewer, baseUrl } = init;
  return {
    requestId,
    viewer,
    log: init.log ?? services.log.child({ requestId }),
    services,
    client: init.client ?? nobody,
    hints: {},
    baseUrl,
    now: services.now,
    loaders: new Map(),
    db: viewer ? new TenantDb(services.prisma, viewer.tenantId, services.reader) : nobodysDb,
  };
}

/** Whatever is asked of it, it refuses; so it never has to be what the cast says. */
const nobodysDb = new Proxy({} as TenantDb, {
  get() {
    throw unauthenticated();
  },
});

/** Who acts; UNAUTHENTICATED when nobody does. */
export function viewerOf(ctx: RequestContext): Viewer {
  if (!ctx.viewer) throw unauthenticated();
  return ctx.viewer;
}

/** Runs a use case in one transaction: all of its writes, its audit event included, or none. */
export async function inTransaction<Result>(ctx: RequestContext, work: (ctx: RequestContext) => Promise<Result>): Promise<Result> {
  if (ctx.db.inTransaction) return work(ctx);
  try {
    return await ctx.services.prisma.$transaction((tx) => work(withDb(ctx, new TenantDb(tx, ctx.db.tenantId, null))));
  } finally {
    // What was loaded before the write must not be served after it.
    ctx.loaders.clear();
  }
}

/** The same for a use case whose statements are all written by hand: straight on the driver, at a third of the cost. */
export async function inPlainTransaction<Result>(ctx: RequestContext, work: (ctx: RequestContext) => Promise<Result>): Promise<Result> {
  if (ctx.db.inTransaction) return work(ctx);
  try {
    // The models that a client has besides are refused by TenantDb.
    return await ctx.services.reader.transaction((session) => work(withDb(ctx, new TenantDb(session as AnyClient, ctx.db.tenantId, null))));
  } finally {
    ctx.loaders.clear();
  }
}

/**
 * Acts for a tenant without one of its users: share tokens, sweepers, seeds. The only way round the viewer's own database;
 * whoever calls it has established by other means that the tenant is the right one.
 */
export function asTenant(ctx: RequestContext, tenantId: string): RequestContext {
  return withDb(ctx, new TenantDb(ctx.services.prisma, tenantId, ctx.services.reader));
}

/** All tenants' rows. For finding the tenant of a share token or a row to sweep, and for nothing else. */
export function asSystem(ctx: RequestContext): PrismaClient {
  return ctx.services.prisma;
}

const withDb = (ctx: RequestContext, db: TenantDb): RequestContext => ({
  requestId: ctx.requestId,
  viewer: ctx.viewer,
  log: ctx.log,
  services: ctx.services,
  client: ctx.client,
  hints: ctx.hints,
  baseUrl: ctx.baseUrl,
  now: ctx.now,
  loaders: new Map(),
  db,
});

const DAY = 24 * 60 * 60 * 1000;

/** What was deleted before this moment is kept no longer. */
export const retentionStart = (ctx: RequestContext): Date => new Date(ctx.now().getTime() - ctx.services.limits.retentionDays * DAY);
