import type { PeerSnapshot, RouteSnapshot } from "@caracal/bgp";
import { IpAddress, type IpFamily, type Ipv4, Prefix } from "@caracal/net";
import type { BirdRoute, BirdSnapshot } from "../bird-snapshot.ts";
import { bgpRoutes } from "./bgp-routes.ts";
import type { FirstSeen } from "./first-seen.ts";
import { type ConnectedSubnet, connectedSubnets, type KernelView } from "./kernel-view.ts";
import { birdRoutes, localRoutes, type LocalRoutesInput, type OwnRoutes } from "./local-routes.ts";
import { NextHopPaths } from "./next-hop-paths.ts";
import {
  bgpProtocol,
  type BirdTerms,
  calicoTerms,
  countPeers,
  countTable,
  localProtocols,
} from "./protocols.ts";
import { orderTable } from "./table-order.ts";

/** What the BGP speaker says of itself at one moment. */
export interface SpeakerView {
  /** That moment on the speaker's own clock. */
  readonly nowMs: number;
  /** In the order configured; those of the other family are ignored. */
  readonly peers: readonly PeerSnapshot[];
  /** Grouped by prefix, the best first; those of the other family are ignored. */
  readonly routes: readonly RouteSnapshot[];
  /** There are more routes than these: for how many, the peers' own counts are taken. */
  readonly isPartial?: boolean;
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
  const local = localTable(input);
  const paths = new NextHopPaths(local, allSubnets(kernel));
  const startedAtMs = nowMs - speaker.nowMs;
  const routes = orderTable([...local, ...bgpRoutes(speaker.routes, family, paths, startedAtMs)]);
  const counts = speaker.isPartial === true ? countPeers(local, speaker.peers) : countTable(routes);
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

function allSubnets(kernel: KernelView): readonly ConnectedSubnet[] {
  return [...connectedSubnets(kernel, 4), ...connectedSubnets(kernel, 6)];
}

/** Networks of a table that is read as it is shown, between two pauses. */
const pauseNetworks = 1024;

/**
 * The routes of one family without a copy of the table: network by network in the order of `routes`, which is the
 * speaker's and not BIRD's, then those that only the kernel has. `undefined` is a pause.
 */
export function* birdTable(
  input: BirdStateInput,
  routes: Iterable<RouteSnapshot | undefined>,
): Generator<BirdRoute | undefined> {
  const { family, kernel, speaker, nowMs } = input;
  const local = localTable(input);
  const paths = new NextHopPaths(local, allSubnets(kernel));
  const untold = Map.groupBy(local, ({ prefix }) => Prefix.key(prefix));
  let networkCount = 0;
  for (const group of byNetwork(routes)) {
    const shown = bgpRoutes(group, family, paths, nowMs - speaker.nowMs);
    const [first] = shown;
    if (first !== undefined) {
      const key = Prefix.key(first.prefix);
      yield* orderTable([...(untold.get(key) ?? []), ...shown]);
      untold.delete(key);
    }
    networkCount += 1;
    if (networkCount % pauseNetworks === 0) yield undefined;
  }
  yield* orderTable([...untold.values()].flat());
}

/** The groups of a listing that names each network once. */
function* byNetwork(routes: Iterable<RouteSnapshot | undefined>): Generator<readonly RouteSnapshot[]> {
  let group: RouteSnapshot[] = [];
  for (const route of routes) {
    const [first] = group;
    if (first !== undefined && (route === undefined || !Prefix.equals(first.prefix, route.prefix))) {
      yield group;
      group = [];
    }
    if (route !== undefined) group.push(route);
  }
  if (group.length > 0) yield group;
}

function localTable(input: BirdStateInput): BirdRoute[] {
  const { nowMs } = input;
  // A time after `nowMs` would be shown as a date.
  return localRoutes(input, input.firstSeen).map((route): BirdRoute =>
    route.sinceMs > nowMs ? { ...route, sinceMs: nowMs } : route,
  );
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
