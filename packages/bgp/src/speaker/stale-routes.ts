import { type IpFamily } from "@caracal/net";
import { type Rib } from "../rib/rib.ts";
import { type PeerIndex, RouteFlag, type RouteRow } from "../rib/route-rows.ts";
import { type Negotiated } from "../session/negotiated.ts";
import { unicastFamily } from "../wire/capability.ts";

/** Removes routes of a peer: all of them, or those with a `RouteFlag`. Says how many. */
export function removeRoutes(rib: Rib, peer: PeerIndex, which: "all" | number): number {
  let count = 0;
  forEachRoute(rib, peer, (row) => {
    if (which !== "all" && !rib.rows.has(row, which)) return;
    rib.remove(row);
    count += 1;
  });
  return count;
}

/**
 * RFC 4724 §4.2: the routes of a peer that may be restarting stay in use, marked stale; those that were stale before
 * have had their chance and go.
 */
export function keepRoutes(rib: Rib, peer: PeerIndex): void {
  removeRoutes(rib, peer, RouteFlag.stale);
  forEachRoute(rib, peer, (row) => rib.rows.setFlag(row, RouteFlag.stale, true));
}

/** Families whose routes the peer asked to be kept while it is away. */
export function familiesToKeep({ gracefulRestart, families }: Negotiated): IpFamily[] {
  const named = gracefulRestart?.families.map(unicastFamily) ?? [];
  return families.filter((family) => named.includes(family));
}

/** Of the stale families, those whose forwarding the returned peer kept up. */
export function familiesPreserved({ gracefulRestart }: Negotiated): IpFamily[] {
  const families: IpFamily[] = [];
  for (const one of gracefulRestart?.families ?? []) {
    const family = one.forwardingPreserved ? unicastFamily(one) : undefined;
    if (family !== undefined) families.push(family);
  }
  return families;
}

export function forEachRoute(rib: Rib, peer: PeerIndex, visit: (row: RouteRow) => void): void {
  const { rows } = rib;
  for (let row = 1; row < rows.bound; row += 1) {
    if (rows.slot(row) !== 0 && rows.peer(row) === peer) visit(row);
  }
}
