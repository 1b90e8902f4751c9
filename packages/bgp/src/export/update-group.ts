import { RefreshKind } from "../iana.ts";
import { type AttributeId } from "../rib/attribute-table.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type PeerIndex, type RouteRow } from "../rib/route-rows.ts";
import { AdvertisementPace } from "./advertisement-pace.ts";
import { AdjRibOut, type OutRow } from "./adj-rib-out.ts";
import { ExportBatch } from "./export-batch.ts";
import { type ExportRefusal, type GroupTraits, type PathLimit } from "./export-rules.ts";
import { type GroupContext, ExportedRoutes } from "./exported-routes.ts";
import { type ExportCounts, GroupMember, noExports } from "./group-member.ts";
import { type Millis } from "../session/session-config.ts";
import { GroupOutbox, type SendTo } from "./group-outbox.ts";
import { UnhearingMember } from "./unhearing-member.ts";
import { type Policy } from "./policy.ts";

/** What a member is told of a prefix, or is not told, and why. */
export interface GroupExport {
  readonly pathId: number;
  readonly source: PeerIndex;
  readonly value: AttributeId;
  readonly state: "told" | "waiting" | "kept";
  readonly why?: ExportRefusal;
}

/** Prefixes told to one lagging peer at a time, so that a full table does not hold up everything else. */
export const catchUpPrefixes = 16_384;

/** Peers that are told the same: their Adj-RIB-Out is kept once and an UPDATE is encoded once for all of them. */
export class UpdateGroup {
  readonly traits: GroupTraits;
  readonly #members = new Map<PeerIndex, GroupMember>();
  readonly #context: GroupContext;
  readonly #out: AdjRibOut;
  readonly #batch = new ExportBatch();
  readonly #outbox: GroupOutbox;
  readonly #routes: ExportedRoutes;
  readonly #counts: ExportCounts = noExports();
  readonly #pace: AdvertisementPace;
  /** Members that have to be told something of their own. */
  #lagging: readonly GroupMember[] = [];
  readonly #unhearing: UnhearingMember;

  constructor(traits: GroupTraits, context: GroupContext) {
    this.traits = traits;
    this.#context = context;
    this.#out = new AdjRibOut(context.rib, context.attributes, traits.addPath);
    this.#outbox = new GroupOutbox(traits, context.rib, context.attributes);
    this.#routes = new ExportedRoutes(traits, context, this.#counts);
    const { limited } = traits;
    // The one that a limit is for comes only when its routes have been worked out.
    const hearing = limited === undefined ? this.#members : new Map([[limited.member, true]]);
    this.#unhearing = new UnhearingMember(hearing, context);
    this.#pace = new AdvertisementPace(traits.advertisementIntervalMs ?? 0, context.rib, context.clock);
    const { slots } = context.rib;
    for (let slot = 1; slot < slots.bound; slot += 1) if (slots.has(slot)) this.consider(slot);
    this.#endBatch();
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  member(peer: PeerIndex): GroupMember | undefined {
    return this.#members.get(peer);
  }

  /** Whether a member that could be told more has not been told all. */
  get hasBacklog(): boolean {
    return this.#lagging.some((member) => member.hasBacklog && !member.congested);
  }

  /** When what waits for the advertisement interval is due; `Infinity` while nothing waits. */
  get deadline(): Millis {
    return this.#pace.deadline;
  }

  /** A peer that has been told nothing yet. */
  join(peer: PeerIndex): GroupMember {
    const member = new GroupMember(peer, this.#context.rib, this.#counts);
    this.#members.set(peer, member);
    this.#noteLagging();
    return member;
  }

  leave(peer: PeerIndex): void {
    this.#members.get(peer)?.leave();
    this.#members.delete(peer);
    this.#noteLagging();
  }

  /** A member wants everything again (RFC 2918 §4), `marked` with a beginning and an end (RFC 7313 §4). */
  refresh(peer: PeerIndex, marked: boolean, send: SendTo): void {
    const member = this.#members.get(peer);
    if (member === undefined) return;
    if (!marked) member.restart();
    // RFC 7313 §4: no beginning before End-of-RIB.
    else if (member.endOfRibDue) member.markedRefresh = "waiting";
    else this.#beginRefresh(member, send);
    this.#noteLagging();
  }

  setCongested(peer: PeerIndex, full: boolean): void {
    const member = this.#members.get(peer);
    if (member === undefined) return;
    member.congested = full;
    this.#noteLagging();
  }

  /** Lets go of all it holds; for a group without members. */
  close(): void {
    this.#pace.release(Infinity, () => undefined);
    this.#out.clear();
    this.#routes.clear();
  }

  /** What members hold of prefixes that changed and wait for the advertisement interval, also where it is gone here. */
  get unsaid(): Iterable<readonly [PrefixSlot, readonly number[]]> {
    return this.#pace.waiting;
  }

  /** What a member has been told, and has been spared because the route is its own. */
  exportedTo(peer: PeerIndex): number {
    return this.#out.size - this.#out.countFrom(peer);
  }

  countsOf(member: GroupMember): ExportCounts {
    const { updatesReceived, updatesRejected, updatesFiltered, withdrawsReceived } = this.#counts;
    const before = member.countsBefore;
    return {
      updatesReceived: updatesReceived - before.updatesReceived + member.counts.updatesReceived,
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

  /** What a member is told of a prefix, and if `all`, what it is not told. For show commands. */
  exportsTo(peer: PeerIndex, slot: PrefixSlot, all: boolean): GroupExport[] {
    const out = this.#out;
    const exports: GroupExport[] = [];
    for (let row = out.first(slot); row !== 0; row = out.next(row)) {
      const source = out.source(row);
      if (source === peer || this.#unhearing.of(source, out.value(row)) === peer) continue;
      const isWaiting = this.#pace.has(slot) || this.#members.get(peer)?.awaits(slot) === true;
      const state = isWaiting ? "waiting" : "told";
      exports.push({ pathId: out.pathId(row), source, value: out.value(row), state });
    }
    return all ? [...exports, ...this.#keptFrom(peer, slot)] : exports;
  }

  #keptFrom(peer: PeerIndex, slot: PrefixSlot): GroupExport[] {
    const { rib } = this.#context;
    const whyElse = this.traits.limited === undefined ? undefined : "path limit";
    return this.#candidates(slot).flatMap((row): GroupExport[] => {
      const source = rib.rows.peer(row);
      const pathId = this.traits.addPath ? row : 0;
      const told = this.#out.find(slot, pathId);
      let why: ExportRefusal | undefined;
      if (source === peer) why = "its own route";
      else if (told !== 0) why = this.#exceptFor(told) === peer ? "its own address" : undefined;
      else
        why = this.#routes.whyNot(slot, row, source, (value) => this.#unhearing.of(source, value)) ?? whyElse;
      if (why === undefined) return [];
      return [{ pathId, source, value: rib.rows.accepted(row), state: "kept", why }];
    });
  }

  /** The routes of a prefix that the group would be told if nothing else kept them, nor a limit. */
  #candidates(slot: PrefixSlot): RouteRow[] {
    const { rib, decision } = this.#context;
    const best = rib.best(slot);
    if (!this.traits.addPath || best === 0) return best === 0 ? [] : [best];
    const rows: RouteRow[] = [];
    for (let row = rib.first(slot); row !== 0; row = rib.rows.next(row)) {
      if (decision.isUsable(rib, row)) rows.push(row);
    }
    return rows;
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
    if (this.traits.limited !== undefined) {
      const wanted = this.#bestFew(slot, best, this.traits.limited);
      for (const [row, told] of wanted) this.#compare(slot, row, told, rib.rows.peer(row), held);
      for (const pathId of held) if (!wanted.has(pathId)) this.#considerPath(slot, pathId, 0, held);
      return;
    }
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

  /** Of the routes that the one member may hear, the first few, each with what is told of it. */
  #bestFew(slot: PrefixSlot, best: RouteRow, { member, count }: PathLimit): Map<RouteRow, AttributeId> {
    const { rib, decision } = this.#context;
    const few = new Map<RouteRow, AttributeId>();
    if (best === 0) return few;
    for (const row of decision.ranked(rib, slot)) {
      const source = rib.rows.peer(row);
      if (source === member) continue;
      const told = this.#routes.told(slot, row, source);
      if (told === 0 || this.#unhearing.of(source, told) !== 0) continue;
      few.set(row, told);
      if (few.size === count) break;
    }
    return few;
  }

  /** Encodes what was noted and sends it to all members that keep up. */
  flush(send: SendTo): void {
    if (this.#batch.isEmpty) return;
    this.#outbox.send(this.#batch, this.#keepingUp(), send);
    this.#endBatch();
    this.#pace.begin();
  }

  #keepingUp(): readonly GroupMember[] {
    const members = [...this.#members.values()];
    return this.#lagging.length === 0 ? members : members.filter((member) => !member.isLagging);
  }

  /** Tells lagging members their own backlog, a bounded part of it; those at the same place share the work. */
  catchUp(send: SendTo): void {
    this.#releaseWaiting(send);
    if (this.#lagging.length === 0) return;
    const together = new Map<PrefixSlot, GroupMember[]>();
    for (const member of this.#lagging) {
      if (member.congested) continue;
      const cursor = member.sharedCursor;
      const sharing = cursor === undefined ? undefined : together.get(cursor);
      if (sharing !== undefined) sharing.push(member);
      else if (cursor !== undefined) together.set(cursor, [member]);
      else if (member.hasBacklog) this.#retellTo([member], send);
    }
    for (const members of together.values()) this.#retellTo(members, send);
    this.#noteLagging();
  }

  /** Tells members that have been told everything just that (RFC 4724 §2, RFC 7313 §4). */
  endRib(send: SendTo): void {
    let isTold = false;
    for (const member of this.#lagging) {
      if (member.isLagging) continue;
      isTold = true;
      if (member.endOfRibDue) {
        member.endOfRibDue = false;
        send(member.peer, this.#outbox.endOfRib());
      }
      if (member.markedRefresh === "waiting") {
        this.#beginRefresh(member, send);
      } else if (member.markedRefresh === "running") {
        member.markedRefresh = "none";
        send(member.peer, this.#outbox.refreshMark(RefreshKind.end));
      }
    }
    if (isTold) this.#noteLagging();
  }

  /** An attribute set is about to lose its number. */
  forget(id: AttributeId): void {
    this.#routes.forget(id);
  }

  setPolicy(policy: Policy | undefined): void {
    this.#routes.setPolicy(policy);
  }

  /** Nothing worked out before counts. */
  forgetExports(): void {
    this.#routes.clear();
  }

  #considerPath(slot: PrefixSlot, pathId: number, row: RouteRow, held?: readonly number[]): void {
    const source = this.#context.rib.rows.peer(row);
    if (row === 0) this.#counts.withdrawsReceived += 1;
    this.#compare(slot, pathId, row === 0 ? 0 : this.#routes.told(slot, row, source), source, held);
  }

  /** What is to be told of a path, 0 for nothing, against what has been told. */
  #compare(
    slot: PrefixSlot,
    pathId: number,
    told: AttributeId,
    source: PeerIndex,
    held?: readonly number[],
  ): void {
    const out = this.#out;
    const before = out.find(slot, pathId);
    if (told === 0 && before === 0) return;
    const sourceBefore = before === 0 ? 0 : out.source(before);
    const exceptBefore = before === 0 ? 0 : this.#unhearing.of(sourceBefore, out.value(before));
    if (before !== 0 && told === out.value(before) && source === sourceBefore) return;
    if (this.#lagging.length > 0) this.#noteMissed(slot, held ?? (before === 0 ? [] : [pathId]));
    if (this.#pace.isHolding) {
      this.#pace.wait(slot, held ?? (before === 0 ? [] : [pathId]));
      if (told === 0) out.remove(slot, before);
      else if (before === 0) out.add(slot, pathId, told, source);
      else out.change(before, told, source);
      return;
    }
    if (told === 0) {
      this.#batch.withdraw(exceptBefore, slot, pathId);
      this.#context.rib.hold(slot);
      out.remove(slot, before);
      return;
    }
    if (before === 0) out.add(slot, pathId, told, source);
    else out.change(before, told, source);
    const except = this.#unhearing.of(source, told);
    this.#batch.announce(told, except, slot, pathId);
    if (before !== 0 && except !== 0 && except !== exceptBefore) {
      this.#batch.withdrawFrom(except, slot, pathId);
      this.#context.rib.hold(slot);
    }
  }

  /** Tells what waited for the advertisement interval, a bounded part of it; those that lag take it over. */
  #releaseWaiting(send: SendTo): void {
    if (this.#pace.deadline > this.#context.clock.now()) return;
    const batch = new ExportBatch();
    this.#pace.release(catchUpPrefixes, (slot, held) => {
      this.#noteMissed(slot, held);
      this.#retell(batch, 0, slot, []);
      for (const pathId of held) this.#retellGone(batch, slot, pathId);
    });
    this.#outbox.send(batch, this.#keepingUp(), send);
    for (const slot of batch.withdrawnSlots()) this.#context.rib.release(slot);
    // The next part follows at once.
    if (this.#pace.deadline === Infinity) this.#pace.begin();
  }

  /** A path that members may hold: it is gone for all, or for the one whose own it is now. */
  #retellGone(batch: ExportBatch, slot: PrefixSlot, pathId: number): void {
    const row = this.#out.find(slot, pathId);
    const owner = row === 0 ? 0 : this.#exceptFor(row);
    if (row !== 0 && owner === 0) return;
    this.#context.rib.hold(slot);
    if (row === 0) batch.withdraw(0, slot, pathId);
    else batch.withdrawFrom(owner, slot, pathId);
  }

  /** One that goes on already begins anew: the peer then waits for one end only. */
  #beginRefresh(member: GroupMember, send: SendTo): void {
    member.markedRefresh = "running";
    member.restart();
    send(member.peer, this.#outbox.refreshMark(RefreshKind.begin));
  }

  #noteMissed(slot: PrefixSlot, held: readonly number[]): void {
    for (const member of this.#lagging) if (member.isLagging) member.missed(slot, held);
  }

  /** An end that is still to be told keeps its member on the list. */
  #noteLagging(): void {
    this.#unhearing.forget();
    this.#lagging = [...this.#members.values()].filter(
      (member) => member.isLagging || member.endOfRibDue || member.markedRefresh !== "none",
    );
  }

  /** Who does not hear a route that is told. */
  #exceptFor(row: OutRow): PeerIndex {
    return this.#unhearing.of(this.#out.source(row), this.#out.value(row));
  }

  /** Tells members that are at the same place the next part of what they lack. */
  #retellTo(members: readonly GroupMember[], send: SendTo): void {
    const [leader, ...others] = members;
    if (leader === undefined) return;
    const batch = new ExportBatch();
    leader.catchUp(catchUpPrefixes, (slot, held) => this.#retell(batch, leader.peer, slot, held));
    for (const other of others) other.follow(leader);
    const acceptedBefore = members.map(({ counts }) => counts.updatesAccepted);
    this.#outbox.send(batch, members, send);
    // What the group looked at before they came, and they are told now.
    for (const [index, { counts }] of members.entries()) {
      counts.updatesReceived += counts.updatesAccepted - (acceptedBefore[index] ?? 0);
    }
    for (const slot of batch.withdrawnSlots()) this.#context.rib.release(slot);
  }

  /** What a member has to hear of a prefix, whatever it has heard before; `held` is empty where several listen. */
  #retell(batch: ExportBatch, peer: PeerIndex, slot: PrefixSlot, held: readonly number[]): void {
    const out = this.#out;
    for (let row = out.first(slot); row !== 0; row = out.next(row)) {
      batch.announce(out.value(row), this.#exceptFor(row), slot, out.pathId(row));
    }
    if (this.#pace.has(slot)) this.#pace.toldEarly(slot, this.heldPaths(slot));
    for (const pathId of held) {
      const row = out.find(slot, pathId);
      if (row !== 0 && out.source(row) !== peer && this.#exceptFor(row) !== peer) continue;
      // Kept until it is encoded.
      this.#context.rib.hold(slot);
      batch.withdraw(0, slot, pathId);
    }
  }

  #endBatch(): void {
    if (this.#batch.isEmpty) return;
    const held = [...this.#batch.withdrawnSlots()];
    this.#batch.clear();
    for (const slot of held) this.#context.rib.release(slot);
  }
}
