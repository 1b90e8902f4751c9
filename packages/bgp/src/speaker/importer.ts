import { type IpFamily, type Ipv4 } from "@caracal/net";
import { AttributeCode } from "../iana.ts";
import { routeSource } from "../export/exported-routes.ts";
import { type Policies, type Policy } from "../export/policy.ts";
import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { type Rib } from "../rib/rib.ts";
import { RouteFlag, type RouteRow } from "../rib/route-rows.ts";
import { type Millis } from "../session/session-config.ts";
import { attributeValue, nextAttribute, wordAt } from "../wire/canonical-attributes.ts";
import { type NlriBlock, NlriCursor } from "../wire/nlri.ts";
import { type PlainUpdate } from "../wire/plain-update.ts";
import { type Update } from "../wire/update.ts";
import { type Peer } from "./peer.ts";

/** Turns what peers say into routes (RFC 4271 §9: the Update-Receive phase and §9.1.1's policy). */
export class Importer {
  readonly #attributes: AttributeTable;
  readonly #routerId: Ipv4;
  readonly #rib: (family: IpFamily) => Rib;
  policies: Policies = new Map();

  constructor(attributes: AttributeTable, routerId: Ipv4, rib: (family: IpFamily) => Rib) {
    this.#attributes = attributes;
    this.#routerId = routerId;
    this.#rib = rib;
  }

  /** Puts an UPDATE into the tables; prefixes that it touched are dirty. */
  update(peer: Peer, update: Update, now: Millis): void {
    const agreed = peer.negotiated?.families ?? [];
    for (const block of update.withdrawn) if (agreed.includes(block.family)) this.#withdraw(peer, block);
    for (const { nlri, attributes } of update.announced) {
      if (!agreed.includes(nlri.family)) continue;
      this.#announce(peer, this.#rib(nlri.family), nlri, this.#attributes.intern(attributes), now);
    }
  }

  /** The same for one that came packed. */
  plainUpdate(peer: Peer, update: PlainUpdate, now: Millis): void {
    const { family } = update.nlri;
    if (peer.negotiated?.families.includes(family) !== true) return;
    const id = this.#attributes.internCanonical(update);
    this.#announce(peer, this.#rib(family), update.nlri, id, now);
  }

  /** Decides about every route of a peer again, from what it said. */
  reconsider(peer: Peer, rib: Rib): void {
    const policy = this.policies.get(peer.config.importPolicy);
    for (let row = 1; row < rib.rows.bound; row += 1) {
      if (rib.rows.slot(row) === 0 || rib.rows.peer(row) !== peer.index) continue;
      const before = rib.rows.accepted(row);
      this.#accept(peer, rib, row, this.#isLoop(peer, rib.rows.received(row)), policy);
      if (rib.rows.accepted(row) !== before) rib.markDirty(rib.rows.slot(row));
    }
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
      rib.remove(row);
    }
  }

  #announce(peer: Peer, rib: Rib, nlri: NlriBlock, id: AttributeId, now: Millis): void {
    const { rows } = rib;
    const { imports } = peer;
    const isLoop = this.#isLoop(peer, id);
    const policy = isLoop ? undefined : this.policies.get(peer.config.importPolicy);
    const sinceS = Math.floor(now / 1000);
    const cursor = new NlriCursor(nlri);
    while (cursor.next()) {
      imports.updatesReceived += 1;
      const row = rib.take(cursor, peer.index, cursor.pathId);
      rows.setFlag(row, RouteFlag.stale, false);
      if (rows.received(row) === id) {
        imports.updatesIgnored += 1;
        continue;
      }
      rib.setReceived(row, id, sinceS);
      this.#accept(peer, rib, row, isLoop, policy);
      if (isLoop) imports.updatesRejected += 1;
      else if (rows.accepted(row) === 0) imports.updatesFiltered += 1;
      else imports.updatesAccepted += 1;
      rib.markDirty(rows.slot(row));
    }
  }

  #accept(peer: Peer, rib: Rib, row: RouteRow, isLoop: boolean, policy: Policy | undefined): void {
    const { rows } = rib;
    let accepted = isLoop ? 0 : rows.received(row);
    if (policy !== undefined && !isLoop) accepted = this.#byPolicy(policy, peer, rib, row);
    rows.setFlag(row, RouteFlag.looped, isLoop);
    rows.setFlag(row, RouteFlag.filtered, !isLoop && accepted === 0);
    rib.setAccepted(row, accepted);
  }

  #byPolicy(policy: Policy, peer: Peer, rib: Rib, row: RouteRow): AttributeId {
    const received = rib.rows.received(row);
    const attributes = this.#attributes.get(received);
    const prefix = rib.slots.prefix(rib.rows.slot(row));
    const value = policy({ prefix, attributes, source: routeSource(peer.facts) });
    if (value === undefined) return 0;
    return value === attributes ? received : this.#attributes.intern(value);
  }

  /** Whether the route has been here: RFC 4271 §9.1.2, RFC 4456 §8; or leads back to us (RFC 4271 §5.1.3). */
  #isLoop(peer: Peer, id: AttributeId): boolean {
    const nextHop = this.#attributes.nextHop(id);
    if (nextHop !== undefined && nextHop === peer.negotiated?.localAddress) return true;
    const set = this.#attributes.canonical(id);
    for (let at = 0; at < set.length; at = nextAttribute(set, at)) {
      const value = attributeValue(set, at);
      const end = nextAttribute(set, at);
      const code = set[at + 1];
      if (code === AttributeCode.asPath) {
        if (countAsn(set, value, end, peer.localAsn) > peer.config.allowLocalAs) return true;
      } else if (code === AttributeCode.originatorId) {
        if (wordAt(set, value) === this.#routerId) return true;
      } else if (code === AttributeCode.clusterList) {
        if (hasWord(set, value, end, peer.clusterId)) return true;
      }
    }
    return false;
  }
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
