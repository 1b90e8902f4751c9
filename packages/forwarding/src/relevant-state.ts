import { type IpAddress, Prefix } from "@caracal/net";
import type { Link, Neighbour, Route } from "@caracal/netlink";
import type { NetworkState, PacketFilter } from "./network-state.ts";
import { objectsAbout } from "./filter/filter-objects.ts";

/** How often one thing leads to the next: an address to its gateway, that to a tunnel's other end, and so on. */
const maxRounds = 8;
/** More of one kind than this tells nothing to anybody. */
const maxItems = 2_000;
/** A packet filter whose JSON is longer than this does not travel. */
const maxFilterCharacters = 384 * 1024;

/** What a state is cut down for. */
export interface Interest {
  readonly addresses: readonly IpAddress[];
  /** Interfaces that are wanted by name. */
  readonly interfaces: readonly string[];
}

/**
 * The part of a state that decides where packets to and from the addresses go: the routes that hold them, their gateways,
 * those gateways' neighbour entries, the tunnel ends behind these, and what the packet filter says of any of them.
 */
export function relevantState(state: NetworkState, { addresses, interfaces }: Interest): NetworkState {
  const known = new Set<IpAddress>(addresses);
  let routes: readonly Route[] = [];
  let neighbours: readonly Neighbour[] = [];
  let forwarding: readonly Neighbour[] = [];
  for (let round = 0, size = -1; round < maxRounds && size !== known.size; round += 1) {
    size = known.size;
    const wanted = [...known];
    routes = state.routes.filter(({ destination }) =>
      wanted.some((one) => Prefix.contains(destination, one)),
    );
    for (const { nextHops } of routes) {
      for (const { gateway } of nextHops) if (gateway !== undefined) known.add(gateway);
    }
    neighbours = state.neighbours.filter(({ address }) => address !== undefined && known.has(address));
    const macs = new Set(neighbours.map(({ mac }) => mac));
    forwarding = state.forwarding.filter(({ mac }) => mac === 0 || macs.has(mac));
    for (const { address } of forwarding) if (address !== undefined) known.add(address);
  }
  const used = new Set<number | undefined>([
    ...routes.flatMap(({ nextHops }) => nextHops.map(({ interfaceIndex }) => interfaceIndex)),
    ...neighbours.map(({ interfaceIndex }) => interfaceIndex),
    ...forwarding.map(({ interfaceIndex }) => interfaceIndex),
    ...state.addresses.map(({ interfaceIndex }) => interfaceIndex),
  ]);
  const links = state.links.filter(
    (link) => used.has(link.index) || interfaces.includes(link.name) || isTunnel(link),
  );
  const names = new Set(links.map(({ name }) => name));
  return {
    links: links.slice(0, maxItems),
    addresses: state.addresses.slice(0, maxItems),
    rules: state.rules.slice(0, maxItems),
    routes: routes.slice(0, maxItems),
    neighbours: neighbours.slice(0, maxItems),
    forwarding: forwarding.slice(0, maxItems),
    settings: Object.fromEntries(Object.entries(state.settings).filter(([path]) => isWanted(path, names))),
    filter: relevantFilter(state.filter, known),
  };
}

function isTunnel({ kind }: Link): boolean {
  return kind === "vxlan" || kind === "ipip" || kind === "wireguard";
}

/** Settings of interfaces that are left out are left out too. */
function isWanted(path: string, names: ReadonlySet<string>): boolean {
  const name = /^ipv[46]\/(?:conf|neigh)\/([^/]+)\//.exec(path)?.[1];
  return name === undefined || name === "all" || name === "default" || names.has(name);
}

function relevantFilter(filter: PacketFilter, addresses: ReadonlySet<IpAddress>): PacketFilter {
  if (filter.kind === "unknown") return filter;
  const objects = objectsAbout(filter.objects, [...addresses]);
  const length = JSON.stringify(objects).length;
  return length <= maxFilterCharacters
    ? { kind: "known", objects }
    : { kind: "unknown", because: `its rules are ${length} characters long, too many to be sent` };
}
