import { generateKeyPairSync, randomBytes } from 'node:crypto';
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
import { countUploads, makeBucket, makeUserWith, type Radosgw, radosgw, storageRights } from './radosgw.js';

/** An empty store of one driver, as the tests of uploads and the contract use it. */
export interface OpenStore {
  store: BlobStore;
  /** What a storage's row would say of it. */
  address: StoreAddress;
  /** Where local_fs has its bytes. */
  dataDir?: string;
  close(): Promise<void>;
  /** The same place by credentials that are not right. */
  refused?: Refused;
  /** How many uploads in parts are begun and neither completed nor aborted; absent where the provider has no list of them. */
  unfinished?(): Promise<number>;
}

/** How a storage can be set up wrongly. */
export interface Refused {
  wrongCredentials: BlobStore;
  noBucket: BlobStore;
  /** Runs the work with a store that may do everything but write objects; absent where keys have every right. */
  withoutRight?(work: (store: BlobStore) => Promise<void>): Promise<void>;
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
  /** Whether a key can lack a right; absent: it can. */
  rights?: false;
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

interface S3Manner {
  name: string;
  region?: string;
  isGoogle?: boolean;
  partsPage?: number;
}

const s3 = ({ host, admin }: Radosgw, { name, region = admin.region, isGoogle, partsPage }: S3Manner): Driver => ({
  name,
  isRemote: true,
  partsPage,
  async open(route = straight) {
    const bucket = await makeBucket();
    const at = await route(host);
    const credentials = { ...admin, region, endpoint: `http://${at}` };
    // Pieces smaller than some objects of the suite, so that it copies both ways.
    const opened = (place: string, keys: typeof admin) =>
      createS3Store(
        place,
        { ...keys, region, endpoint: credentials.endpoint },
        { hosts: createHostGuard([at]), copyPiece: 5 * 1024 ** 2, isGoogle },
      );
    const store = opened(bucket, admin);
    const wrongCredentials = opened(bucket, { ...admin, aws_secret_access_key: 'wrong' });
    const noBucket = opened(`${bucket}-not`, admin);
    return {
      store,
      address: { tenantId, provider: 'AWS_S3', bucket, credentials },
      refused: {
        wrongCredentials,
        noBucket,
        async withoutRight(work) {
          const rights = storageRights.filter((right) => right !== 's3:PutObject');
          const reader = opened(bucket, await makeUserWith(rights, bucket));
          await work(reader).finally(() => reader.close());
        },
      },
      close: async () => {
        for (const { close } of [store, wrongCredentials, noBucket]) close();
      },
      unfinished: () => countUploads(bucket),
    };
  },
});

const azure: Driver = {
  name: 'azure_blob (Azurite)',
  isRemote: true,
  rights: false,
  async open(route = straight) {
    const azurite = await startAzurite();
    const container = await azurite.makeContainer();
    const at = await route(azurite.host);
    const credentials = { ...azurite.credentials, endpoint: `http://${at}/${azurite.credentials.account_name}` };
    const options = { hosts: createHostGuard([at]) };
    const store = createAzureStore(container, credentials, options);
    const wrongKey = { ...credentials, account_key: randomBytes(64).toString('base64') };
    const wrongCredentials = createAzureStore(container, wrongKey, options);
    const noBucket = createAzureStore(`${container}-not`, credentials, options);
    return {
      store,
      address: { tenantId, provider: 'AZURE_BLOB', bucket: container, credentials },
      refused: { wrongCredentials, noBucket },
      unfinished: () => azurite.countUncommitted(container),
      async close() {
        for (const { close } of [store, wrongCredentials, noBucket]) close();
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
    const options = { hosts: createHostGuard([at]) };
    const store = createGcsStore(bucket, credentials, options);
    const private_key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const wrongCredentials = createGcsStore(bucket, { ...credentials, private_key }, options);
    const noBucket = createGcsStore(`${bucket}-not`, credentials, options);
    return {
      store,
      address: { tenantId, provider: 'GCP_STORAGE', bucket, credentials },
      refused: {
        wrongCredentials,
        noBucket,
        async withoutRight(work) {
          double.denied.add('storage.objects.create');
          await work(store).finally(() => double.denied.clear());
        },
      },
      async close() {
        for (const { close } of [store, wrongCredentials, noBucket]) close();
        await double.stop();
      },
    };
  },
};

const atS3 = radosgw && s3(radosgw, { name: 'aws_s3 (RADOS gateway)', partsPage: 1000 });
/** Google Cloud Storage by its S3-compatible API, as far as the gateway can stand for it: the requests are those sent to Google. */
const atGoogle = radosgw && s3(radosgw, { name: 'aws_s3 with HMAC keys of Google (RADOS gateway)', region: 'auto', isGoogle: true });

/** One for each provider that can be had here: S3 needs the server of TEST_S3_ENDPOINT. */
export const providers: Driver[] = [localFs, azure, gcs, ...(atS3 ? [atS3] : [])];

/** Where that server is, what needs it, in every manner that it has; elsewhere the others, which do not change with it. */
export const drivers: Driver[] = atS3 && atGoogle ? [atS3, atGoogle] : providers;
