import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAzureStore } from '../src/blob/azure.js';
import { createGcsStore } from '../src/blob/gcs.js';
import { createHostGuard } from '../src/blob/hosts.js';
import { createLocalFsStore, prepareLocalFs } from '../src/blob/local-fs.js';
import { createS3Store } from '../src/blob/s3.js';
import type { BlobStore } from '../src/blob/store.js';
import type { StoreAddress } from '../src/blob/stores.js';
import { startAzurite } from './azurite.js';
import { startGcsDouble } from './gcs.double.js';
import { countUploads, makeBucket, type Radosgw, radosgw } from './radosgw.js';

/** An empty store of one driver, as the tests of uploads and the contract use it. */
export interface OpenStore {
  store: BlobStore;
  /** What a storage's row would say of it. */
  address: StoreAddress;
  /** Where local_fs has its bytes. */
  dataDir?: string;
  close(): Promise<void>;
  /** How many uploads in parts are begun and neither completed nor aborted; absent where the provider has no list of them. */
  unfinished?(): Promise<number>;
}

/** Where a store is told to look for its server, which is at this host. */
export type Route = (host: string) => Promise<string>;
const straight: Route = async (host) => host;
const tenantId = 'tenant';

/** Opens an empty store for one run of the contract. */
export interface Driver {
  name: string;
  /** Whether a network can come in between. */
  isRemote: boolean;
  /** How many parts the provider lists at once; absent: all. */
  partsPage?: number;
  open(route?: Route): Promise<OpenStore>;
}

const localFs: Driver = {
  name: 'local_fs',
  isRemote: false,
  async open() {
    const dataDir = await mkdtemp(join(tmpdir(), 'docgate-blobs-'));
    const root = join(dataDir, 'blobs', tenantId, 'bucket');
    await prepareLocalFs(root);
    return {
      store: createLocalFsStore(root),
      address: { tenantId, provider: 'LOCAL_FS', bucket: 'bucket', credentials: {} },
      dataDir,
      close: () => rm(dataDir, { recursive: true }),
      unfinished: async () => (await readdir(join(root, '.tmp'))).length,
    };
  },
};

const s3 = ({ host, admin }: Radosgw): Driver => ({
  name: 'aws_s3 (RADOS gateway)',
  isRemote: true,
  partsPage: 1000,
  async open(route = straight) {
    const bucket = await makeBucket();
    const at = await route(host);
    // Pieces smaller than some objects of the suite, so that it copies both ways.
    const options = { hosts: createHostGuard([at]), copyPiece: 5 * 1024 ** 2 };
    const credentials = { ...admin, endpoint: `http://${at}` };
    const store = createS3Store(bucket, credentials, options);
    const address: StoreAddress = { tenantId, provider: 'AWS_S3', bucket, credentials };
    return { store, address, close: async () => store.close(), unfinished: () => countUploads(bucket) };
  },
});

/** Google Cloud Storage by its S3-compatible API, as far as the gateway can stand for it: the requests are those sent to Google. */
const s3AtGoogle = ({ host, admin }: Radosgw): Driver => ({
  name: 'aws_s3 with HMAC keys of Google (RADOS gateway)',
  isRemote: true,
  async open(route = straight) {
    const bucket = await makeBucket();
    const at = await route(host);
    const options = { hosts: createHostGuard([at]), copyPiece: 5 * 1024 ** 2, isGoogle: true };
    const credentials = { ...admin, region: 'auto', endpoint: `http://${at}` };
    const store = createS3Store(bucket, credentials, options);
    const address: StoreAddress = { tenantId, provider: 'AWS_S3', bucket, credentials };
    return { store, address, close: async () => store.close(), unfinished: () => countUploads(bucket) };
  },
});

const azure: Driver = {
  name: 'azure_blob (Azurite)',
  isRemote: true,
  async open(route = straight) {
    const azurite = await startAzurite();
    const container = await azurite.makeContainer();
    const at = await route(azurite.host);
    const credentials = { ...azurite.credentials, endpoint: `http://${at}/${azurite.credentials.account_name}` };
    const store = createAzureStore(container, credentials, { hosts: createHostGuard([at]) });
    return {
      store,
      address: { tenantId, provider: 'AZURE_BLOB', bucket: container, credentials },
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
  isRemote: true,
  partsPage: 1000,
  async open(route = straight) {
    const double = await startGcsDouble();
    const at = await route(double.host);
    const credentials = { ...double.credentials, endpoint: `http://${at}` };
    const bucket = double.makeBucket();
    const store = createGcsStore(bucket, credentials, { hosts: createHostGuard([at]) });
    return {
      store,
      address: { tenantId, provider: 'GCP_STORAGE', bucket, credentials },
      async close() {
        store.close();
        await double.stop();
      },
    };
  },
};

/** One for each provider that can be had here: S3 needs the server of TEST_S3_ENDPOINT. */
export const providers: Driver[] = [localFs, azure, gcs, ...(radosgw ? [s3(radosgw)] : [])];

/** Where that server is, what needs it, in every manner that it has; elsewhere the others, which do not change with it. */
export const drivers: Driver[] = radosgw ? [s3(radosgw), s3AtGoogle(radosgw)] : providers;
