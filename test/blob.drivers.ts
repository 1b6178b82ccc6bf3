import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAzureStore } from '../src/blob/azure.js';
import { createHostGuard } from '../src/blob/hosts.js';
import { createLocalFsStore, prepareLocalFs } from '../src/blob/local-fs.js';
import { createS3Store } from '../src/blob/s3.js';
import type { BlobStore } from '../src/blob/store.js';
import { startAzurite } from './azurite.js';
import { makeBucket, type Radosgw, radosgw } from './radosgw.js';

/** Opens an empty store for one run of the contract. */
export interface Driver {
  name: string;
  open(): Promise<{ store: BlobStore; close(): Promise<void> }>;
}

const localFs: Driver = {
  name: 'local_fs',
  async open() {
    const root = await mkdtemp(join(tmpdir(), 'docgate-blobs-'));
    await prepareLocalFs(root);
    return { store: createLocalFsStore(root), close: () => rm(root, { recursive: true }) };
  },
};

const s3 = ({ host, admin }: Radosgw): Driver => ({
  name: 'aws_s3 (RADOS gateway)',
  async open() {
    // Pieces smaller than some objects of the suite, so that it copies both ways.
    const store = createS3Store(await makeBucket(), admin, { hosts: createHostGuard([host]), copyPiece: 5 * 1024 ** 2 });
    return { store, close: async () => store.close() };
  },
});

const azure: Driver = {
  name: 'azure_blob (Azurite)',
  async open() {
    const azurite = await startAzurite();
    const store = createAzureStore(await azurite.makeContainer(), azurite.credentials, { hosts: createHostGuard([azurite.host]) });
    return {
      store,
      async close() {
        store.close();
        await azurite.stop();
      },
    };
  },
};

/** Every driver that can run here: S3 needs the server of TEST_S3_ENDPOINT. */
export const drivers: Driver[] = [localFs, azure, ...(radosgw ? [s3(radosgw)] : [])];
