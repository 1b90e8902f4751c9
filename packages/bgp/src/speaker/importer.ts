import { type IpFamily, type Ipv4 } from "@caracal/net";
import { WellKnownCommunity } from "../iana.ts";
import { routeSource } from "../export/exported-routes.ts";
import { type Policy } from "../export/policy.ts";
import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { type Rib } from "../rib/rib.ts";
import { RouteFlag, type RouteRow } from "../rib/route-rows.ts";
import { type Millis } from "../session/session-config.ts";
import { type NlriBlock, NlriCursor } from "../wire/nlri.ts";
import { type PlainUpdate } from "../wire/plain-update.ts";
import { type Update } from "../wire/update.ts";
import { importRefusal, refusalFlag } from "./import-refusal.ts";
import { blockedFrom } from "./max-prefixes.ts";
import { type Peer } from "./peer.ts";
import { type PolicyBook } from "./policy-book.ts";
import { afterImportPolicy, beforeImportPolicy } from "./standing-import.ts";

/** What ends when a route is told again. */
const keptFlags: number = RouteFlag.stale | RouteFlag.longLived | RouteFlag.unconfirmed;

/** Why a route takes no part. */
const refusalFlags: number = RouteFlag.looped | RouteFlag.leaked | RouteFlag.filtered;

/** Those that count as rejected; the others count as filtered. */
const rejections: number = RouteFlag.looped | RouteFlag.leaked;

/** What is known of an attribute set before its prefixes are looked at. */
interface Verdict {
  /** The `RouteFlag` of a set that is not looked at further; else 0. */
  readonly refusal: number;
  /** Asked for each prefix. */
  readonly policy: Policy | undefined;
  /** What the policy is given, or without one, what is accepted. */
  readonly id: AttributeId;
}

/** Turns what peers say into routes (RFC 4271 §9: the Update-Receive phase and §9.1.1's policy). */
export class Importer {
  readonly #attributes: AttributeTable;
  readonly #routerId: Ipv4;
  readonly #rib: (family: IpFamily) => Rib;
  readonly #policies: PolicyBook;

  constructor(
    attributes: AttributeTable,
    routerId: Ipv4,
    rib: (family: IpFamily) => Rib,
    policies: PolicyBook,
  ) {
    this.#attributes = attributes;
    this.#routerId = routerId;
    this.#rib = rib;
    this.#policies = policies;
  }

  /** Puts an UPDATE into the tables; prefixes that it touched are dirty. */
  update(peer: Peer, update: Update, now: Millis): void {
    const agreed = peer.negotiated?.families ?? [];
    for (const block of update.withdrawn) if (agreed.includes(block.family)) this.#withdraw(peer, block);
    for (const { nlri, attributes } of update.announced) {
      if (!agreed.includes(nlri.family)) continue;
      const id = this.#attributes.intern(attributes);
      this.#announce(peer, this.#rib(nlri.family), new NlriCursor(nlri), id, now);
    }
  }

  /** The same for one that came packed. */
  plainUpdate(peer: Peer, update: PlainUpdate, now: Millis): void {
    const { family, attributesEnd } = update;
    if (peer.negotiated?.families.includes(family) !== true) return;
    const id = this.#attributes.internCanonical(update);
    this.#announce(peer, this.#rib(family), new NlriCursor(update, attributesEnd), id, now);
  }

  /** Decides about every route of a peer again, from what it said. */
  reconsider(peer: Peer, rib: Rib): void {
    for (let row = 1; row < rib.rows.bound; row += 1) {
      if (rib.rows.slot(row) === 0 || rib.rows.peer(row) !== peer.index) continue;
      const before = rib.rows.accepted(row);
      this.#accept(peer, rib, row, this.#judge(peer, rib.rows.received(row)));
      if (rib.rows.has(row, RouteFlag.longLived)) this.depreference(rib, row);
      if (rib.rows.accepted(row) !== before) rib.markDirty(rib.rows.slot(row));
    }
  }

  /** Marks a route as kept beyond its peer's restart time (RFC 9494 §4.2); one that was not accepted stays so. */
  depreference(rib: Rib, row: RouteRow): void {
    const id = rib.rows.accepted(row);
    if (id === 0) return;
    const { communities = [], ...rest } = this.#attributes.get(id);
    if (communities.includes(WellKnownCommunity.llgrStale)) return;
    const marked = { ...rest, communities: [...communities, WellKnownCommunity.llgrStale] };
    rib.setAccepted(row, this.#attributes.intern(marked));
    rib.markDirty(rib.rows.slot(row));
  }

  #withdraw(peer: Peer, block: NlriBlock): void {
    const rib = this.#rib(block.family);
    const cursor = new NlriCursor(block);
    while (cursor.next()) {
      peer.imports.withdrawsReceived += 1;
      const slot = rib.slots.find(cursor);
      const row = slot === 0 ? 0 : rib.find(slot, peer.index, cursor.pathId);
      if (row === 0) {
        peer.imports.withdrawsIgnored += 1;
        continue;
      }
      peer.imports.withdrawsAccepted += 1;
      if (!rib.rows.has(row, RouteFlag.stale)) peer.announced[rib.family] -= 1;
      rib.remove(row);
    }
  }

  #announce(peer: Peer, rib: Rib, cursor: NlriCursor, id: AttributeId, now: Millis): void {
    const { rows } = rib;
    const { imports } = peer;
    const verdict = this.#judge(peer, id);
    const sinceS = Math.floor(now / 1000);
    const limit = blockedFrom(peer.config.maxPrefixes);
    let announced = peer.announced[rib.family];
    while (cursor.next()) {
      imports.updatesReceived += 1;
      if (announced >= limit && this.#isNew(peer, rib, cursor)) {
        imports.updatesRejected += 1;
        peer.blockedCounts[rib.family] += 1;
        continue;
      }
      const row = rib.take(cursor, peer.index, cursor.pathId);
      const before = rows.received(row);
      let isKept = false;
      if (before === 0) announced += 1;
      else if (rows.has(row, keptFlags)) {
        if (rows.has(row, RouteFlag.stale)) announced += 1;
        isKept = rows.has(row, RouteFlag.longLived);
        rows.setFlag(row, keptFlags, false);
      }
      if (before === id && !isKept) {
        imports.updatesIgnored += 1;
        continue;
      }
      rib.setReceived(row, id, sinceS);
      this.#accept(peer, rib, row, verdict);
      if ((verdict.refusal & rejections) !== 0) imports.updatesRejected += 1;
      else if (rows.accepted(row) === 0) imports.updatesFiltered += 1;
      else imports.updatesAccepted += 1;
      rib.markDirty(rows.slot(row));
    }
    peer.announced[rib.family] = announced;
  }

  /** Whether a prefix would count as one more. */
  #isNew(peer: Peer, rib: Rib, cursor: NlriCursor): boolean {
    const slot = rib.slots.find(cursor);
    const row = slot === 0 ? 0 : rib.find(slot, peer.index, cursor.pathId);
    return row === 0 || rib.rows.has(row, RouteFlag.stale);
  }

  #judge(peer: Peer, received: AttributeId): Verdict {
    const refusal = refusalFlag(importRefusal(peer, received, this.#attributes, this.#routerId));
    if (refusal !== 0) return { refusal, policy: undefined, id: 0 };
    const policy = this.#policies.get(peer.config.importPolicy);
    const id = beforeImportPolicy(peer, received, this.#attributes);
    return { refusal, policy, id: policy === undefined ? afterImportPolicy(peer, id, this.#attributes) : id };
  }

  #accept(peer: Peer, rib: Rib, row: RouteRow, { refusal, policy, id }: Verdict): void {
    const { rows } = rib;
    const accepted = policy === undefined ? id : this.#byPolicy(policy, id, peer, rib, row);
    const reason = accepted === 0 && refusal === 0 ? RouteFlag.filtered : refusal;
    rows.setFlag(row, refusalFlags, false);
    if (reason !== 0) rows.setFlag(row, reason, true);
    rib.setAccepted(row, accepted);
  }

  #byPolicy(policy: Policy, id: AttributeId, peer: Peer, rib: Rib, row: RouteRow): AttributeId {
    const attributes = this.#attributes.get(id);
    const prefix = rib.slots.prefix(rib.rows.slot(row));
    const value = policy({ prefix, attributes, source: routeSource(peer.facts) });
    if (value === undefined) return 0;
    const decided = value === attributes ? id : this.#attributes.intern(value);
    return afterImportPolicy(peer, decided, this.#attributes);
  }
}
