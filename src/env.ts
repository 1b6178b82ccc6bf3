import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { ClamdAddress } from './scan/clamd.js';
import type { ScannerConfig } from './scan/scanner.js';

const flag = z.enum(['true', 'false', '1', '0', 'on', 'off']).transform((v) => v === 'true' || v === '1' || v === 'on');

/** "500", "64KiB", "2GiB", "10MB": a number of bytes. */
const bytes = z
  .string()
  .regex(/^\d+\s*(?:[KMGT]i?B|B)?$/, 'a number of bytes, such as 1048576, 64KiB or 2GiB')
  .transform((text) => {
    const [, digits = '0', unit = ''] = /^(\d+)\s*([KMGT]?)/.exec(text) ?? [];
    const base = text.includes('i') || !unit ? 1024 : 1000;
    return Number(digits) * base ** ' KMGT'.indexOf(unit || ' ');
  })
  .pipe(z.number().int().positive().max(Number.MAX_SAFE_INTEGER));

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean),
);

/**
 * "10.0.0.0/8,::1": proxies at these addresses. Neither everyone nor a number of hops: whoever reaches us directly could
 * then choose an address.
 */
const proxies = z.union(
  [z.literal('off').transform(() => []), list.pipe(z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])).min(1))],
  {
    error: 'a comma list of addresses and CIDR ranges, such as 10.0.0.0/8,::1',
  },
);

/** base64 of 32 bytes, as `openssl rand -base64 32` prints it. */
const key = z.string().refine((text) => Buffer.from(text, 'base64').length === 32, 'base64 of exactly 32 bytes (openssl rand -base64 32)');

/** `tcp://host:port`, or `unix:/path` of a socket. */
const clamd = z
  .string()
  .regex(/^(tcp:\/\/[^/:]+:\d+|tcp:\/\/\[[0-9a-f:]+\]:\d+|unix:\/.+)$/i, 'tcp://host:port, or unix:/path of a socket')
  .transform((text): ClamdAddress => {
    if (text.startsWith('unix:')) return { path: text.replace(/^unix:(\/\/)?/, '') };
    const { hostname, port } = new URL(text);
    return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
  });

const variables = z.object({
  NODE_ENV: z.string().default('development'),
  PORT: z.coerce.number().int().min(0).max(65535).default(4000),
  HOST: z.string().min(1).default('127.0.0.1'),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  DATA_DIR: z.string().min(1).default('.data'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'a postgres:// address' }).optional(),
  CLUSTER: z
    .string()
    .regex(/^(auto|[1-9]|[1-5]\d|6[0-4])$/, 'a number from 1 to 64, or auto')
    .transform((text) => (text === 'auto' ? availableParallelism() : Number(text)))
    .default(1),
  DATABASE_POOL: z.coerce.number().int().min(1).max(1000).default(16),
  JWT_SECRET: z
    .string()
    .refine((text) => Buffer.byteLength(text) >= 32, 'at least 32 bytes')
    .optional(),
  JWT_PUBLIC_KEY: z.string().includes('BEGIN', { error: 'a public key in PEM format' }).optional(),
  JWT_JWKS_URL: z.url({ protocol: /^https?$/ }).optional(),
  JWT_ISSUER: z.string().min(1).default('docgate'),
  JWT_AUDIENCE: z.string().min(1).default('docgate'),
  SECRETS_KEYS: list.pipe(z.array(key).min(1)).optional(),
  CORS_ORIGINS: list.pipe(z.array(z.url({ protocol: /^https?$/, error: 'origins such as https://app.example.com' }))).default([]),
  STORAGE_HOSTS: list
    .pipe(
      z.array(z.string().regex(/^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](:\d{1,5})?$/, 'hosts such as minio.lan or 10.0.0.5:9000')),
    )
    .default([]),
  GRAPHIQL: flag.optional(),
  SEED: flag.optional(),
  PLAN: flag.default(true),
  TRUSTED_DOCUMENTS: z.string().min(1).optional(),
  TRUST_PROXY: proxies.default([]),
  PRIVACY_IP: z.enum(['full', 'truncate']).default('full'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  MAX_FILE_SIZE: bytes.default(5 * 1024 ** 3),
  DOWNLOAD_MODE: z.enum(['stream', 'redirect']).default('stream'),
  CLAMAV_URL: clamd.optional(),
  SCAN_POLICY: z.enum(['fail-closed', 'fail-open']).default('fail-closed'),
  SCAN_TIMEOUT: z.coerce.number().positive().default(300),
  PREVIEW_WORKERS: z.coerce.number().int().min(1).max(64).optional(),
  RETENTION_DAYS: z.coerce.number().min(0).default(30),
  IDLE_TIMEOUT: z.coerce.number().positive().max(86_400).default(120),
  SHUTDOWN_GRACE: z.coerce.number().min(0).default(20),
});

/** Which key checks bearer tokens. Exactly one kind: a key of one kind is never tried as another. */
export type JwtKey = { kind: 'secret'; secret: string } | { kind: 'publicKey'; pem: string } | { kind: 'jwks'; url: string };

/** All settings, checked. What production must be given is never guessed there. */
export interface Settings {
  production: boolean;
  port: number;
  host: string;
  /** The address that clients use, without a trailing slash; null: made from host and port. */
  publicUrl: string | null;
  dataDir: string;
  /** Null: the embedded PostgreSQL under dataDir. */
  databaseUrl: string | null;
  /** How many processes share the port. */
  processes: number;
  /** Connections to PostgreSQL, of each process. */
  databasePool: number;
  /** Null (never in production): a secret is generated into dataDir. */
  jwtKey: JwtKey | null;
  jwtIssuer: string;
  jwtAudience: string;
  /** 32-byte keys in base64, the current one first. Null (never in production): one is generated into dataDir. */
  secretsKeys: string[] | null;
  corsOrigins: string[];
  /** Hosts, or hosts and ports, where storages may be although they are private or have no TLS. */
  storageHosts: string[];
  graphiql: boolean;
  seed: boolean;
  /** Whether queries may be answered by one statement of their own instead of field by field. */
  plan: boolean;
  /** A manifest of the only operations that are answered; null: all are. */
  trustedDocuments: string | null;
  /** Addresses and CIDR ranges of the proxies that say the truth about clients. */
  trustProxy: string[];
  /** Whether addresses of clients are kept without their last part. */
  truncateAddresses: boolean;
  logLevel: string;
  /** In bytes. */
  maxFileSize: number;
  /** Whether whoever may read a file is sent to its bucket for the bytes. */
  redirectDownloads: boolean;
  /** Null: files are not scanned. */
  scanner: ScannerConfig | null;
  /** Processes that make previews, for each process that answers requests. */
  previewWorkers: number;
  /** How long deleted documents can be restored. */
  retentionDays: number;
  /** How long a client may pause in the middle of a body or an answer, in milliseconds. */
  idleTimeout: number;
  /** In seconds. */
  shutdownGrace: number;
}

/** A wrong environment: every problem at once, one line each. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  constructor(readonly problems: string[]) {
    super(`The environment is not usable:\n${problems.map((p) => `  ${p}`).join('\n')}`);
  }
}

/** The only reader of the environment. Empty variables count as unset. */
export function readSettings(env: Record<string, string | undefined> = process.env): Settings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = variables.safeParse(given);
  const problems = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  const keys = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'].filter((name) => given[name]);
  if (keys.length > 1) problems.push(`${keys.join(', ')}: set exactly one of them`);
  if (![undefined, '1'].includes(given.CLUSTER) && !given.DATABASE_URL)
    problems.push('CLUSTER: the embedded database belongs to one process; set DATABASE_URL, or leave CLUSTER out');
  if (given.NODE_ENV === 'production') {
    // Whoever sits on the way could hand us keys of their own.
    if (/^http:\/\/(?!localhost\b|127\.|\[::1\])/.test(given.JWT_JWKS_URL ?? '')) problems.push('JWT_JWKS_URL: production needs https');
    if (keys.length === 0) problems.push('JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL: production needs one of them');
    for (const name of ['DATABASE_URL', 'SECRETS_KEYS', 'JWT_ISSUER', 'JWT_AUDIENCE']) {
      if (!given[name]) problems.push(`${name}: production needs it`);
    }
  }
  if (!parsed.success || problems.length > 0) throw new SettingsError(problems);
  return toSettings(parsed.data);
}

function toSettings(v: z.infer<typeof variables>): Settings {
  const production = v.NODE_ENV === 'production';
  return {
    production,
    port: v.PORT,
    host: v.HOST,
    publicUrl: v.PUBLIC_URL?.replace(/\/+$/, '') ?? null,
    dataDir: resolve(v.DATA_DIR),
    databaseUrl: v.DATABASE_URL ?? null,
    processes: v.CLUSTER,
    databasePool: v.DATABASE_POOL,
    jwtKey: jwtKey(v),
    jwtIssuer: v.JWT_ISSUER,
    jwtAudience: v.JWT_AUDIENCE,
    secretsKeys: v.SECRETS_KEYS ?? null,
    corsOrigins: v.CORS_ORIGINS,
    storageHosts: v.STORAGE_HOSTS,
    graphiql: v.GRAPHIQL ?? !production,
    seed: v.SEED ?? !(production || v.DATABASE_URL),
    plan: v.PLAN,
    trustedDocuments: v.TRUSTED_DOCUMENTS ?? null,
    trustProxy: v.TRUST_PROXY,
    truncateAddresses: v.PRIVACY_IP === 'truncate',
    logLevel: v.LOG_LEVEL,
    maxFileSize: v.MAX_FILE_SIZE,
    redirectDownloads: v.DOWNLOAD_MODE === 'redirect',
    scanner: v.CLAMAV_URL ? { address: v.CLAMAV_URL, policy: v.SCAN_POLICY, timeout: v.SCAN_TIMEOUT * 1000 } : null,
    previewWorkers: v.PREVIEW_WORKERS ?? Math.max(1, Math.floor(availableParallelism() / 2 / v.CLUSTER)),
    retentionDays: v.RETENTION_DAYS,
    idleTimeout: v.IDLE_TIMEOUT * 1000,
    shutdownGrace: v.SHUTDOWN_GRACE,
  };
}

function jwtKey(v: z.infer<typeof variables>): JwtKey | null {
  if (v.JWT_SECRET) return { kind: 'secret', secret: v.JWT_SECRET };
  if (v.JWT_PUBLIC_KEY) return { kind: 'publicKey', pem: v.JWT_PUBLIC_KEY };
  if (v.JWT_JWKS_URL) return { kind: 'jwks', url: v.JWT_JWKS_URL };
  return null;
}
