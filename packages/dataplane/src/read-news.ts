import { Ipv6, Prefix } from "@caracal/net";
import { type Change, lacksNextHops, type Link, type Route } from "@caracal/netlink";
import { isAsWanted, resolveRoute, type RouteKey, routeKey } from "./desired-route.ts";
import type { DesiredTable } from "./desired-table.ts";
import type { LinkTable } from "./link-table.ts";
import type { RouteMirror } from "./route-mirror.ts";

/** What is known of a namespace and wanted in it. */
export interface RouteKnowledge {
  readonly mirror: RouteMirror;
  readonly links: LinkTable;
  readonly desired: DesiredTable;
}

/** What a change made by others means for the reconciler. */
export type NewsEffect =
  /** It is of no concern, or known. */
  | { readonly kind: "none" }
  /** What was known no longer holds. */
  | { readonly kind: "stale" }
  /** Routes that failed may succeed now; routes that wait for this interface too. */
  | { readonly kind: "chance"; readonly interfaceName?: string }
  /** Somebody, such as the CNI engine, put in what is wanted here too. */
  | { readonly kind: "installed"; readonly key: RouteKey };

const none: NewsEffect = { kind: "none" };
const stale: NewsEffect = { kind: "stale" };

/** Takes one change into what is known, and tells its effect. */
export function readNews(change: Change, known: RouteKnowledge): NewsEffect {
  switch (change.kind) {
    case "route":
      return readRoute(change.route, change.gone, known);
    case "link":
      return readLink(change.link, change.gone, known);
    case "address":
      if (!change.gone) return { kind: "chance" };
      // Every pod's interface that goes takes a link-local address along, and no route depends on one.
      return Prefix.contains(linkLocalNetwork, change.address.address) ? none : stale;
    case "nextHop":
    case "neighbour":
    case "settings":
    case "rule":
      return none;
  }
}

function readRoute(route: Route, gone: boolean, { mirror, links, desired }: RouteKnowledge): NewsEffect {
  if (!desired.concernsTable(route.table)) return none;
  const key = routeKey(route);
  // Where the kernel names only the object that led it on, it may be any of these.
  if (gone && lacksNextHops(route)) return mirror.at(key).length > 0 ? stale : none;
  if (mirror.has(route) !== gone) return none;
  const wish = desired.at(key);
  if (wish === undefined && desired.claim(route, links) === "alien") {
    if (gone) mirror.remove(key, route);
    else mirror.add(route);
    return none;
  }
  const wanted = wish === undefined ? undefined : resolveRoute(wish, links);
  const isWanted = wanted !== undefined && !("missing" in wanted) && isAsWanted(wanted, route);
  if (gone || !isWanted || mirror.at(key).length > 0) return stale;
  mirror.add(route);
  return { kind: "installed", key };
}

function readLink(link: Link, gone: boolean, { mirror, links, desired }: RouteKnowledge): NewsEffect {
  const effect = links.absorb(link, gone);
  if (effect === "none") return none;
  if (effect === "gained") return { kind: "chance", interfaceName: link.name };
  // The kernel removed IPv4 routes through it without a word.
  const lost = mirror.leadsThrough(link.index, (route) => desired.at(routeKey(route)) !== undefined);
  if (lost) return stale;
  return gone ? none : { kind: "chance", interfaceName: link.name };
}

const linkLocalNetwork = Prefix.of(Ipv6.of(0xfe80n << 112n), 10);
