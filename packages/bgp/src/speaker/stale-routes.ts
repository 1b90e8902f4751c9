import { type IpFamily } from "@caracal/net";
import { type Rib } from "../rib/rib.ts";
import { RouteFlag, type RouteRow } from "../rib/route-rows.ts";
import { type Negotiated } from "../session/negotiated.ts";
import { unicastFamily } from "../wire/capability.ts";
import { type Peer } from "./peer.ts";

/** Removes routes of a peer: all of them, or those with a `RouteFlag`. Says how many. */
export function removeRoutes(rib: Rib, peer: Peer, which: "all" | number): number {
  let count = 0;
  forEachRoute(rib, peer, (row) => {
    if (which !== "all" && !rib.rows.has(row, which)) return;
    if (!rib.rows.has(row, RouteFlag.stale)) peer.announced[rib.family] -= 1;
    rib.remove(row);
    count += 1;
  });
  return count;
}

/** Marks what a peer said as said in an earlier session. */
export function markStale(rib: Rib, peer: Peer): void {
  forEachRoute(rib, peer, (row) => rib.rows.setFlag(row, RouteFlag.stale, true));
  peer.announced[rib.family] = 0;
}

/** Families whose routes the peer asked to be kept while it is away (RFC 4724 §4.2). */
export function familiesToKeep({ gracefulRestart, families }: Negotiated): IpFamily[] {
  const named = gracefulRestart?.families.map(unicastFamily) ?? [];
  return families.filter((family) => named.includes(family));
}

/** Whether the returned peer kept up the forwarding of a family: without the time that is over, and with it. */
export function isPreserved(negotiated: Negotiated, family: IpFamily, isLongLived: boolean): boolean {
  const capability = isLongLived ? negotiated.longLived : negotiated.gracefulRestart;
  if (!negotiated.families.includes(family)) return false;
  return (
    capability?.families.some((one) => unicastFamily(one) === family && one.forwardingPreserved) === true
  );
}

export function forEachRoute(rib: Rib, peer: Peer, visit: (row: RouteRow) => void): void {
  const { rows } = rib;
  for (let row = 1; row < rows.bound; row += 1) {
    if (rows.slot(row) !== 0 && rows.peer(row) === peer.index) visit(row);
  }
}
