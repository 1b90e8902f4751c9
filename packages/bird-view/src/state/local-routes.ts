import { IpAddress, type IpFamily, Prefix } from "@caracal/net";
import {
  IfaFlag,
  type InterfaceAddress,
  type Route,
  RouteProtocol,
  RouteTable,
  RouteType,
} from "@caracal/netlink";
import type { BirdRoute, BirdVia } from "../bird-snapshot.ts";
import type { FirstSeen } from "./first-seen.ts";
import { connectedSubnets, interfaceNames, isRoutable, type KernelView } from "./kernel-view.ts";

/** A peer that a BGPPeer says is reached through a gateway. */
export interface ReachableBy {
  readonly peer: IpAddress;
  readonly gateway: IpAddress;
}

/** A static route through a gateway. */
export interface StaticGateway {
  readonly prefix: Prefix;
  readonly gateway: IpAddress;
}

/** How routes that we programmed are told from others' in the kernel. */
export interface OwnRoutes {
  readonly protocol: number;
  readonly table: number;
}

/** Where Calico's BIRD puts its routes. */
export const birdRoutes: OwnRoutes = {
  protocol: RouteProtocol.RTPROT_BIRD,
  table: RouteTable.RT_TABLE_MAIN,
};

/** What routes that BGP did not bring come from. */
export interface LocalRoutesInput {
  readonly family: IpFamily;
  readonly kernel: KernelView;
  /** Own blocks and announced service ranges; those of the other family are ignored. */
  readonly blackholes: readonly Prefix[];
  readonly reachableBy?: readonly ReachableBy[];
  /** Routes of our own through a gateway. */
  readonly gateways?: readonly StaticGateway[];
  /** What the kernel's routes of ours carry; BIRD's number in the main table unless told. */
  readonly ours?: OwnRoutes;
  /** How the names of pods' interfaces begin: `cali`; absent where there are no pods. */
  readonly interfacePrefix?: string;
  /** Names, with `*` and `?`, of further interfaces whose subnets are not shown. */
  readonly ignoredInterfaces: readonly string[];
}

/** Names of the protocols that every node has. */
export const LocalProtocol = {
  static: "static1",
  kernel: "kernel1",
  device: "device1",
  direct: "direct1",
} as const;

/** BIRD's preferences: of routes to one network the highest counts. */
export const Preference = { direct: 240, static: 200, bgp: 100, kernel: 10 } as const;

/** Protocols whose routes are not learned, besides our own: nobody's, redirects, what the addresses themselves bring. */
const notLearned: ReadonlySet<number> = new Set([
  RouteProtocol.RTPROT_UNSPEC,
  RouteProtocol.RTPROT_REDIRECT,
  RouteProtocol.RTPROT_KERNEL,
]);

type Draft = Omit<BirdRoute, "sinceMs" | "isBest">;

/**
 * The routes of static1, direct1 and kernel1, none marked as best. The kernel tells no times, so `firstSeen`, one for
 * each family, keeps them: the times are as fine as the calls are frequent. Call it on the kernel's news too.
 */
export function localRoutes(input: LocalRoutesInput, firstSeen: FirstSeen): BirdRoute[] {
  const drafts = [...staticRoutes(input), ...directRoutes(input), ...learnedRoutes(input)];
  const keyed = drafts.map((draft) => ({ draft, key: identity(draft) }));
  const times = firstSeen.observe(keyed.map(({ key }) => key));
  return keyed.map(({ draft, key }) => ({ ...draft, sinceMs: times.get(key) ?? 0, isBest: false }));
}

function* staticRoutes(input: LocalRoutesInput): Generator<Draft> {
  const base = { protocol: LocalProtocol.static, source: "static", preference: Preference.static } as const;
  for (const prefix of input.blackholes) {
    if (prefix.family === input.family) yield { ...base, prefix, via: { kind: "blackhole" } };
  }
  const { reachableBy = [], gateways = [] } = input;
  const wanted = [
    ...reachableBy.map(({ peer, gateway }) => ({ prefix: Prefix.host(peer), gateway })),
    ...gateways,
  ].filter(({ prefix }) => prefix.family === input.family);
  const subnets = wanted.length === 0 ? [] : connectedSubnets(input.kernel, input.family);
  for (const { prefix, gateway } of wanted) {
    // BIRD holds such a route back until the gateway is a neighbour.
    const link = subnets.find((subnet) => Prefix.contains(subnet.prefix, gateway));
    if (link === undefined) continue;
    yield { ...base, prefix, via: { kind: "gateway", gateway, interface: link.interface } };
  }
}

function* directRoutes(input: LocalRoutesInput): Generator<Draft> {
  const pods = input.interfacePrefix === undefined ? [] : [`${input.interfacePrefix}*`];
  const hidden = [...pods, "kube-ipvs*", ...input.ignoredInterfaces].map(wildcard);
  const addresses = input.kernel.addresses.filter(isPrimary);
  const seen = new Set<string>();
  for (const subnet of connectedSubnets({ ...input.kernel, addresses }, input.family)) {
    if (!isRoutable(subnet.address) || hidden.some((pattern) => pattern.test(subnet.interface))) continue;
    const draft: Draft = {
      prefix: subnet.prefix,
      via: { kind: "device", interface: subnet.interface },
      protocol: LocalProtocol.direct,
      source: "device",
      preference: Preference.direct,
    };
    // Several addresses in one subnet make one route.
    if (seen.has(identity(draft))) continue;
    seen.add(identity(draft));
    yield draft;
  }
}

function isPrimary(address: InterfaceAddress): boolean {
  return (address.flags & IfaFlag.IFA_F_SECONDARY) === 0;
}

/** BIRD's patterns know `*` and `?`. */
function wildcard(pattern: string): RegExp {
  const source = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${source.replaceAll("*", ".*").replaceAll("?", ".")}$`);
}

/** Alien routes of the main table: of several to one network the one of the least metric, as the kernel itself chooses. */
function learnedRoutes(input: LocalRoutesInput): Iterable<Draft> {
  const names = interfaceNames(input.kernel.links);
  const { ours = birdRoutes } = input;
  const learned = new Map<string, { readonly draft: Draft; readonly metric: number }>();
  for (const route of input.kernel.routes) {
    const { destination, metric, protocol } = route;
    if (destination.family !== input.family || route.table !== RouteTable.RT_TABLE_MAIN) continue;
    if (notLearned.has(protocol) || protocol === ours.protocol || !isRoutable(destination.address)) continue;
    const key = Prefix.key(destination);
    const rival = learned.get(key);
    if (rival !== undefined && rival.metric <= metric) continue;
    const via = routeVia(route, names);
    if (via === undefined) continue;
    const draft: Draft = {
      prefix: destination,
      via,
      protocol: LocalProtocol.kernel,
      source: "kernel",
      preference: Preference.kernel,
      kernel: { source: protocol, metric },
    };
    learned.set(key, { draft, metric });
  }
  return [...learned.values()].map(({ draft }) => draft);
}

/** `undefined` for what BIRD has no words for: other types, interfaces that have gone, shares without a gateway. */
function routeVia(route: Route, names: ReadonlyMap<number, string>): BirdVia | undefined {
  switch (route.type) {
    case RouteType.RTN_UNICAST:
      return unicastVia(route, names);
    case RouteType.RTN_BLACKHOLE:
      return { kind: "blackhole" };
    case RouteType.RTN_UNREACHABLE:
      return { kind: "unreachable" };
    case RouteType.RTN_PROHIBIT:
      return { kind: "prohibited" };
    default:
      return undefined;
  }
}

function unicastVia({ nextHops }: Route, names: ReadonlyMap<number, string>): BirdVia | undefined {
  const paths = [];
  for (const { interfaceIndex, gateway, weight = 1 } of nextHops) {
    const name = interfaceIndex === undefined ? undefined : names.get(interfaceIndex);
    if (name === undefined) return undefined;
    if (gateway === undefined) return nextHops.length === 1 ? { kind: "device", interface: name } : undefined;
    paths.push({ gateway, interface: name, weight });
  }
  const [first] = paths;
  if (first === undefined) return undefined;
  if (paths.length > 1) return { kind: "multipath", paths };
  return { kind: "gateway", gateway: first.gateway, interface: first.interface };
}

/** What makes it another route, with a time of its own: the network, who brought it and where it leads. */
function identity({ protocol, prefix, via }: Draft): string {
  return `${protocol} ${Prefix.key(prefix)} ${viaKey(via)}`;
}

function viaKey(via: BirdVia): string {
  switch (via.kind) {
    case "gateway":
      return `${IpAddress.format(via.gateway)}%${via.interface}`;
    case "device":
      return `%${via.interface}`;
    case "multipath":
      return via.paths
        .map((path) => `${IpAddress.format(path.gateway)}%${path.interface}*${path.weight}`)
        .join(" ");
    case "blackhole":
    case "unreachable":
    case "prohibited":
      return via.kind;
  }
}
