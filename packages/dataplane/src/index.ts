/**
 * What the kernel should hold: the `Kernel` port, the reconciler that makes its routes those that are wanted, and what
 * tests of both need (`FakeKernel`, `FaultyKernel`, `VirtualClock`, `kernelSuite`).
 *
 * Not here: netlink sockets (`linux` implements the port) and the reasons why a route is wanted (`intent`, `bgp`).
 */
export type { Clock } from "./clock.ts";
export type { DesiredNextHop, DesiredRoute, RouteKey } from "./desired-route.ts";
export { routeKey } from "./desired-route.ts";
export type { RouteSource } from "./desired-table.ts";
export type { DeviceKernel, DeviceOperation, DeviceOutcome } from "./device-kernel.ts";
export { FakeKernel } from "./fake-kernel.ts";
export { FaultyKernel, type KernelStep } from "./faulty-kernel.ts";
export type { Kernel, KernelNotice, RouteOperation, RouteOutcome } from "./kernel.ts";
export { kernelSuite } from "./suite/kernel-suite.ts";
export type { KernelCase, KernelSubject } from "./suite/subject.ts";
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
export { VirtualClock } from "./virtual-clock.ts";
