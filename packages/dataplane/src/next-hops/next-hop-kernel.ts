import type { NextHopObject } from "@caracal/netlink";
import type { Kernel, RouteOutcome } from "../kernel.ts";

/** One change to the next hops that are objects of their own. */
export type NextHopOperation =
  /** Fails with EEXIST when the number is taken, with EOPNOTSUPP where the kernel has no such objects. */
  | { readonly kind: "add"; readonly object: NextHopObject }
  /** Takes the routes through it along, without a notice of them. */
  | { readonly kind: "delete"; readonly id: number };

/**
 * A kernel that keeps next hops as objects, through which routes may lead (`Route.nextHopId`). What others do to them is told;
 * that they vanish when their interface goes, goes down or loses its carrier is not. A kernel without them has none to dump.
 */
export interface NextHopKernel extends Kernel {
  dumpNextHops(): Promise<readonly NextHopObject[]>;
  /** Carries all of them out in order; one that fails does not stop the rest. Outcomes are in the same order. */
  applyNextHops(operations: readonly NextHopOperation[]): Promise<readonly RouteOutcome[]>;
}
