import type { PeerSnapshot } from "@caracal/bgp";
import type { IntentProblem } from "@caracal/intent";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import type { NodeStatus, PacketReport, PeerStatus } from "@caracal/questions";
import type { BirdBackend } from "../bird-backend/bird-backend.ts";
import type { BirdPeer } from "../bird-backend/bird-peers.ts";
import type { Health } from "../observe/health.ts";
import type { BgpSupervisor } from "../routing/bgp-supervisor.ts";
import type { Routing } from "../routing/routing.ts";
import type { TunnelKeeper } from "../tunnels/tunnel-keeper.ts";

/** The sessions of whatever speaks BGP on the node. */
export interface Sessions {
  readonly peers: readonly PeerStatus[];
  /** Who connected and is no peer. */
  readonly refused: readonly string[];
  /** What the resources ask and this speaker cannot do. */
  readonly problems: readonly IntentProblem[];
}

/** The sessions of our own speaker. */
export function speakerSessions(bgp: BgpSupervisor): Sessions {
  return {
    peers: bgp.peers().map((peer) => peerStatus(peer, bgp.hasPassword(peer.name))),
    refused: bgp.refused.map(IpAddress.format),
    problems: [],
  };
}

/** BIRD's sessions. */
export function birdSessions(bird: BirdBackend): Sessions {
  return { peers: bird.peers().map(birdPeerStatus), refused: [], problems: [] };
}

/** The parts of the daemon that routes and packets are asked of. */
export interface StatusSources {
  readonly routing: Routing;
  readonly tunnels: TunnelKeeper;
  readonly packets: PacketReport;
}

/** The daemon's state at this moment. */
export function nodeStatus(
  node: string,
  { routing, tunnels, packets }: StatusSources,
  sessions: Sessions,
  health: Health,
): NodeStatus {
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
            peers: sessions.peers,
            origins: intent.bgp.origins.map(({ prefix }) => Prefix.format(prefix)),
            refused: sessions.refused,
          },
        }),
    kernel: {
      isInSync: status.ready,
      wantedRoutes: status.wantedCount,
      failures: status.failures.map(({ key, errno, detail }) => ({ route: key, errno, detail })),
      conflicts: status.conflicts.map(({ key }) => key),
    },
    packets,
    problems: [
      ...(intent?.problems ?? []),
      ...routing.tunnelProblems,
      ...tunnels.status.problems.map(({ device, problem }) => ({ about: device, message: problem })),
      ...routing.routeTroubles,
      ...sessions.problems,
      ...(packets.failure === undefined ? [] : [{ about: `Node(${node})`, message: packets.failure }]),
    ],
    troubles: [
      ...routing.routeTroubles.map(({ about, message }) => `${about} ${message}`),
      ...tunnels.status.problems.map(({ device, problem }) => `${device}: ${problem}`),
      ...(packets.failure === undefined ? [] : [`NAT and tunnel protection: ${packets.failure}`]),
    ],
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

function birdPeerStatus({
  intent,
  state,
  lastError,
  importedRoutes,
  exportedRoutes,
  sinceS,
}: BirdPeer): PeerStatus {
  return {
    name: intent.name,
    address: IpAddress.format(intent.address),
    port: intent.port,
    asNumber: intent.remoteAsNumber,
    localAsNumber: intent.localAsNumber,
    state,
    sinceS,
    isPassive: intent.isPassive,
    lastError,
    hasPassword: intent.password !== undefined,
    importedRoutes,
    exportedRoutes,
  };
}
