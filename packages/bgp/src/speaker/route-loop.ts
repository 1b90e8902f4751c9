import { type Ipv4 } from "@caracal/net";
import { AttributeCode } from "../iana.ts";
import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { attributeValue, nextAttribute, wordAt } from "../wire/canonical-attributes.ts";
import { type Peer } from "./peer.ts";

/** What of us a route that came back has in it. */
export type LoopReason = "own AS" | "own identifier" | "own cluster" | "own next hop";

/** Whether the route has been here: RFC 4271 §9.1.2, RFC 4456 §8; or leads back to us (RFC 4271 §5.1.3). */
export function routeLoop(
  peer: Peer,
  id: AttributeId,
  attributes: AttributeTable,
  routerId: Ipv4,
): LoopReason | undefined {
  const nextHop = attributes.nextHop(id);
  if (nextHop !== undefined && nextHop === peer.negotiated?.localAddress) return "own next hop";
  const set = attributes.canonical(id);
  for (let at = 0; at < set.length; at = nextAttribute(set, at)) {
    const value = attributeValue(set, at);
    const end = nextAttribute(set, at);
    const code = set[at + 1];
    if (code === AttributeCode.asPath) {
      if (isOwnPath(peer, set, value, end)) return "own AS";
    } else if (code === AttributeCode.originatorId) {
      if (wordAt(set, value) === routerId) return "own identifier";
    } else if (code === AttributeCode.clusterList) {
      if (hasWord(set, value, end, peer.clusterId)) return "own cluster";
    }
  }
  return undefined;
}

/** Our number towards this peer counts, and the one behind it where paths that we tell have it too. */
function isOwnPath(
  { localAsn, innerAsn, config }: Peer,
  set: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (countAsn(set, start, end, localAsn) > config.allowLocalAs) return true;
  return innerAsn !== undefined && countAsn(set, start, end, innerAsn) > config.allowLocalAs;
}

/** How often an AS occurs in the path that stands from `start` to `end`. */
function countAsn(set: Uint8Array, start: number, end: number, asn: number): number {
  let count = 0;
  for (let at = start; at < end;) {
    const next = at + 2 + (set[at + 1] ?? 0) * 4;
    for (at += 2; at < next; at += 4) if (wordAt(set, at) === asn) count += 1;
  }
  return count;
}

function hasWord(set: Uint8Array, start: number, end: number, word: number): boolean {
  for (let at = start; at < end; at += 4) if (wordAt(set, at) === word) return true;
  return false;
}
