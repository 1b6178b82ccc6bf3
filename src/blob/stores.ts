import { createHash } from 'node:crypto';
import { access, constants, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageProvider } from '../db/generated/client.js';
import { parseBucketConfig } from './bucket-config.js';
import { parseCredentials } from './credentials.js';
import type { HostGuard } from './hosts.js';
import { createLocalFsStore, prepareLocalFs } from './local-fs.js';
import type { BlobStore, RemoteStore } from './store.js';

/** Where a storage's bytes are, and the keys to them. */
export interface StoreAddress {
  tenantId: string;
  provider: StorageProvider;
  bucket: string;
  /** Decrypted; never logged, never shown. */
  credentials: Record<string, unknown>;
}

/** The stores behind storage rows. Each method throws StorageError. */
export interface BlobStores {
  /** Stores behind a network stay open, with their connections, as long as they are among those used last. */
  open(address: StoreAddress): Promise<BlobStore>;
  /** Makes a place ready once, when its storage is set up. */
  prepare(address: StoreAddress): Promise<void>;
  /**
   * Creates a bucket that Docgate manages and applies its configuration, or the difference to the one before.
   *
   * @throws ValidationError for what cannot be applied
   */
  provision(address: StoreAddress, config: object, before: object | null): Promise<void>;
  /** Whether the place of the default storages can be written. */
  checkDefault(): Promise<void>;
  /** Removes what killed processes left of unfinished uploads. */
  sweepTemporary(olderThanMs: number, onFailure: (reason: unknown) => void): Promise<void>;
}

/** How many stores behind a network are kept open. */
const MAX_OPEN = 500;

/**
 * @param dataDir local_fs storages live in `blobs/<tenant>/<bucket>` under it
 * @param hosts judges the endpoints that tenants name
 */
export async function createBlobStores(dataDir: string, hosts: HostGuard): Promise<BlobStores> {
  const root = join(dataDir, 'blobs');
  await mkdir(root, { recursive: true, mode: 0o700 });
  const folder = ({ tenantId, bucket }: StoreAddress) => join(root, tenantId, bucket);
  const remote = openStores((address) => openRemote(address, hosts), MAX_OPEN);
  const open: BlobStores['open'] = async (address) =>
    address.provider === 'LOCAL_FS' ? createLocalFsStore(folder(address)) : remote(address);
  return {
    open,
    prepare: async (address) => {
      if (address.provider === 'LOCAL_FS') await prepareLocalFs(folder(address));
      else await open(address);
    },
    provision: (address, config, before) => provision(address, config, before, hosts),
    checkDefault: () => access(root, constants.W_OK),
    sweepTemporary: (olderThanMs, onFailure) => sweepAll(root, olderThanMs, onFailure),
  };
}

/** The SDKs are large: each is loaded when the first storage of its kind is used. */
async function openRemote({ provider, bucket, credentials }: StoreAddress, hosts: HostGuard): Promise<RemoteStore> {
  if (provider === 'AWS_S3') return (await import('./s3.js')).createS3Store(bucket, parseCredentials(provider, credentials), { hosts });
  if (provider === 'AZURE_BLOB')
    return (await import('./azure.js')).createAzureStore(bucket, parseCredentials(provider, credentials), { hosts });
  if (provider === 'GCP_STORAGE')
    return (await import('./gcs.js')).createGcsStore(bucket, parseCredentials(provider, credentials), { hosts });
  throw new Error(`${provider} is not behind a network`);
}

async function provision({ provider, bucket, credentials }: StoreAddress, config: object, before: object | null, hosts: HostGuard) {
  if (provider === 'AWS_S3') {
    const wanted = { bucket, credentials: parseCredentials(provider, credentials), config: parseBucketConfig(provider, config) };
    const applied = before && parseBucketConfig(provider, before);
    return (await import('./s3-bucket.js')).provisionS3({ ...wanted, before: applied }, hosts);
  }
  if (provider === 'GCP_STORAGE') {
    const wanted = { bucket, credentials: parseCredentials(provider, credentials), config: parseBucketConfig(provider, config) };
    const applied = before && parseBucketConfig(provider, before);
    return (await import('./gcs-bucket.js')).provisionGcs({ ...wanted, before: applied }, hosts);
  }
  if (provider === 'AZURE_BLOB') {
    const wanted = { bucket, credentials: parseCredentials(provider, credentials), config: parseBucketConfig(provider, config) };
    const applied = before && parseBucketConfig(provider, before);
    return (await import('./azure-container.js')).provisionAzure({ ...wanted, before: applied }, hosts);
  }
  parseBucketConfig(provider, config);
}

/** Opens stores and keeps them, each under all that it was opened with; beyond `max` the one unused for longest is closed. */
export function openStores(open: (address: StoreAddress) => Promise<RemoteStore>, max: number) {
  const kept = new Map<string, Promise<RemoteStore>>();
  return (address: StoreAddress): Promise<RemoteStore> => {
    const key = digest(address);
    const store = kept.get(key) ?? open(address);
    kept.delete(key);
    kept.set(key, store);
    store.catch(() => kept.delete(key));
    for (const [oldest, unused] of kept) {
      if (kept.size <= max) break;
      kept.delete(oldest);
      unused.then(
        (evicted) => evicted.close(),
        () => undefined,
      );
    }
    return store;
  };
}

const digest = ({ tenantId, provider, bucket, credentials }: StoreAddress) =>
  createHash('sha256')
    .update(JSON.stringify([tenantId, provider, bucket, Object.entries(credentials).sort()]))
    .digest('base64');

/** One folder that cannot be swept must not keep the others from it. */
async function sweepAll(root: string, olderThanMs: number, onFailure: (reason: unknown) => void): Promise<void> {
  for (const tenant of await foldersOf(root)) {
    for (const bucket of await foldersOf(tenant)) await createLocalFsStore(bucket).sweepTemporary(olderThanMs).catch(onFailure);
  }
}

const foldersOf = async (path: string) =>
  (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
