import { access, constants, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageProvider } from '../db/generated/client.js';
import { StorageError } from '../errors.js';
import { createLocalFsStore, prepareLocalFs } from './local-fs.js';
import type { BlobStore } from './store.js';

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
  open(address: StoreAddress): Promise<BlobStore>;
  /** Makes a place ready once, when its storage is set up. */
  prepare(address: StoreAddress): Promise<void>;
  /** Whether the place of the default storages can be written. */
  checkDefault(): Promise<void>;
  /** Removes what killed processes left of unfinished uploads. */
  sweepTemporary(olderThanMs: number, onFailure: (reason: unknown) => void): Promise<void>;
}

/** @param dataDir local_fs storages live in `blobs/<tenant>/<bucket>` under it */
export async function createBlobStores(dataDir: string): Promise<BlobStores> {
  const root = join(dataDir, 'blobs');
  await mkdir(root, { recursive: true, mode: 0o700 });
  const folder = ({ tenantId, provider, bucket }: StoreAddress) => {
    if (provider !== 'LOCAL_FS') throw new StorageError('UNSUPPORTED', `This server cannot store in ${provider} yet. Use LOCAL_FS.`);
    return join(root, tenantId, bucket);
  };
  return {
    open: async (address) => createLocalFsStore(folder(address)),
    prepare: async (address) => prepareLocalFs(folder(address)),
    checkDefault: () => access(root, constants.W_OK),
    sweepTemporary: (olderThanMs, onFailure) => sweepAll(root, olderThanMs, onFailure),
  };
}

/** One folder that cannot be swept must not keep the others from it. */
async function sweepAll(root: string, olderThanMs: number, onFailure: (reason: unknown) => void): Promise<void> {
  for (const tenant of await foldersOf(root)) {
    for (const bucket of await foldersOf(tenant)) await createLocalFsStore(bucket).sweepTemporary(olderThanMs).catch(onFailure);
  }
}

const foldersOf = async (path: string) =>
  (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
