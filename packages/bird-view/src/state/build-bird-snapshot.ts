import type { PeerSnapshot, RouteSnapshot } from "@caracal/bgp";
import { IpAddress, type IpFamily, type Ipv4, Prefix } from "@caracal/net";
import type { BirdRoute, BirdSnapshot } from "../bird-snapshot.ts";
import { bgpRoutes } from "./bgp-routes.ts";
import type { FirstSeen } from "./first-seen.ts";
import { connectedSubnets, type KernelView } from "./kernel-view.ts";
import { birdRoutes, localRoutes, type LocalRoutesInput, type OwnRoutes } from "./local-routes.ts";
import { NextHopPaths } from "./next-hop-paths.ts";
import { bgpProtocol, type BirdTerms, calicoTerms, countTable, localProtocols } from "./protocols.ts";
import { orderTable } from "./table-order.ts";

/** What the BGP speaker says of itself at one moment. */
export interface SpeakerView {
  /** That moment on the speaker's own clock. */
  readonly nowMs: number;
  /** In the order configured; those of the other family are ignored. */
  readonly peers: readonly PeerSnapshot[];
  /** Grouped by prefix, the best first; those of the other family are ignored. */
  readonly routes: readonly RouteSnapshot[];
}

/** All that the view of one family is made of. Times are milliseconds since 1970. */
export interface BirdStateInput extends LocalRoutesInput {
  /** As the banner says it: `v0.3.3+birdv1.6.8`. */
  readonly version: string;
  readonly routerId: Ipv4;
  readonly nowMs: number;
  readonly bootedAtMs: number;
  readonly configuredAtMs: number;
  /** Set while restarted sessions are awaited. */
  readonly recovery?: NonNullable<BirdSnapshot["recovery"]>;
  readonly speaker: SpeakerView;
  /** Calico's unless told. */
  readonly terms?: BirdTerms;
  /** The times of this family's local routes; kept from one call to the next. */
  readonly firstSeen: FirstSeen;
}

/** One family's routing in BIRD's terms; unless told otherwise, as a node that runs Calico's configuration has it. */
export function buildBirdSnapshot(input: BirdStateInput): BirdSnapshot {
  const { family, kernel, speaker, nowMs, recovery, ours = birdRoutes, terms = calicoTerms } = input;
  // A time after `nowMs` would be shown as a date.
  const local = localRoutes(input, input.firstSeen).map((route): BirdRoute =>
    route.sinceMs > nowMs ? { ...route, sinceMs: nowMs } : route,
  );
  const paths = new NextHopPaths(local, connectedSubnets(kernel, family));
  const startedAtMs = nowMs - speaker.nowMs;
  const routes = orderTable([...local, ...bgpRoutes(speaker.routes, family, paths, startedAtMs)]);
  const counts = countTable(routes);
  return {
    version: input.version,
    routerId: input.routerId,
    nowMs,
    bootedAtMs: input.bootedAtMs,
    configuredAtMs: input.configuredAtMs,
    ...(recovery === undefined ? {} : { recovery }),
    protocols: [
      ...localProtocols(counts, countProgrammed(kernel, family, ours), input.bootedAtMs, terms),
      ...speaker.peers
        .filter((peer) => IpAddress.family(peer.address) === family)
        .map((peer) => bgpProtocol(peer, counts, startedAtMs, terms)),
    ],
    routes,
  };
}

/** Networks that the kernel has from us. */
function countProgrammed(kernel: KernelView, family: IpFamily, ours: OwnRoutes): number {
  const networks = new Set<string>();
  for (const { destination, protocol, table } of kernel.routes) {
    const isOurs = protocol === ours.protocol && table === ours.table;
    if (isOurs && destination.family === family) networks.add(Prefix.key(destination));
  }
  return networks.size;
}
