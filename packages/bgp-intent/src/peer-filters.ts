import type { FilterSession } from "@caracal/bgp";
import type { BgpIntent, FilterIntent, PeerIntent } from "@caracal/intent";
import { type IpAddress, Prefix } from "@caracal/net";

export type Direction = "import" | "export";

/** The link that leads to a next hop. */
export type LinkOf = (nextHop: IpAddress) => string | undefined;

/** The peer's filters of its own family in its order; one that does not exist is left out. */
export function filtersOf(
  intent: BgpIntent,
  peer: PeerIntent,
  direction: Direction,
): readonly FilterIntent[] {
  return peer.filters.flatMap((name) => {
    const filter = intent.filters.find((one) => one.name === name);
    return filter === undefined ? [] : filter[direction][peer.family];
  });
}

/** Where a peer's filters stand. */
export function filterSession(
  intent: BgpIntent,
  peer: PeerIntent,
  direction: Direction,
  linkOf: LinkOf,
): FilterSession {
  const links = ownLinks(intent);
  return {
    direction,
    peerType: peerTypeOf(peer),
    linkOf: ({ prefix, attributes: { nextHop }, source }) => {
      if (source.kind === "local") return links.get(Prefix.format(prefix));
      return nextHop === undefined ? undefined : linkOf(nextHop);
    },
  };
}

export function peerTypeOf(peer: PeerIntent): "iBGP" | "eBGP" {
  return peer.localAsNumber === peer.remoteAsNumber ? "iBGP" : "eBGP";
}

/** The links of the node's own routes; blocks and service ranges have none. */
export function ownLinks(intent: BgpIntent): ReadonlyMap<string, string> {
  return new Map(
    intent.origins.flatMap(({ prefix, interfaceName }) =>
      interfaceName === undefined ? [] : [[Prefix.format(prefix), interfaceName] as const],
    ),
  );
}
