import type { Filter, FilterSession } from "@caracal/bgp";
import type { BgpIntent, FilterIntent, PeerIntent } from "@caracal/intent";
import { type IpAddress, type IpFamily, Prefix } from "@caracal/net";

export type Direction = "import" | "export";

/** The link that leads to a next hop. */
export type LinkOf = (nextHop: IpAddress) => string | undefined;

/** The peer's filters of the families that it carries, in its order; one that does not exist is left out. */
export function filtersOf(intent: BgpIntent, peer: PeerIntent, direction: Direction): readonly Filter[] {
  return peer.filters.flatMap((name) => {
    const filter = intent.filters.find((one) => one.name === name);
    if (filter === undefined) return [];
    const own = filter[direction][peer.family];
    if (peer.carriesIpv4 !== true) return own;
    const rules = [...ofFamily(own, peer.family), ...ofFamily(filter[direction][4], 4)];
    return { ...own, rules };
  });
}

/** A filter's rules, kept from routes of the other family. */
function ofFamily({ rules }: FilterIntent, family: IpFamily): Filter["rules"] {
  return rules.map((rule) => ({ ...rule, match: { ...rule.match, family } }));
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
