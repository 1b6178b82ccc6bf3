import { afterAll, beforeAll } from 'vitest';
import { type Azurite, startAzurite } from './azurite.js';
import { type GcsDouble, startGcsDouble } from './gcs.double.js';
import { radosgw } from './radosgw.js';

// A port is known only when its server runs, and a world must be told before. Below those that the system gives away.
const azuritePort = 14_000 + (process.pid % 6000);
const gcsPort = azuritePort + 6000;

/** What STORAGE_HOSTS must be for a world whose storages are at these stores, and at the S3 server if there is one. */
export const remoteHosts = [`127.0.0.1:${azuritePort}`, `127.0.0.1:${gcsPort}`, ...(radosgw ? [radosgw.host] : [])].join(',');

/** Runs the stores of Azure and Google that can stand in here, for the tests of a file. Use it as `stores()` inside tests. */
export function useRemoteStores(): () => { azurite: Azurite; gcs: GcsDouble } {
  let started: { azurite: Azurite; gcs: GcsDouble } | undefined;
  beforeAll(async () => {
    const [azurite, gcs] = await Promise.all([startAzurite(azuritePort), startGcsDouble(gcsPort)]);
    started = { azurite, gcs };
  });
  afterAll(() => Promise.all([started?.azurite.stop(), started?.gcs.stop()]));
  return () => {
    if (!started) throw new Error('the stores are there inside tests only');
    return started;
  };
}
