import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { type Decision } from "../rib/decision.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type Rib } from "../rib/rib.ts";
import { type PeerIndex, type RouteRow } from "../rib/route-rows.ts";
import { UpdateWriter } from "../wire/update-writer.ts";
import { AdjRibOut } from "./adj-rib-out.ts";
import { ExportBatch, type RouteRun } from "./export-batch.ts";
import { type ExportSource, type GroupTraits, exportAttributes, mayExport } from "./export-rules.ts";
import { type ExportCounts, GroupMember, noExports } from "./group-member.ts";
import { type Policy, type RouteSource } from "./policy.ts";

/** Prefixes told to one lagging peer at a time, so that a full table does not hold up everything else. */
export const catchUpPrefixes = 16_384;

/** What a group takes from the speaker around it. */
export interface GroupContext {
  readonly rib: Rib;
  readonly attributes: AttributeTable;
  readonly decision: Decision;
  readonly source: (index: PeerIndex) => ExportSource | undefined;
  readonly policy: () => Policy | undefined;
}

/** Sends bytes to a peer. The same array may go to many: nobody changes it. */
export type SendTo = (peer: PeerIndex, bytes: Uint8Array) => void;

/** Peers that are told the same: their Adj-RIB-Out is kept once and an UPDATE is encoded once for all of them. */
export class UpdateGroup {
  readonly traits: GroupTraits;
  readonly members: Map<PeerIndex, GroupMember> = new Map();
  readonly #context: GroupContext;
  readonly #out: AdjRibOut;
  readonly #batch = new ExportBatch();
  readonly #writer: UpdateWriter;
  readonly #counts: ExportCounts = noExports();
  /** Export of an attribute set for the source it last had, where no policy looks at the prefix. 0: not exported. */
  readonly #exported = new Map<AttributeId, { readonly source: PeerIndex; readonly told: AttributeId }>();

  constructor(traits: GroupTraits, context: GroupContext) {
    this.traits = traits;
    this.#context = context;
    this.#out = new AdjRibOut(context.rib, context.attributes);
    this.#writer = new UpdateWriter(traits);
    const { slots } = context.rib;
    for (let slot = 1; slot < slots.bound; slot += 1) if (slots.has(slot)) this.consider(slot);
    this.#endBatch();
  }

  /** A peer that has been told nothing yet. */
  join(peer: PeerIndex): GroupMember {
    const member = new GroupMember(peer, this.#context.rib, this.#counts);
    this.members.set(peer, member);
    return member;
  }

  leave(peer: PeerIndex): void {
    this.members.get(peer)?.leave();
    this.members.delete(peer);
  }

  /** Lets go of all it holds; for a group without members. */
  close(): void {
    this.#out.clear();
    for (const id of this.#exported.keys()) this.forget(id);
  }

  /** What a member has been told, and has been spared because the route is its own. */
  exportedTo(peer: PeerIndex): number {
    return this.#out.size - this.#out.countFrom(peer);
  }

  countsOf(member: GroupMember): ExportCounts {
    const { updatesReceived, updatesRejected, updatesFiltered, withdrawsReceived } = this.#counts;
    const before = member.countsBefore;
    return {
      updatesReceived: updatesReceived - before.updatesReceived,
      updatesRejected: updatesRejected - before.updatesRejected,
      updatesFiltered: updatesFiltered - before.updatesFiltered,
      updatesAccepted: member.counts.updatesAccepted,
      withdrawsReceived: withdrawsReceived - before.withdrawsReceived,
      withdrawsAccepted: member.counts.withdrawsAccepted,
    };
  }

  /** The path identifiers that a member may hold for a prefix. */
  heldPaths(slot: PrefixSlot): number[] {
    const held: number[] = [];
    for (let row = this.#out.first(slot); row !== 0; row = this.#out.next(row)) {
      held.push(this.#out.pathId(row));
    }
    return held;
  }

  /** Compares what the group should be told of a prefix with what it has been told, and notes the difference. */
  consider(slot: PrefixSlot): void {
    const { rib } = this.#context;
    const best = rib.best(slot);
    if (!this.traits.addPath) {
      this.#considerPath(slot, 0, best);
      return;
    }
    const held = this.heldPaths(slot);
    if (best !== 0) {
      for (let row = rib.first(slot); row !== 0; row = rib.rows.next(row)) {
        if (this.#context.decision.isUsable(rib, row)) this.#considerPath(slot, row, row, held);
      }
    }
    for (const pathId of held) {
      const isGone = best === 0 || rib.rows.slot(pathId) !== slot;
      if (isGone || !this.#context.decision.isUsable(rib, pathId)) this.#considerPath(slot, pathId, 0, held);
    }
  }

  /** Encodes what was noted and sends it to all members that keep up. */
  flush(send: SendTo): void {
    if (this.#batch.isEmpty) return;
    for (const run of this.#batch.runs()) {
      const bytes = this.#encode(run);
      for (const member of this.members.values()) {
        if (member.isLagging || member.peer === run.except) continue;
        this.#tell(member, run, bytes, send);
      }
    }
    for (const member of this.members.values()) {
      const run = member.isLagging ? undefined : this.#batch.runFor(member.peer);
      if (run !== undefined) this.#tell(member, run, this.#encode(run), send);
    }
    this.#endBatch();
  }

  /** Tells a lagging member its own backlog, a bounded part of it. */
  catchUp(member: GroupMember, mayEndRib: boolean, send: SendTo): void {
    if (member.congested) return;
    if (member.hasBacklog) {
      const batch = new ExportBatch();
      member.catchUp(catchUpPrefixes, (slot, held) => this.#retell(batch, member.peer, slot, held));
      for (const run of batch.runs()) this.#tell(member, run, this.#encode(run), send);
      for (const slot of batch.withdrawnSlots()) this.#context.rib.release(slot);
    }
    if (!member.hasBacklog && member.endOfRibDue && mayEndRib) {
      member.endOfRibDue = false;
      this.#writer.endOfRib();
      send(member.peer, this.#writer.take());
    }
  }

  /** An attribute set is about to lose its number. */
  forget(id: AttributeId): void {
    const cached = this.#exported.get(id);
    if (cached === undefined) return;
    this.#exported.delete(id);
    this.#context.attributes.release(cached.told);
  }

  /** The export policy is another: nothing worked out before counts. The caller has every prefix considered. */
  policyChanged(): void {
    for (const id of this.#exported.keys()) this.forget(id);
  }

  #considerPath(slot: PrefixSlot, pathId: number, row: RouteRow, held?: readonly number[]): void {
    const out = this.#out;
    const before = out.find(slot, pathId);
    const source = this.#context.rib.rows.peer(row);
    const told = row === 0 ? 0 : this.#exportRoute(slot, row, source);
    if (row === 0) this.#counts.withdrawsReceived += 1;
    if (told === 0 && before === 0) return;
    if (told !== 0 && before !== 0 && out.value(before) === told && out.source(before) === source) return;
    this.#noteMissed(slot, held ?? (before === 0 ? [] : [pathId]));
    const sourceBefore = before === 0 ? 0 : out.source(before);
    if (told === 0) {
      this.#batch.withdraw(this.#member(sourceBefore), slot, pathId);
      this.#context.rib.hold(slot);
      out.remove(slot, before);
      return;
    }
    if (before === 0) out.add(slot, pathId, told, source);
    else out.change(before, told, source);
    this.#batch.announce(told, this.#member(source), slot, pathId);
    if (before !== 0 && source !== sourceBefore && this.members.has(source)) {
      this.#batch.withdrawFrom(source, slot, pathId);
      this.#context.rib.hold(slot);
    }
  }

  #noteMissed(slot: PrefixSlot, held: readonly number[]): void {
    for (const member of this.members.values()) if (member.isLagging) member.missed(slot, held);
  }

  /** Only a member needs to be left out; other sources pack together. */
  #member(source: PeerIndex): PeerIndex {
    return this.members.has(source) ? source : 0;
  }

  /** The attribute set that the group is told for a route, or 0. */
  #exportRoute(slot: PrefixSlot, row: RouteRow, source: PeerIndex): AttributeId {
    const { rib, attributes } = this.#context;
    const id = rib.rows.accepted(row);
    this.#counts.updatesReceived += 1;
    const policy = this.#context.policy();
    if (policy !== undefined) return this.#exportByPolicy(policy, slot, id, source);
    const cached = this.#exported.get(id);
    if (cached !== undefined && cached.source === source) {
      if (cached.told === 0) this.#counts.updatesRejected += 1;
      return cached.told;
    }
    const told = this.#exportByRules(id, source);
    this.forget(id);
    attributes.retain(told);
    this.#exported.set(id, { source, told });
    return told;
  }

  #exportByRules(id: AttributeId, sourceIndex: PeerIndex): AttributeId {
    const { attributes } = this.#context;
    const value = attributes.get(id);
    const source = this.#context.source(sourceIndex);
    const told = mayExport(value, source, this.traits)
      ? exportAttributes(value, value, source, this.traits)
      : undefined;
    if (told !== undefined) return attributes.intern(told);
    this.#counts.updatesRejected += 1;
    return 0;
  }

  #exportByPolicy(policy: Policy, slot: PrefixSlot, id: AttributeId, sourceIndex: PeerIndex): AttributeId {
    const { attributes, rib } = this.#context;
    const accepted = attributes.get(id);
    const source = this.#context.source(sourceIndex);
    if (!mayExport(accepted, source, this.traits)) {
      this.#counts.updatesRejected += 1;
      return 0;
    }
    const value = policy({
      prefix: rib.slots.prefix(slot),
      attributes: accepted,
      source: routeSource(source),
    });
    // A policy may add a community that keeps the route from leaving.
    const told =
      value !== undefined && mayExport(value, source, this.traits)
        ? exportAttributes(value, accepted, source, this.traits)
        : undefined;
    if (told !== undefined) return attributes.intern(told);
    this.#counts.updatesFiltered += 1;
    return 0;
  }

  /** What a member has to hear of a prefix, whatever it has heard before. */
  #retell(batch: ExportBatch, peer: PeerIndex, slot: PrefixSlot, held: readonly number[]): void {
    const out = this.#out;
    for (let row = out.first(slot); row !== 0; row = out.next(row)) {
      if (out.source(row) !== peer) batch.announce(out.value(row), 0, slot, out.pathId(row));
    }
    for (const pathId of held) {
      const row = out.find(slot, pathId);
      if (row !== 0 && out.source(row) !== peer) continue;
      // Kept until it is encoded.
      this.#context.rib.hold(slot);
      batch.withdraw(0, slot, pathId);
    }
  }

  #tell(member: GroupMember, run: RouteRun, bytes: Uint8Array, send: SendTo): void {
    if (run.value === 0) member.counts.withdrawsAccepted += run.slots.length;
    else member.counts.updatesAccepted += run.slots.length;
    send(member.peer, bytes);
  }

  #encode(run: RouteRun): Uint8Array {
    const { slots } = this.#context.rib;
    const { addPath } = this.traits;
    const writer = this.#writer;
    const write: Parameters<UpdateWriter["withdraw"]>[1] = (out, index) => {
      if (addPath) out.u32(run.pathIds[index] ?? 0);
      slots.write(out, run.slots[index] ?? 0);
    };
    const isTold =
      run.value !== 0 && writer.announce(this.#context.attributes.get(run.value), run.slots.length, write);
    // Attributes that do not fit a message cannot be told; the peer must not keep the route that they replace.
    if (!isTold) writer.withdraw(run.slots.length, write);
    return writer.take();
  }

  #endBatch(): void {
    const held = [...this.#batch.withdrawnSlots()];
    this.#batch.clear();
    for (const slot of held) this.#context.rib.release(slot);
  }
}

export function routeSource(source: ExportSource | undefined): RouteSource {
  return source === undefined
    ? { kind: "local" }
    : { kind: "peer", name: source.name, external: source.external };
}
