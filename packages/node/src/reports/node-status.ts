import type { PeerSnapshot } from "@caracal/bgp";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import type { NodeStatus, PeerStatus } from "@caracal/questions";
import type { Health } from "../observe/health.ts";
import type { BgpSupervisor } from "../routing/bgp-supervisor.ts";
import type { Routing } from "../routing/routing.ts";

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
            peers: bgp.peers().map((peer) => peerStatus(peer, bgp.hasPassword(peer.name))),
            origins: intent.bgp.origins.map(({ prefix }) => Prefix.format(prefix)),
            refused: bgp.refused.map(IpAddress.format),
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

function peerStatus(peer: PeerSnapshot, hasPassword: boolean): PeerStatus {
  return {
    name: peer.name,
    address: IpAddress.format(peer.address),
    port: peer.port,
    asNumber: peer.asn,
    localAsNumber: peer.localAsn,
    state: peer.state,
    // The speaker's clock counts from 1970 too.
    sinceS: Math.floor(peer.since / 1000),
    isPassive: peer.passive,
    lastError: peer.lastError,
    hasPassword,
    importedRoutes: peer.importedCount,
    exportedRoutes: peer.exportedCount,
  };
}
