import { markOnImport, withOnlyToCustomer } from "../export/only-to-customer.ts";
import { leastPreferred, withGracefulShutdown } from "../export/standing-export.ts";
import { AttributeCode, WellKnownCommunity } from "../iana.ts";
import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { AsPath } from "../wire/as-path.ts";
import { attributeValue, findAttribute, nextAttribute, wordAt } from "../wire/canonical-attributes.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { type Peer } from "./peer.ts";

/** What is done to a peer's routes before the import policy sees them: most peers' stay as they are. */
export function beforeImportPolicy(peer: Peer, id: AttributeId, table: AttributeTable): AttributeId {
  const { external, config, localAsn, role } = peer;
  const mark = role === undefined ? undefined : markOnImport(table.canonical(id), role, config.asn);
  const prepends = config.localAsnMode === "prepend" && external && config.localAsn !== undefined;
  if (mark === undefined && !prepends) return id;
  let value = table.get(id);
  if (mark !== undefined) value = withOnlyToCustomer(value, mark);
  if (prepends) value = { ...value, asPath: AsPath.prepend(value.asPath, localAsn) };
  return table.intern(value);
}

/** What communities and the peer's settings ask for whatever the policy made of a route. */
export function afterImportPolicy(peer: Peer, id: AttributeId, table: AttributeTable): AttributeId {
  const { external, config } = peer;
  if (id === 0) return id;
  const isDraining = config.gracefulShutdown === true;
  if (!external && !isDraining && config.blackhole !== true) return id;
  const found = standingCommunities(table.canonical(id));
  // RFC 8326 §4.1: what another AS is about to take away is the last choice.
  const isLeaving = isDraining || (external && (found & foundShutdown) !== 0);
  const isDiscarded = config.blackhole === true && (found & foundBlackhole) !== 0;
  if (!isLeaving && !isDiscarded) return id;
  let value = table.get(id);
  if (isLeaving) value = leastPreferred(value);
  if (isDraining && external) value = withGracefulShutdown(value);
  if (isDiscarded && (found & foundKept) === 0) value = withNoExport(value);
  return table.intern(value);
}

const foundShutdown = 1;
const foundBlackhole = 2;
const foundKept = 4;

function standingCommunities(set: Uint8Array): number {
  const start = findAttribute(set, AttributeCode.communities);
  if (start < 0) return 0;
  const end = nextAttribute(set, start);
  let found = 0;
  for (let at = attributeValue(set, start); at < end; at += 4) {
    const community = wordAt(set, at);
    if (community === WellKnownCommunity.gracefulShutdown) found |= foundShutdown;
    else if (community === WellKnownCommunity.blackhole) found |= foundBlackhole;
    else if (community === WellKnownCommunity.noExport || community === WellKnownCommunity.noAdvertise) {
      found |= foundKept;
    }
  }
  return found;
}

/** RFC 7999 §3.2: traffic is discarded in the AS that agreed to, and nowhere else. */
function withNoExport(value: PathAttributes): PathAttributes {
  const { communities = [] } = value;
  return { ...value, communities: [...communities, WellKnownCommunity.noExport] };
}
