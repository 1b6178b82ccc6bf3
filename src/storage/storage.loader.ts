import { Prisma, type Storage as StorageRow } from '../db/generated/client.js';
import { byName, byTimes } from '../paging.js';
import { byId } from '../relation/relation.js';
import { tableOf } from '../relation/table.js';
import { canReadStorages } from './storage.policy.js';

export const storages = tableOf<StorageRow>({
  name: 'storages',
  alias: 's',
  fields: Prisma.StorageScalarFieldEnum,
  orders: { ...byTimes<StorageRow>('s'), ...byName<StorageRow>('s') },
  policy: canReadStorages,
});

export const storageById = byId(storages);
