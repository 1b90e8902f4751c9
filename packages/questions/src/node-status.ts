import { isArrayOf, isObject } from "./json-shape.ts";

/** What a daemon answers to `node.status`: plain JSON, addresses as text. */
export interface NodeStatus {
  readonly node: string;
  readonly isReady: boolean;
  readonly notReadyBecause?: string;
  readonly bgp?: {
    readonly asNumber: number;
    readonly routerId: string;
    readonly peers: readonly PeerStatus[];
    readonly origins: readonly string[];
    /** Who connected lately without being a peer, the last one last. */
    readonly refused: readonly string[];
  };
  readonly kernel: KernelReport;
  /** Absent while it is not known. */
  readonly packets?: PacketReport;
  /** What of the resources cannot be done. */
  readonly problems: readonly { readonly about: string; readonly message: string }[];
  /** What the node needs and cannot have now, a line each: its tunnels above all. */
  readonly troubles?: readonly string[];
}

export interface KernelReport {
  readonly isInSync: boolean;
  readonly wantedRoutes: number;
  readonly failures: readonly { readonly route: string; readonly errno: string; readonly detail: string }[];
  readonly conflicts: readonly string[];
}

/** NAT, and what is let in through tunnels. */
export interface PacketReport {
  readonly isInSync: boolean;
  /** Why the kernel does not do it. */
  readonly failure?: string;
  /** How often others' changes were put right. */
  readonly repairs: number;
  /** What is done, a line each. */
  readonly rules: readonly string[];
}

export interface PeerStatus {
  /** BIRD's protocol name. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly asNumber: number;
  readonly localAsNumber: number;
  /** Of RFC 4271 §8.2.2. */
  readonly state: string;
  /** When the state was entered: seconds since 1970. */
  readonly sinceS: number;
  readonly isPassive: boolean;
  /** Empty while Established. */
  readonly lastError: string;
  readonly hasPassword: boolean;
  readonly importedRoutes: number;
  readonly exportedRoutes: number;
}

/** A status that came as JSON; `undefined` for anything else. */
export function readNodeStatus(value: unknown): NodeStatus | undefined {
  return isNodeStatus(value) ? value : undefined;
}

function isNodeStatus(value: unknown): value is NodeStatus {
  if (!isObject(value) || typeof value["node"] !== "string" || !isObject(value["kernel"])) return false;
  const { bgp } = value;
  const isBgpSound =
    bgp === undefined ||
    (isObject(bgp) && isArrayOf(bgp["peers"], isPeerStatus) && Array.isArray(bgp["refused"]));
  const { packets } = value;
  const arePacketsSound = packets === undefined || (isObject(packets) && Array.isArray(packets["rules"]));
  return isBgpSound && arePacketsSound && Array.isArray(value["problems"]);
}

function isPeerStatus(value: unknown): value is PeerStatus {
  return (
    isObject(value) &&
    typeof value["name"] === "string" &&
    typeof value["address"] === "string" &&
    typeof value["state"] === "string" &&
    typeof value["lastError"] === "string"
  );
}
