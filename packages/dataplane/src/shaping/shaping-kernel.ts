import type { Link, Qdisc, Redirect, TokenBucket } from "@caracal/netlink";

/** What shapes interfaces now. */
export interface ShapingState {
  readonly links: readonly Link[];
  readonly qdiscs: readonly Qdisc[];
  /** Redirections of every interface that has an ingress discipline. */
  readonly redirects: readonly Redirect[];
}

/** One step; interfaces go by their names. */
export type ShapingOperation =
  /** What the interface sends goes through the bucket. */
  | { readonly kind: "shape"; readonly interfaceName: string; readonly bucket: TokenBucket }
  | { readonly kind: "unshape"; readonly interfaceName: string }
  /** What the interface receives goes through the device, which is made if it is not there, and its bucket. */
  | {
      readonly kind: "receive-through";
      readonly interfaceName: string;
      readonly deviceName: string;
      readonly bucket: TokenBucket;
    }
  | { readonly kind: "receive-plainly"; readonly interfaceName: string }
  | { readonly kind: "remove-device"; readonly deviceName: string };

/** The kernel's traffic control, as far as workloads' bandwidth needs it. Both throw what the kernel says. */
export interface ShapingKernel {
  readShaping(): ShapingState;
  applyShaping(operation: ShapingOperation): void;
}

/** Handle of our queueing disciplines: those of others are left alone. */
export const shapingHandle = 0xca11_0000;
