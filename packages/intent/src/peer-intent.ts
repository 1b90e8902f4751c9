import type { IpAddress, IpFamily, Ipv4 } from "@caracal/net";
import { type BgpPeer, parseDurationSeconds } from "@caracal/resources";

/** Where a peering comes from, as `node status` names it: node-to-node mesh, global, node specific; and local workloads. */
export type PeerType = "mesh" | "global" | "node" | "workload";

/** A key of a Kubernetes secret, resolved by the daemon. */
export interface SecretKey {
  readonly name: string;
  readonly key: string;
}

/** One BGP session that a node should have. */
export interface PeerIntent {
  /** BIRD's protocol name: `Mesh_172_18_0_3`, `Global_10_0_0_1_port_1790`. */
  readonly name: string;
  readonly type: PeerType;
  /** Of its addresses, and of the routes that it carries. */
  readonly family: IpFamily;
  /** An IPv6 session that carries IPv4 routes as well, with IPv6 next hops (RFC 8950). */
  readonly carriesIpv4?: true;
  readonly address: IpAddress;
  readonly port: number;
  readonly remoteAsNumber: number;
  readonly localAsNumber: number;
  /** The address to connect from; absent leaves it to the kernel. */
  readonly sourceAddress?: IpAddress;
  /** Never connects: the other end does. */
  readonly isPassive: boolean;
  /** The peer node, where it is one of the cluster's. */
  readonly node?: string;
  /** The BGPPeer resource that asks for the session; the mesh has none. */
  readonly bgpPeer?: string;
  /** Set where we reflect routes to the peer as its route reflector. */
  readonly reflectorClusterId?: Ipv4;
  /** Hops that TTL security (RFC 5082) allows; absent is off, and the session may cross any number. */
  readonly ttlSecurityHops?: number;
  readonly nextHop: "auto" | "self" | "keep";
  readonly allowedLocalAsCount: number;
  readonly restartSeconds: number;
  readonly holdSeconds: number;
  readonly keepaliveSeconds: number;
  readonly password?: SecretKey;
  /** The gateway a static route to the peer goes through. */
  readonly reachableBy?: IpAddress;
  /** Names of the BGPFilters, in order. */
  readonly filters: readonly string[];
}

/** Calico's session timers (BIRD's defaults). */
export const peerTimers = { restartSeconds: 120, holdSeconds: 240, keepaliveSeconds: 80 } as const;

/** The port BGP listens on where nothing says otherwise (RFC 4271 §8.2.1). */
export const bgpPort = 179;

const namePrefixes: Readonly<Record<PeerType, string>> = {
  mesh: "Mesh",
  global: "Global",
  node: "Node",
  workload: "Local_Workload",
};

/** A session's timers as a BGPPeer gives them. */
export function timersOf(
  spec: BgpPeer["spec"],
): Pick<PeerIntent, "restartSeconds" | "holdSeconds" | "keepaliveSeconds"> {
  const restart = spec.maxRestartTime === undefined ? undefined : parseDurationSeconds(spec.maxRestartTime);
  const keepalive = spec.keepaliveTime === undefined ? undefined : parseDurationSeconds(spec.keepaliveTime);
  return {
    holdSeconds: peerTimers.holdSeconds,
    restartSeconds: restart === undefined ? peerTimers.restartSeconds : Math.round(restart),
    keepaliveSeconds: keepalive === undefined ? peerTimers.keepaliveSeconds : Math.round(keepalive),
  };
}

/** What becomes of next hops on a session; the deprecated keepOriginalNextHop holds between AS only. */
export function nextHopOf(
  spec: BgpPeer["spec"],
  remoteAsNumber: number,
  localAsNumber: number,
): PeerIntent["nextHop"] {
  if (spec.nextHopMode === "Self") return "self";
  if (spec.nextHopMode === "Keep") return "keep";
  return spec.keepOriginalNextHop === true && remoteAsNumber !== localAsNumber ? "keep" : "auto";
}

/** BIRD's protocol name of a peering; a port shows only where a resource set one. */
export function peerName(type: PeerType, addressText: string, port: number | undefined): string {
  const address = addressText.replaceAll(/[.:]/g, "_");
  return `${namePrefixes[type]}_${address}${port === undefined ? "" : `_port_${port}`}`;
}

/**
 * Of two nodes, the one whose address is the larger text connects and the other waits. The comparison is of texts, not of
 * numbers (10.0.0.9 is larger than 10.0.0.10): nodes that run Calico itself compare so.
 */
export function waitsForPeer(ourAddress: string, peerAddress: string): boolean {
  return peerAddress > ourAddress;
}
