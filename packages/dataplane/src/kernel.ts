import type { Change, InterfaceAddress, Link, Neighbour, NeighbourTable, Route } from "@caracal/netlink";

/** One change to the route tables. */
export type RouteOperation =
  /** Fails with EEXIST when any route has the same destination, table and metric. */
  | { readonly kind: "add"; readonly route: Route }
  /** Takes the place of the first route of the same destination, table and metric, whoever owns it, in one step. */
  | { readonly kind: "replace"; readonly route: Route }
  /** Removes only a route that is like this one in everything, else fails with ESRCH. */
  | { readonly kind: "delete"; readonly route: Route };

/** What became of one operation. */
export type RouteOutcome =
  | { readonly kind: "done" }
  /** `errno` is a name such as "ENETUNREACH", `detail` the kernel's own words. */
  | { readonly kind: "failed"; readonly errno: string; readonly detail: string };

/** News about the tables. */
export type KernelNotice =
  /** What others than this port did, in order. */
  | { readonly kind: "changes"; readonly changes: readonly Change[] }
  /** Some changes were lost: only a dump tells what is. */
  | { readonly kind: "overrun" };

/**
 * One network namespace of a kernel: its tables, the changes made to them, and news. Dumps are consistent or rejected;
 * a rejection anywhere leaves unknown what was done, and asks for a dump. `kernelSuite` holds every implementation to it.
 *
 * The kernel drops IPv4 routes without a notice when their interface goes down or away.
 */
export interface Kernel {
  dumpRoutes(): Promise<readonly Route[]>;
  dumpLinks(): Promise<readonly Link[]>;
  dumpAddresses(): Promise<readonly InterfaceAddress[]>;
  dumpNeighbours(table?: NeighbourTable, interfaceIndex?: number): Promise<readonly Neighbour[]>;
  /** Carries all of them out in order; one that fails does not stop the rest. Outcomes are in the same order. */
  applyRoutes(operations: readonly RouteOperation[]): Promise<readonly RouteOutcome[]>;
  /** Tells news until the returned function is called. */
  subscribe(listener: (notice: KernelNotice) => void): () => void;
}
