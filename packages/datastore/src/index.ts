/**
 * The datastore as the rest of the house sees it: the `Store` port, Calico's key layout, a typed client and a syncer.
 *
 * Standards: Calico's etcd v3 layout of projectcalico.org/v3 resources and IPAM records.
 * The compliance suite of the port has an entrance of its own, `@caracal/datastore/suite`: programs need not load it.
 * Not here: sockets, files, etcd's protocol. `store-etcd` and others implement the port.
 */
export { ensureTiers } from "./ensure-tiers.ts";
export { Canceller } from "./canceller.ts";
export { type AffinityOwner, type StoreKey, keys } from "./keys.ts";
export { compareKeys } from "./key-order.ts";
export { MemoryStore, type MemoryStoreOptions } from "./memory-store.ts";
export {
  checkTransaction,
  type Entry,
  type Listing,
  maxTransactionSteps,
  Revision,
  type Store,
  StoreError,
  type StoreErrorCode,
  type StoreEvent,
  type TransactionOutcome,
  type TransactionStep,
  type WriteOutcome,
} from "./store.ts";
export {
  ResourceClient,
  type ResourceClientSources,
  type ResourceListing,
  type ResourceOutcome,
  readResource,
  resourceReading,
} from "./resource-client.ts";
export { formatIdentity, type ResourceIdentity, resourceMessage } from "./resource-error.ts";
export { type SyncChange, Syncer, type SyncerOptions, type SyncStatus } from "./syncer.ts";
