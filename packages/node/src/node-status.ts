import type { PeerSnapshot } from "@caracal/bgp";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import type { Routing } from "./routing/routing.ts";
import type { BgpSupervisor } from "./routing/bgp-supervisor.ts";
import type { Health } from "./observe/health.ts";

/** What `node.status` answers on the control socket: plain JSON, addresses as text. */
export interface NodeStatus {
  readonly node: string;
  readonly isReady: boolean;
  readonly notReadyBecause?: string;
  readonly bgp?: {
    readonly asNumber: number;
    readonly routerId: string;
    readonly peers: readonly PeerStatus[];
    readonly origins: readonly string[];
  };
  readonly kernel: {
    readonly isInSync: boolean;
    readonly wantedRoutes: number;
    readonly failures: readonly { readonly route: string; readonly errno: string; readonly detail: string }[];
    readonly conflicts: readonly string[];
  };
  readonly problems: readonly { readonly about: string; readonly message: string }[];
}

export interface PeerStatus {
  readonly name: string;
  readonly address: string;
  readonly asNumber: number;
  readonly state: string;
  readonly isPassive: boolean;
  readonly lastError: string;
  readonly importedRoutes: number;
  readonly exportedRoutes: number;
}

/** The daemon's state at this moment. */
export function nodeStatus(node: string, routing: Routing, bgp: BgpSupervisor, health: Health): NodeStatus {
  const { intent, status } = routing;
  const because = health.notReadyBecause;
  return {
    node,
    isReady: health.isReady,
    ...(because === undefined ? {} : { notReadyBecause: because }),
    ...(intent?.bgp === undefined
      ? {}
      : {
          bgp: {
            asNumber: intent.bgp.asNumber,
            routerId: Ipv4.format(intent.bgp.routerId),
            peers: bgp.peers().map(peerStatus),
            origins: intent.bgp.origins.map(({ prefix }) => Prefix.format(prefix)),
          },
        }),
    kernel: {
      isInSync: status.ready,
      wantedRoutes: status.wantedCount,
      failures: status.failures.map(({ key, errno, detail }) => ({ route: key, errno, detail })),
      conflicts: status.conflicts.map(({ key }) => key),
    },
    problems: intent?.problems ?? [],
  };
}

function peerStatus(peer: PeerSnapshot): PeerStatus {
  return {
    name: peer.name,
    address: IpAddress.format(peer.address),
    asNumber: peer.asn,
    state: peer.state,
    isPassive: peer.passive,
    lastError: peer.lastError,
    importedRoutes: peer.importedCount,
    exportedRoutes: peer.exportedCount,
  };
}
