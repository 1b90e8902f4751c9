/**
 * IPAM: which node has which block, and which workload has which address, over the `Store` port. The records are
 * Calico's, byte for byte, so its own tools and nodes can work on the same store.
 *
 * Standards: Calico's IPAM records and algorithm; RFC 3339 times.
 * Not here: the store itself, routes for blocks, the CNI plugin, clocks.
 */
export type { AddressUser } from "./address-users.ts";
export type { AffinityRelease } from "./affinity.ts";
export type { AddressResult } from "./assign-address.ts";
export {
  type AddressUse,
  allocationsIn,
  type Audit,
  auditAllocations,
  type AuditedAllocation,
  type AuditInput,
  type UsedAddress,
} from "./audit.ts";
export type { BlockRequest } from "./auto-assign.ts";
export {
  checkConsistency,
  type IpamProblem,
  type IpamSnapshot,
  readSnapshot,
  type Severity,
} from "./consistency.ts";
export {
  type AssignAddressRequest,
  type AssignFirstRequest,
  type AssignRequest,
  type AssignResult,
  Ipam,
  type IpamOptions,
  type LastRelease,
  type NotFirst,
} from "./ipam.ts";
export { assignmentKey, type LeakFindings, type LeakSuspect, LeakWatch } from "./leak-watch.ts";
export { IpamError, type IpamErrorCode } from "./ipam-error.ts";
export type { IpamView } from "./ipam-view.ts";
export { defaultMaxBlocks, type IpamSettings, readSettings, type SettingsSource } from "./ipam-settings.ts";
export { type Pool, type PoolUse, selectsNode, toPool } from "./pool.ts";
export type { AddressRelease, AddressReleaseResult, OldEntry } from "./release.ts";
export { Reservations } from "./reservation.ts";
export {
  type BlockSurplus,
  type HandleCorrection,
  type StoredSurplus,
  type SurplusHandle,
} from "./surplus-handle.ts";
export { Nanos } from "./timestamp.ts";
export { givenUpAfter } from "./unbacked-counts.ts";
export { tunnelHandle, type TunnelName, tunnelNames } from "./tunnel-handle.ts";
export {
  addressState,
  type AddressState,
  borrowedAddresses,
  type BorrowedAddress,
  type BlockUsage,
  type PoolUsage,
  reportUsage,
  type Usage,
  type UsageReport,
} from "./usage.ts";
export type { NewEntry } from "./write-allocation.ts";
