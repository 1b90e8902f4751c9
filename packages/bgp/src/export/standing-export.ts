import { WellKnownCommunity } from "../iana.ts";
import { type Role } from "../session/role.ts";
import { remembered } from "../policy/remembered.ts";
import { AsPath } from "../wire/as-path.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { keptLongAsLastChoice } from "./kept-long.ts";
import { marksOnExport, withOnlyToCustomer } from "./only-to-customer.ts";
import { type PrivateAsRemoval, withoutPrivateAsns } from "./private-as.ts";

/** What a group's settings change on every route that it is told, after the export policy. */
export interface StandingExport {
  /** RFC 8326: traffic is to leave this session. */
  readonly draining?: true;
  /** `keptAsn` is the peer's own. */
  readonly privateAs?: PrivateAsRemoval & { readonly keptAsn: number };
  /** Our AS behind the one that the peer knows us by; absent where that one replaces it. */
  readonly innerAsn?: number;
  /** How peers hear of routes with LLGR_STALE that do not know what it means (RFC 9494 §4.3, §4.6). */
  readonly longLived?: "untold" | "lastChoice";
  /** What we are to the peers (RFC 9234). */
  readonly role?: Role;
}

/** Those changes as one function, or `undefined` when there is nothing to change. */
export function standingExport(
  { draining, privateAs, innerAsn, longLived, role }: StandingExport,
  { external, localAsn }: { readonly external: boolean; readonly localAsn: number },
): ((value: PathAttributes) => PathAttributes) | undefined {
  const steps: ((value: PathAttributes) => PathAttributes)[] = [];
  if (privateAs !== undefined) {
    steps.push((value) => ({
      ...value,
      asPath: withoutPrivateAsns(value.asPath, privateAs, privateAs.keptAsn, localAsn),
    }));
  }
  if (innerAsn !== undefined) {
    steps.push((value) => ({ ...value, asPath: AsPath.prepend(value.asPath, innerAsn) }));
  }
  // RFC 8326 §4.2: other ASes are told by the community; in ours the preference says it.
  if (draining === true) steps.push(external ? withGracefulShutdown : leastPreferred);
  if (longLived === "lastChoice") steps.push(keptLongAsLastChoice);
  if (role !== undefined && marksOnExport(role)) steps.push((value) => withOnlyToCustomer(value, localAsn));
  if (steps.length === 0) return undefined;
  return remembered((value: PathAttributes) => steps.reduce((before, step) => step(before), value));
}

/** RFC 8326 §4.1. */
export function withGracefulShutdown(value: PathAttributes): PathAttributes {
  const { communities = [] } = value;
  if (communities.includes(WellKnownCommunity.gracefulShutdown)) return value;
  return { ...value, communities: [...communities, WellKnownCommunity.gracefulShutdown] };
}

/** RFC 8326 §4.2: the lowest preference, so that any other path is better. */
export function leastPreferred(value: PathAttributes): PathAttributes {
  return value.localPref === 0 ? value : { ...value, localPref: 0 };
}
