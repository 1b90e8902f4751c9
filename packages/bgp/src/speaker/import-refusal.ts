import { type Ipv4 } from "@caracal/net";
import { isLeaked } from "../export/only-to-customer.ts";
import { AttributeCode, SegmentType } from "../iana.ts";
import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { RouteFlag } from "../rib/route-rows.ts";
import { attributeValue, findAttribute, nextAttribute } from "../wire/canonical-attributes.ts";
import { type Peer } from "./peer.ts";
import { type LoopReason, routeLoop } from "./route-loop.ts";

/** Why a peer's route takes no part, whatever its import policy thinks of it. */
export type ImportRefusal = LoopReason | "leaked to us" | "AS set" | "no policy";

/** What keeps a route with these attributes out; `undefined` when it is for the policy to say. */
export function importRefusal(
  peer: Peer,
  id: AttributeId,
  table: AttributeTable,
  routerId: Ipv4,
): ImportRefusal | undefined {
  const loop = routeLoop(peer, id, table, routerId);
  if (loop !== undefined) return loop;
  const { role, config } = peer;
  if (role !== undefined && isLeaked(table.canonical(id), role, config.asn)) return "leaked to us";
  if (config.refuseAsSets === true && hasAsSet(table.canonical(id))) return "AS set";
  return peer.lacksPolicy("import") ? "no policy" : undefined;
}

/** The `RouteFlag` that keeps it in mind; 0 without a refusal. */
export function refusalFlag(refusal: ImportRefusal | undefined): number {
  switch (refusal) {
    case undefined:
      return 0;
    case "leaked to us":
      return RouteFlag.leaked;
    case "AS set":
    case "no policy":
      return RouteFlag.filtered;
    default:
      return RouteFlag.looped;
  }
}

/** RFC 6472 §3: an unordered path hides who announced the route. */
function hasAsSet(set: Uint8Array): boolean {
  const path = findAttribute(set, AttributeCode.asPath);
  if (path < 0) return false;
  const end = nextAttribute(set, path);
  for (let at = attributeValue(set, path); at < end; at += 2 + (set[at + 1] ?? 0) * 4) {
    if (set[at] === SegmentType.asSet) return true;
  }
  return false;
}
