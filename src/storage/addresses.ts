import type { StoreAddress } from '../blob/stores.js';
import type { RequestContext } from '../context.js';

/** What tells one state of a storage from another. */
interface StorageKey {
  tenantId: string;
  id: string;
  /** Goes up with every change of the row. */
  version: number;
}

interface Known {
  version: number;
  address: StoreAddress;
}

/** How many are kept. */
const MAX_KNOWN = 1000;
const knownTo = new WeakMap<RequestContext['services'], Map<string, Known>>();

/** Where a storage in this very state is, and the keys to it, if it was looked at before: that takes a statement and a decryption. */
export function knownAddress({ services }: RequestContext, storage: StorageKey): StoreAddress | null {
  const known = knownTo.get(services)?.get(keyOf(storage));
  return known?.version === storage.version ? known.address : null;
}

export function rememberAddress({ services, db }: RequestContext, storage: StorageKey, address: StoreAddress): void {
  // What a transaction sees may be rolled back, and its version be given again to another state.
  if (db.inTransaction) return;
  const known = knownTo.get(services) ?? new Map<string, Known>();
  knownTo.set(services, known);
  const [oldest] = known.keys();
  if (known.size >= MAX_KNOWN && oldest !== undefined) known.delete(oldest);
  known.set(keyOf(storage), { version: storage.version, address });
}

const keyOf = ({ tenantId, id }: StorageKey) => `${tenantId}/${id}`;
