import { type IpFamily } from "@caracal/net";
import { WellKnownCommunity } from "../iana.ts";
import { type AttributeTable } from "../rib/attribute-table.ts";
import { type Rib } from "../rib/rib.ts";
import { RouteFlag } from "../rib/route-rows.ts";
import { type Negotiated } from "../session/negotiated.ts";
import { type Millis } from "../session/session-config.ts";
import { hasCommunity } from "../wire/canonical-attributes.ts";
import { unicastFamily } from "../wire/capability.ts";
import { type Importer } from "./importer.ts";
import { type Peer } from "./peer.ts";
import { type SpeakerFact } from "./speaker-events.ts";
import { familiesToKeep, forEachRoute, isPreserved, markStale, removeRoutes } from "./stale-routes.ts";

/** Where the routes of one family stand that outlived the session they were said in. */
export interface StaleTime {
  /**
   * "restart": the peer is away, within its restart time (RFC 4724). "returned": it is back and has not said all yet.
   * "longLived": it was away for longer (RFC 9494), and may be back. "expired": back, but the time went by before it had
   * said all: only what it said counts, and that not over another loss.
   */
  readonly phase: "restart" | "returned" | "longLived" | "expired";
  readonly until: Millis;
  /** What follows the restart time; 0: nothing. */
  readonly longLivedMs: Millis;
}

/** What the keeper takes from the speaker around it. */
export interface RouteKeeperContext {
  readonly ribs: Readonly<Record<IpFamily, Rib>>;
  readonly attributes: AttributeTable;
  readonly importer: Importer;
  /** How long a returned peer's old routes are kept without its End-of-RIB. */
  readonly staleRoutesMs: Millis;
  readonly log: (fact: SpeakerFact) => void;
}

const families: readonly IpFamily[] = [4, 6];

/** Keeps the routes of peers that are away for as long as was agreed (RFC 4724 §4.2, RFC 8538, RFC 9494 §4.2). */
export class RouteKeeper {
  readonly #context: RouteKeeperContext;

  constructor(context: RouteKeeperContext) {
    this.#context = context;
  }

  /** When `tick` is due for a peer. */
  deadline({ stale }: Peer): Millis {
    let least = Infinity;
    if (stale.size === 0) return least;
    for (const { until } of stale.values()) least = Math.min(least, until);
    return least;
  }

  /** A session ended; `keeps`: not for a reason after which nothing is kept. */
  lost(peer: Peer, negotiated: Negotiated | undefined, keeps: boolean, now: Millis): void {
    for (const family of families) {
      if (!keeps || negotiated?.families.includes(family) !== true) this.#drop(peer, family);
      else this.#lostFamily(peer, negotiated, family, now);
    }
    const untilMs = this.deadline(peer);
    if (untilMs < Infinity) this.#context.log({ kind: "staleRoutesKept", peer: peer.config.name, untilMs });
  }

  /** RFC 4724 §4.2, RFC 9494 §4.2: what the peer does not forward any more goes at once; the rest waits for its word. */
  established(peer: Peer, negotiated: Negotiated, now: Millis): void {
    for (const [family, { phase, until }] of peer.stale) {
      const isLongLived = phase === "longLived";
      if (!isPreserved(negotiated, family, isLongLived)) this.confirmed(peer, family);
      // The long-lived time goes on: it is neither stopped nor set anew before the peer has said all.
      else if (isLongLived) peer.stale.set(family, { phase, until, longLivedMs: 0 });
      else {
        const end = now + this.#context.staleRoutesMs;
        peer.stale.set(family, { phase: "returned", until: end, longLivedMs: 0 });
      }
    }
  }

  /** The peer has said all that it has: what it did not say again is gone. */
  confirmed(peer: Peer, family: IpFamily): void {
    if (peer.stale.delete(family)) this.#removeStale(peer, family);
  }

  /** Does what is due. */
  tick(peer: Peer, now: Millis): void {
    for (const [family, time] of peer.stale) {
      if (time.until > now) continue;
      if (time.phase === "restart" && time.longLivedMs > 0) {
        this.#beginLongLived(peer, family, time.until + time.longLivedMs);
      } else if (time.phase === "longLived" && peer.negotiated !== undefined) {
        peer.stale.set(family, { phase: "expired", until: Infinity, longLivedMs: 0 });
        this.#removeStale(peer, family);
      } else {
        this.confirmed(peer, family);
      }
    }
  }

  #lostFamily(peer: Peer, negotiated: Negotiated, family: IpFamily, now: Millis): void {
    const before = peer.stale.get(family);
    const rib = this.#context.ribs[family];
    if (before?.phase === "longLived") {
      markStale(rib, peer);
      this.#beginLongLived(peer, family, before.until);
      return;
    }
    const restarts = familiesToKeep(negotiated).includes(family);
    const restartMs = restarts ? (negotiated.gracefulRestart?.restartTimeS ?? 0) * 1000 : 0;
    const longLivedMs = longLivedTime(peer, negotiated, family);
    if (before?.phase === "expired" || (!restarts && longLivedMs === 0)) {
      this.#drop(peer, family);
      return;
    }
    // RFC 4724 §4.2: what was stale before has had its chance.
    removeRoutes(rib, peer, RouteFlag.stale);
    markStale(rib, peer);
    peer.stale.set(family, { phase: "restart", until: now + restartMs, longLivedMs });
    if (restartMs === 0) this.tick(peer, now);
  }

  /** RFC 9494 §4.2: marks what may be kept so long as the last choice of all, here and wherever it is told. */
  #beginLongLived(peer: Peer, family: IpFamily, until: Millis): void {
    const { ribs, attributes, importer, log } = this.#context;
    const rib = ribs[family];
    let count = 0;
    forEachRoute(rib, peer, (row) => {
      const { rows } = rib;
      const refuses = [rows.received(row), rows.accepted(row)].some(
        (id) => id !== 0 && hasCommunity(attributes.canonical(id), WellKnownCommunity.noLlgr),
      );
      if (refuses) {
        rib.remove(row);
        return;
      }
      count += 1;
      rows.setFlag(row, RouteFlag.longLived, true);
      importer.depreference(rib, row);
    });
    peer.stale.set(family, { phase: "longLived", until, longLivedMs: 0 });
    log({ kind: "longLivedRoutesKept", peer: peer.config.name, family, count, untilMs: until });
  }

  #removeStale(peer: Peer, family: IpFamily): void {
    const count = removeRoutes(this.#context.ribs[family], peer, RouteFlag.stale);
    if (count > 0) this.#context.log({ kind: "staleRoutesRemoved", peer: peer.config.name, count });
  }

  #drop(peer: Peer, family: IpFamily): void {
    peer.stale.delete(family);
    removeRoutes(this.#context.ribs[family], peer, "all");
  }
}

/** The time that both ends want; RFC 9494 §4.2: our own configuration bounds the peer's. */
function longLivedTime(peer: Peer, { longLived }: Negotiated, family: IpFamily): Millis {
  const offered = longLived?.families.find((one) => unicastFamily(one) === family)?.staleTimeS ?? 0;
  return Math.min(offered, peer.config.longLivedTimeS ?? 0) * 1000;
}
