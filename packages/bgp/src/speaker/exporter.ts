import { type IpAddress, IpAddress as Ip, type IpFamily } from "@caracal/net";
import { type PaceClock } from "../export/advertisement-pace.ts";
import { type ExportSource, type GroupTraits } from "../export/export-rules.ts";
import { type ExportCounts, type GroupMember, noExports } from "../export/group-member.ts";
import { type SendTo } from "../export/group-outbox.ts";
import { type GroupExport, UpdateGroup } from "../export/update-group.ts";
import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { type Decision } from "../rib/decision.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type Rib } from "../rib/rib.ts";
import { type PeerIndex } from "../rib/route-rows.ts";
import { type Millis } from "../session/session-config.ts";
import { type Negotiated } from "../session/negotiated.ts";
import { type Peer } from "./peer.ts";
import { type PolicyBook } from "./policy-book.ts";

/** Keeps the update groups: which peers share one, and what each still has to hear. */
export class Exporter {
  readonly #attributes: AttributeTable;
  readonly #decision: Decision;
  readonly #rib: (family: IpFamily) => Rib;
  readonly #source: (index: PeerIndex) => ExportSource | undefined;
  readonly #groups = new Map<string, UpdateGroup>();
  /** The groups of each family, in a form that is quick to walk for every prefix. */
  readonly #byFamily: Record<IpFamily, UpdateGroup[]> = { 4: [], 6: [] };
  readonly #clock: PaceClock;
  readonly #policies: PolicyBook;

  constructor(
    attributes: AttributeTable,
    decision: Decision,
    rib: (family: IpFamily) => Rib,
    source: (index: PeerIndex) => ExportSource | undefined,
    policies: PolicyBook,
    clock: PaceClock,
  ) {
    this.#attributes = attributes;
    this.#decision = decision;
    this.#rib = rib;
    this.#source = source;
    this.#policies = policies;
    this.#clock = clock;
  }

  /** These policies are others now; `considerAll` follows for them. */
  policiesChanged(names: readonly string[]): void {
    for (const group of this.#groups.values()) {
      const { exportPolicy } = group.traits;
      if (names.includes(exportPolicy)) group.setPolicy(this.#policies.get(exportPolicy));
    }
  }

  /** Tells a peer whose session just came up everything. */
  join(peer: Peer, negotiated: Negotiated): void {
    for (const family of negotiated.families) this.#group(traits(peer, negotiated, family)).join(peer.index);
  }

  leave(peer: Peer): void {
    for (const [key, group] of this.#groups) {
      if (group.member(peer.index) === undefined) continue;
      group.leave(peer.index);
      this.#closeIfEmpty(key, group);
    }
  }

  /** The peer's configuration changed without its session: it may belong to other groups now. */
  move(peer: Peer): void {
    const { negotiated } = peer;
    if (negotiated === undefined) return;
    for (const family of negotiated.families) {
      const next = this.#group(traits(peer, negotiated, family));
      if (next.member(peer.index) !== undefined) continue;
      const member = next.join(peer.index);
      for (const [key, group] of this.#groups) {
        const old = group === next || group.traits.family !== family ? undefined : group.member(peer.index);
        if (old === undefined) continue;
        member.inherit(old);
        for (const [slot, held] of group.unsaid) member.missed(slot, held, true);
        this.#noteHeld(group, member, family);
        group.leave(peer.index);
        this.#closeIfEmpty(key, group);
      }
    }
  }

  /** The peer wants everything again (RFC 2918 §4). */
  refresh(peer: Peer, family: IpFamily, send: SendTo): void {
    const marked = peer.negotiated?.enhancedRefresh === true;
    for (const group of this.#groups.values()) {
      if (group.traits.family === family) group.refresh(peer.index, marked, send);
    }
  }

  setCongested(peer: Peer, full: boolean): void {
    for (const group of this.#groups.values()) group.setCongested(peer.index, full);
  }

  /** Families with peers that are told what this export policy says. */
  familiesOf(name: string): Set<IpFamily> {
    const groups = [...this.#groups.values()].filter((group) => group.traits.exportPolicy === name);
    return new Set(groups.map((group) => group.traits.family));
  }

  consider(family: IpFamily, slot: PrefixSlot): void {
    for (const group of this.#byFamily[family]) group.consider(slot);
  }

  /** Has every prefix compared anew, for groups whose policy changed. */
  considerAll(rib: Rib, name: string): void {
    for (const group of this.#groups.values()) {
      if (group.traits.family !== rib.family || group.traits.exportPolicy !== name) continue;
      for (let slot = 1; slot < rib.slots.bound; slot += 1) if (rib.slots.has(slot)) group.consider(slot);
    }
  }

  /** Sends what changed to all peers that keep up. */
  flush(send: SendTo): void {
    for (const group of this.#groups.values()) group.flush(send);
  }

  /** Sends those that lag a part of what they lack. */
  catchUp(send: SendTo): void {
    for (const group of this.#groups.values()) group.catchUp(send);
  }

  /** Says so to those that have just been told everything: our own first selection is done (RFC 4724 §4.1). */
  endRib(send: SendTo): void {
    for (const group of this.#groups.values()) group.endRib(send);
  }

  /** When what waits for an advertisement interval is due; `Infinity` while nothing waits. */
  get deadline(): Millis {
    let least = Infinity;
    for (const group of this.#groups.values()) least = Math.min(least, group.deadline);
    return least;
  }

  /** Whether a peer that could be told more has not been told all. */
  get hasBacklog(): boolean {
    for (const group of this.#groups.values()) if (group.hasBacklog) return true;
    return false;
  }

  forget(id: AttributeId): void {
    for (const group of this.#groups.values()) group.forget(id);
  }

  /** What a group worked out from a peer's identifier or role may be wrong from now on. */
  forgetExports(): void {
    for (const group of this.#groups.values()) group.forgetExports();
  }

  /** Routes told to a peer, and its counts over all families. */
  summary(peer: Peer): { exported: number; counts: ExportCounts } {
    const counts = noExports();
    let exported = 0;
    for (const group of this.#groups.values()) {
      const member = group.member(peer.index);
      if (member === undefined) continue;
      exported += group.exportedTo(peer.index);
      addCounts(counts, group.countsOf(member));
    }
    return { exported, counts };
  }

  /** What a peer is told of a prefix, and if `all`, what it is not told. */
  exports(peer: Peer, family: IpFamily, slot: PrefixSlot, all: boolean): readonly GroupExport[] {
    for (const group of this.#byFamily[family]) {
      if (group.member(peer.index) !== undefined) return group.exportsTo(peer.index, slot, all);
    }
    return [];
  }

  /** What the peer holds from its old group is withdrawn or told anew, prefix by prefix. */
  #noteHeld(old: UpdateGroup, member: GroupMember, family: IpFamily): void {
    const { slots } = this.#rib(family);
    for (let slot = 1; slot < slots.bound; slot += 1) {
      const held = slots.has(slot) ? old.heldPaths(slot) : [];
      if (held.length > 0) member.missed(slot, held, true);
    }
  }

  #group(wanted: GroupTraits): UpdateGroup {
    const key = JSON.stringify(wanted, (_key, value: unknown) =>
      typeof value === "bigint" ? `${value}n` : value,
    );
    const found = this.#groups.get(key);
    if (found !== undefined) return found;
    const group = new UpdateGroup(wanted, {
      rib: this.#rib(wanted.family),
      attributes: this.#attributes,
      decision: this.#decision,
      source: this.#source,
      clock: this.#clock,
      policy: this.#policies.get(wanted.exportPolicy),
    });
    this.#groups.set(key, group);
    this.#byFamily[wanted.family].push(group);
    return group;
  }

  #closeIfEmpty(key: string, group: UpdateGroup): void {
    if (!group.isEmpty) return;
    group.close();
    this.#groups.delete(key);
    const { family } = group.traits;
    this.#byFamily[family] = this.#byFamily[family].filter((one) => one !== group);
  }
}

function traits(peer: Peer, negotiated: Negotiated, family: IpFamily): GroupTraits {
  const { config } = peer;
  const addPath = negotiated.addPathSend.includes(family);
  return {
    family,
    external: negotiated.external,
    as4: negotiated.as4,
    addPath,
    localAsn: peer.localAsn,
    selfNextHop: selfNextHop(negotiated, config.otherFamilyAddress, family),
    ...(negotiated.extendedNextHop && family === 4 ? { extendedNextHop: true } : {}),
    nextHop: config.nextHop,
    reflectorClient: config.reflectorClient,
    clusterId: peer.clusterId,
    exportPolicy: config.exportPolicy,
    ...(config.addPathLimit === undefined || !addPath
      ? {}
      : { limited: { member: peer.index, count: config.addPathLimit } }),
    ...(config.advertisementIntervalMs === undefined || config.advertisementIntervalMs === 0
      ? {}
      : { advertisementIntervalMs: config.advertisementIntervalMs }),
    ...(config.gracefulShutdown === true ? { draining: true } : {}),
    ...(negotiated.external && config.removePrivateAs !== undefined
      ? { privateAs: { ...config.removePrivateAs, keptAsn: config.asn } }
      : {}),
    ...(peer.role === undefined ? {} : { role: peer.role }),
    ...(peer.innerAsn === undefined ? {} : { innerAsn: peer.innerAsn }),
    ...longLivedTraits(peer, negotiated),
    ...(peer.lacksPolicy("export") ? { isSilent: true } : {}),
    maxMessageBytes: negotiated.maxMessageBytes,
  };
}

/** RFC 9494 §4.3 and §4.6: who is told of routes that were kept beyond their peer's restart time. */
function longLivedTraits({ config }: Peer, negotiated: Negotiated): Pick<GroupTraits, "longLived"> {
  if (negotiated.longLived !== undefined) return {};
  return { longLived: config.longLivedPartial && !negotiated.external ? "lastChoice" : "untold" };
}

function selfNextHop(
  { localAddress: local, extendedNextHop }: Negotiated,
  other: IpAddress | undefined,
  family: IpFamily,
): IpAddress | undefined {
  if (Ip.family(local) === family) return local;
  if (other !== undefined && Ip.family(other) === family) return other;
  return extendedNextHop && family === 4 ? local : undefined;
}

function addCounts(sum: ExportCounts, one: ExportCounts): void {
  sum.updatesReceived += one.updatesReceived;
  sum.updatesRejected += one.updatesRejected;
  sum.updatesFiltered += one.updatesFiltered;
  sum.updatesAccepted += one.updatesAccepted;
  sum.withdrawsReceived += one.withdrawsReceived;
  sum.withdrawsAccepted += one.withdrawsAccepted;
}
