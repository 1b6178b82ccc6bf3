import type { BlobStore } from '../blob/store.js';
import type { BlobStores } from '../blob/stores.js';
import type { RequestContext } from '../context.js';

/** What tells one state of a storage from another. */
interface StorageKey {
  tenantId: string;
  id: string;
  /** Goes up with every change of the row. */
  version: number;
}

interface Opened {
  version: number;
  store: BlobStore;
}

/** How many stores are kept. */
const MAX_STORES = 1000;
/** By what opened them: one that is replaced takes its stores with it. */
const openedBy = new WeakMap<BlobStores['open'], Map<string, Opened>>();

/** The store of a storage in this very state, if it is open: to open one decrypts its credentials. */
export function openedStore({ services }: RequestContext, storage: StorageKey): BlobStore | null {
  const opened = openedBy.get(services.blobs.open)?.get(keyOf(storage));
  return opened?.version === storage.version ? opened.store : null;
}

export function rememberStore({ services, db }: RequestContext, storage: StorageKey, store: BlobStore): void {
  // What a transaction sees may be rolled back, and its version be given again to another state.
  if (db.inTransaction) return;
  const stores = openedBy.get(services.blobs.open) ?? new Map<string, Opened>();
  openedBy.set(services.blobs.open, stores);
  const [oldest] = stores.keys();
  if (stores.size >= MAX_STORES && oldest !== undefined) stores.delete(oldest);
  stores.set(keyOf(storage), { version: storage.version, store });
}

const keyOf = ({ tenantId, id }: StorageKey) => `${tenantId}/${id}`;
