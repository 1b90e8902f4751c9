import { AttributeCode } from "../iana.ts";
import { type Role } from "../session/role.ts";
import { attributeValue, findAttribute, wordAt } from "../wire/canonical-attributes.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";

/**
 * The rules of RFC 9234 §5, which keep a route that went down to a customer, or across to a peer, from going up again.
 * `role` is always ours.
 */

/** Whether a route, canonical bytes, must not have come from this neighbour: somebody leaked it. */
export function isLeaked(set: Uint8Array, role: Role, neighborAsn: number): boolean {
  const at = findAttribute(set, AttributeCode.onlyToCustomer);
  if (at < 0) return false;
  if (role === "peer") return wordAt(set, attributeValue(set, at)) !== neighborAsn;
  return role === "provider" || role === "rs";
}

/** The neighbour's AS, where a route that came from it is to be marked with it; else `undefined`. */
export function markOnImport(set: Uint8Array, role: Role, neighborAsn: number): number | undefined {
  const comesDown = role === "customer" || role === "peer" || role === "rs-client";
  return comesDown && findAttribute(set, AttributeCode.onlyToCustomer) < 0 ? neighborAsn : undefined;
}

/** Whether a marked route must not go to this neighbour. */
export function isKeptFrom(set: Uint8Array, role: Role): boolean {
  const goesUp = role === "customer" || role === "peer" || role === "rs-client";
  return goesUp && findAttribute(set, AttributeCode.onlyToCustomer) >= 0;
}

/** Whether what goes to this neighbour is marked. */
export function marksOnExport(role: Role): boolean {
  return role === "provider" || role === "peer" || role === "rs";
}

/** A mark that is there stays as it is. */
export function withOnlyToCustomer(value: PathAttributes, asn: number): PathAttributes {
  return value.onlyToCustomer === undefined ? { ...value, onlyToCustomer: asn } : value;
}
