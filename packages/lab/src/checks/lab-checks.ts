import type { CapturePattern } from "./capture-pattern.ts";
import type { RoutePattern } from "./route-pattern.ts";

/** What a topology's file says must be seen once its lab is up. */
export interface LabChecks {
  /** Pods that must not reach each other; all others must. */
  readonly unreachable: readonly UnreachableRule[];
  /** For each node or switch named, its sessions: exactly these, all Established. */
  readonly sessions: ReadonlyMap<string, readonly ExpectedSession[]>;
  /** For each node or switch named, what its kernel's table must hold and must not. */
  readonly routes: ReadonlyMap<string, readonly RoutePattern[]>;
  readonly outputs: readonly OutputCheck[];
  readonly captures: readonly CaptureCheck[];
}

/** How echoes of one pod to another look on their way. */
export interface CaptureCheck {
  readonly from: string;
  readonly to: string;
  readonly isIpv6: boolean;
  readonly seen: readonly CapturePattern[];
}

/** From the pods of some nodes to those of some others; pods of one node always reach each other. */
export interface UnreachableRule {
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Where packets end: a node or switch. Anywhere if absent. */
  readonly at?: string;
}

/** One session. */
export interface ExpectedSession {
  readonly peer: string;
  /** As `calicoctl node status` calls it, where it matters. */
  readonly type?: SessionType;
}

export type SessionType = (typeof SESSION_TYPES)[number];

export const SESSION_TYPES = ["node-to-node mesh", "node specific", "global"] as const;

/** A command that prints what the file says. */
export interface OutputCheck {
  /** A node, switch or pod. */
  readonly on: string;
  /** For a shell. */
  readonly run: string;
  /** The whole output, or with `isPart` lines that stand together somewhere in it. */
  readonly text: string;
  readonly isPart: boolean;
}
