import { randomBytes } from 'node:crypto';
import { remoteHosts, useRemoteStores } from './remote.stores.js';
import { type Actor, useWorld } from './world.js';

export const newName = () => `m${randomBytes(8).toString('hex')}`;
/** As the contract documents them. */
export const documented = {
  Tags: [{ Key: 'team', Value: 'kyc' }],
  CORSConfiguration: {
    CORSRules: [{ AllowedMethods: ['GET', 'PUT'], AllowedOrigins: ['https://app.example.com'], AllowedHeaders: ['*'] }],
  },
  LifecycleConfiguration: { Rules: [{ ID: 'old', Prefix: 'tmp/', Status: 'Enabled', Expiration: { Days: 7 } }] },
  VersioningConfiguration: { Status: 'Enabled' },
};

/** A gateway with real or doubled stores to create buckets at. */
export function useManaged() {
  const stores = useRemoteStores();
  const world = useWorld({ STORAGE_HOSTS: remoteHosts });

  const post = (actor: Actor, payload: object) => world().inject(actor, { method: 'POST', url: '/storages/', payload });

  return { stores, world, post };
}
