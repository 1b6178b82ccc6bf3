import { join } from 'node:path';
import type { DestinationStream, Logger } from 'pino';
import { createApp } from './app.js';
import { createAuthenticator } from './auth/authenticate.js';
import { createHostGuard } from './blob/hosts.js';
import { createBlobStores } from './blob/stores.js';
import type { Services } from './context.js';
import { type Database, openDatabase, pingDatabase } from './db/client.js';
import { createReader } from './db/read.js';
import { Secrets, signingKeys } from './db/secrets.js';
import type { Settings } from './env.js';
import { readTrustedDocuments } from './graphql/trusted.js';
import type { GraphiqlTabs } from './graphql/yoga.js';
import { generatedKeys } from './keys.js';
import { createLogger } from './log.js';
import { createRenderer } from './render/renderer.js';
import { createScanner } from './scan/scanner.js';

const MAX_FILES = 20;
const MAX_OPEN_UPLOADS = 100;
const UPLOAD_HOURS = 24;

/** Everything that a process runs, before it listens. */
export interface Gateway {
  settings: Settings;
  services: Services;
  database: Database;
  /** The secret that signs demo tokens; null when tokens come from elsewhere. */
  jwtSecret: string | null;
  log: Logger;
}

/**
 * Opens the database, the stores and the keys of these settings. Generated keys take the place of those that are not given.
 *
 * @param logTo where the log goes, by default to standard output
 * @param marks what every line of the log carries
 */
export async function openGateway(settings: Settings, logTo?: DestinationStream, marks: object = {}): Promise<Gateway> {
  const log = createLogger(settings.logLevel, logTo).child(marks);
  const keys = settings.jwtKey && settings.secretsKeys ? null : await generatedKeys(settings.dataDir);
  const secretsKeys = settings.secretsKeys ?? [keys?.secretsKey ?? ''];
  const database = await openDatabase(settings, log);
  try {
    const services: Services = {
      prisma: database.prisma,
      reader: createReader(database.pool, database.prepares),
      blobs: await createBlobStores(settings.dataDir, createHostGuard(settings.storageHosts)),
      renderer: await createRenderer({
        folder: join(settings.dataDir, 'render'),
        workers: settings.previewWorkers,
        onOutput: (text) => log.warn({ text }, 'a library that renders printed something'),
      }),
      secrets: new Secrets(secretsKeys),
      scanner:
        settings.scanner && createScanner(settings.scanner, (err) => log.error({ err }, 'the virus scanner cannot vouch for a file')),
      linkKeys: signingKeys(secretsKeys),
      log,
      now: () => new Date(),
      limits: {
        maxFileSize: settings.maxFileSize,
        maxFiles: MAX_FILES,
        maxOpenUploads: MAX_OPEN_UPLOADS,
        uploadHours: UPLOAD_HOURS,
        retentionDays: settings.retentionDays,
      },
      redirectDownloads: settings.redirectDownloads,
      truncateAddresses: settings.truncateAddresses,
    };
    const jwtSecret =
      settings.jwtKey === null ? (keys?.jwtSecret ?? null) : settings.jwtKey.kind === 'secret' ? settings.jwtKey.secret : null;
    return { settings, services, database, jwtSecret, log };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** The HTTP application over an opened gateway. */
export function appOf({ settings, services, database, jwtSecret, log }: Gateway, graphiql: GraphiqlTabs | null) {
  const key = settings.jwtKey ?? { kind: 'secret' as const, secret: jwtSecret ?? '' };
  return createApp({
    services,
    authenticate: createAuthenticator({
      key,
      issuer: settings.jwtIssuer,
      audience: settings.jwtAudience,
      onJwksFailure: (err) => log.warn({ err }, 'the JWKS cannot be fetched'),
    }),
    publicUrl: settings.publicUrl,
    graphiql: settings.graphiql ? graphiql : null,
    plan: settings.plan,
    trusted: settings.trustedDocuments === null ? null : readTrustedDocuments(settings.trustedDocuments),
    trustProxy: settings.trustProxy,
    idleTimeout: settings.idleTimeout,
    corsOrigins: settings.corsOrigins,
    checks: { database: () => pingDatabase(database.pool), storage: () => services.blobs.checkDefault() },
  });
}
