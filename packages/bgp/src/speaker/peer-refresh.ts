import { type IpFamily } from "@caracal/net";
import { RefreshKind } from "../iana.ts";
import { type Rib } from "../rib/rib.ts";
import { RouteFlag } from "../rib/route-rows.ts";
import { type Negotiated } from "../session/negotiated.ts";
import { type Millis } from "../session/session-config.ts";
import { unicast } from "../wire/capability.ts";
import { encodeRouteRefresh } from "../wire/route-refresh.ts";
import { forEachRoute, removeRoutes } from "./stale-routes.ts";
import { type Peer } from "./peer.ts";

/** The longest wait for the end of a refresh; then what was not told again goes (RFC 7313 §4). */
export const refreshLimitMs: Millis = 360_000;

/** A peer tells all of its routes of a family again: those it leaves out are gone (RFC 7313 §4). */
export class PeerRefresh {
  readonly #deadlines = new Map<IpFamily, Millis>();

  /** When the wait for the earliest end is over. */
  get deadline(): Millis | undefined {
    return this.#deadlines.size === 0 ? undefined : Math.min(...this.#deadlines.values());
  }

  /** Families that have waited long enough. */
  overdue(now: Millis): IpFamily[] {
    return [...this.#deadlines].flatMap(([family, deadline]) => (deadline <= now ? [family] : []));
  }

  /** The peer begins. Says whether that counts: before its End-of-RIB it has nothing to repeat. */
  begin(peer: Peer, rib: Rib, now: Millis): boolean {
    if (peer.negotiated?.gracefulRestart !== undefined && !peer.endOfRib.has(rib.family)) return false;
    forEachRoute(rib, peer, (row) => rib.rows.setFlag(row, RouteFlag.unconfirmed, true));
    this.#deadlines.set(rib.family, now + refreshLimitMs);
    return true;
  }

  /** The peer is done, or time is up. Says how many routes that ends; without a beginning, none. */
  end(peer: Peer, rib: Rib): number {
    return this.#deadlines.delete(rib.family) ? removeRoutes(rib, peer, RouteFlag.unconfirmed) : 0;
  }

  /** The session is over. */
  forget(): void {
    this.#deadlines.clear();
  }
}

/** What asks a peer for everything again; `undefined` for one that does not answer. */
export function refreshRequest(negotiated: Negotiated, family: IpFamily): Uint8Array | undefined {
  if (!negotiated.routeRefresh || !negotiated.families.includes(family)) return undefined;
  return encodeRouteRefresh({ kind: "routeRefresh", ...unicast(family), subtype: RefreshKind.request });
}
