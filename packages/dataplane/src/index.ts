/**
 * What the kernel should hold: the `Kernel` port and the reconciler that makes its routes those that are wanted, the
 * `Ruleset` port and the reconciler of a table of nftables, the plan of interfaces' bandwidth, and what tests of both need (`FakeKernel`, `FaultyKernel`,
 * `FakeRuleset`, `VirtualClock`). The compliance suites have an entrance of their own, `@caracal/dataplane/suite`.
 *
 * Standards: the language of nft(8), libnftables-json(5).
 * Not here: netlink sockets and nft (`linux` implements the ports) and the reasons why a route is wanted (`intent`, `bgp`).
 */
export type { Clock } from "./clock.ts";
export type { DesiredNextHop, DesiredRoute, RouteKey } from "./desired-route.ts";
export { routeKey } from "./desired-route.ts";
export type { RouteSource } from "./desired-table.ts";
export type { DeviceKernel, DeviceOperation, DeviceOutcome } from "./device-kernel.ts";
export { FakeKernel } from "./fake-kernel.ts";
export { FaultyKernel, type KernelStep } from "./faulty-kernel.ts";
export type { Kernel, KernelNotice, RouteOperation, RouteOutcome } from "./kernel.ts";
export { BulkKernel, type BulkKernelLimits, type BulkKernelOptions } from "./next-hops/bulk-kernel.ts";
export type { NextHopKernel, NextHopOperation } from "./next-hops/next-hop-kernel.ts";
export { FakeRuleset } from "./nft/fake-ruleset.ts";
export { type ListedTable, readListedTable } from "./nft/listed-table.ts";
export { changeScript, wholeScript } from "./nft/nft-script.ts";
export type { NftBaseChain, NftChain, NftFamily, NftRule, NftSet, NftTable } from "./nft/nft-table.ts";
export type {
  ListOutcome,
  Ruleset,
  RulesetAuthor,
  RulesetFailure,
  RulesetNotice,
  TransactionOutcome,
} from "./nft/ruleset.ts";
export {
  type TableNews,
  TableReconciler,
  type TableReconcilerOptions,
  type TableStatus,
} from "./nft/table-reconciler.ts";
export {
  type PlannedOperation,
  planRoutes,
  type RouteClaim,
  type RouteConflict,
  type RoutePlan,
  type RouteSlot,
} from "./plan-routes.ts";
export type { RouteOwnership } from "./route-ownership.ts";
export {
  type RouteFailure,
  RouteReconciler,
  type RouteReconcilerLimits,
  type RouteReconcilerOptions,
  type RouteStatus,
} from "./route-reconciler.ts";
export type { DesiredIpip, DesiredTunnel, DesiredVxlan, TunnelEnd } from "./tunnels/desired-tunnel.ts";
export {
  type TunnelEvent,
  type TunnelProblem,
  TunnelReconciler,
  type TunnelReconcilerLimits,
  type TunnelReconcilerOptions,
  type TunnelStatus,
} from "./tunnels/tunnel-reconciler.ts";
export { VirtualClock } from "./virtual-clock.ts";
export {
  planShaping,
  type RateLimit,
  type ShapedInterface,
  type ShapingPlan,
} from "./shaping/plan-shaping.ts";
export {
  shapingHandle,
  type ShapingKernel,
  type ShapingOperation,
  type ShapingState,
} from "./shaping/shaping-kernel.ts";
