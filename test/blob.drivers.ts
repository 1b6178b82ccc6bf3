import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAzureStore } from '../src/blob/azure.js';
import { createGcsStore } from '../src/blob/gcs.js';
import { createHostGuard } from '../src/blob/hosts.js';
import { createLocalFsStore, prepareLocalFs } from '../src/blob/local-fs.js';
import { createS3Store } from '../src/blob/s3.js';
import type { BlobStore } from '../src/blob/store.js';
import { startAzurite } from './azurite.js';
import { startGcsDouble } from './gcs.double.js';
import { countUploads, makeBucket, type Radosgw, radosgw } from './radosgw.js';

/** An empty store of one driver, as the tests of uploads and the contract use it. */
export interface OpenStore {
  store: BlobStore;
  close(): Promise<void>;
  /** How many uploads in parts are begun and neither completed nor aborted; absent where the provider has no list of them. */
  unfinished?(): Promise<number>;
}

/** Opens an empty store for one run of the contract. */
export interface Driver {
  name: string;
  open(): Promise<OpenStore>;
}

const localFs: Driver = {
  name: 'local_fs',
  async open() {
    const root = await mkdtemp(join(tmpdir(), 'docgate-blobs-'));
    await prepareLocalFs(root);
    return {
      store: createLocalFsStore(root),
      close: () => rm(root, { recursive: true }),
      unfinished: async () => (await readdir(join(root, '.tmp'))).length,
    };
  },
};

const s3 = ({ host, admin }: Radosgw): Driver => ({
  name: 'aws_s3 (RADOS gateway)',
  async open() {
    // Pieces smaller than some objects of the suite, so that it copies both ways.
    const bucket = await makeBucket();
    const store = createS3Store(bucket, admin, { hosts: createHostGuard([host]), copyPiece: 5 * 1024 ** 2 });
    return { store, close: async () => store.close(), unfinished: () => countUploads(bucket) };
  },
});

/** Google Cloud Storage by its S3-compatible API, as far as the gateway can stand for it: the requests are those sent to Google. */
const s3AtGoogle = ({ host, admin }: Radosgw): Driver => ({
  name: 'aws_s3 with HMAC keys of Google (RADOS gateway)',
  async open() {
    const bucket = await makeBucket();
    const hosts = createHostGuard([host]);
    const store = createS3Store(bucket, { ...admin, region: 'auto' }, { hosts, copyPiece: 5 * 1024 ** 2, isGoogle: true });
    return { store, close: async () => store.close(), unfinished: () => countUploads(bucket) };
  },
});

const azure: Driver = {
  name: 'azure_blob (Azurite)',
  async open() {
    const azurite = await startAzurite();
    const container = await azurite.makeContainer();
    const store = createAzureStore(container, azurite.credentials, { hosts: createHostGuard([azurite.host]) });
    return {
      store,
      unfinished: () => azurite.countUncommitted(container),
      async close() {
        store.close();
        await azurite.stop();
      },
    };
  },
};

const gcs: Driver = {
  name: 'gcp_storage (a double)',
  async open() {
    const double = await startGcsDouble();
    const store = createGcsStore(double.makeBucket(), double.credentials, { hosts: createHostGuard([double.host]) });
    return { store, close: () => double.stop() };
  },
};

/** Every driver that can run here: S3 needs the server of TEST_S3_ENDPOINT. */
export const drivers: Driver[] = [localFs, azure, gcs, ...(radosgw ? [s3(radosgw), s3AtGoogle(radosgw)] : [])];
