import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { grown } from "../rib/columns.ts";
import { type Decision } from "../rib/decision.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type Rib } from "../rib/rib.ts";
import { type PeerIndex, type RouteRow } from "../rib/route-rows.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { hasChosenNextHop } from "../policy/chosen-next-hop.ts";
import { type PaceClock } from "./advertisement-pace.ts";
import { withMarkOf } from "./kept-long.ts";
import { ExportRewriter } from "./export-rewriter.ts";
import { type ExportSource, type ExportRefusal, type GroupTraits, exportRefusal } from "./export-rules.ts";
import { type ExportCounts } from "./group-member.ts";
import { standingExport } from "./standing-export.ts";
import { type Policy, type RouteSource } from "./policy.ts";

/** What a group takes from the speaker around it. */
export interface GroupContext {
  readonly rib: Rib;
  readonly attributes: AttributeTable;
  readonly decision: Decision;
  readonly source: (index: PeerIndex) => ExportSource | undefined;
  readonly clock: PaceClock;
  /** The export policy to begin with. */
  readonly policy: Policy | undefined;
}

/** In place of an attribute set: the group is not told. */
const notTold = 0x7fff_ffff;

/** What a group is told for each route: rules, and where there is one, the export policy. */
export class ExportedRoutes {
  readonly #traits: GroupTraits;
  readonly #context: GroupContext;
  readonly #counts: ExportCounts;
  readonly #rewriter: ExportRewriter;
  readonly #standing: ((value: PathAttributes) => PathAttributes) | undefined;
  #policy: Policy | undefined;
  /** By attribute set, where no policy looks at the prefix: what is told for the source it last had. 0: not known. */
  #told = new Uint32Array(64);
  #sources = new Uint32Array(64);

  constructor(traits: GroupTraits, context: GroupContext, counts: ExportCounts) {
    this.#traits = traits;
    this.#context = context;
    this.#counts = counts;
    this.#rewriter = new ExportRewriter(traits);
    this.#standing = standingExport(traits, traits);
    this.#policy = context.policy;
  }

  setPolicy(policy: Policy | undefined): void {
    this.#policy = policy;
    this.clear();
  }

  /** The attribute set that the group is told for a route, or 0. */
  told(slot: PrefixSlot, row: RouteRow, source: PeerIndex): AttributeId {
    const id = this.#context.rib.rows.accepted(row);
    this.#counts.updatesReceived += 1;
    if (this.#policy !== undefined) return this.#byPolicy(this.#policy, slot, id, source);
    let told = this.#told[id] ?? 0;
    if (told === 0 || this.#sources[id] !== source) told = this.#work(id, source);
    if (told !== notTold) return told;
    this.#counts.updatesRejected += 1;
    return 0;
  }

  /**
   * Why a route is not told; `undefined` if it is. For show commands: nothing is remembered or counted. `unhearing` says who
   * does not hear what would be told, as in `UnhearingMember`.
   */
  whyNot(
    slot: PrefixSlot,
    row: RouteRow,
    sourceIndex: PeerIndex,
    unhearing: (told: AttributeId) => PeerIndex,
  ): ExportRefusal | undefined {
    const whyLast = (told: AttributeId): ExportRefusal | undefined => {
      if (told === 0) return "no next hop";
      return unhearing(told) === 0 ? undefined : "its own address";
    };
    const { attributes, rib } = this.#context;
    const id = rib.rows.accepted(row);
    const source = this.#context.source(sourceIndex);
    const refusal = this.#refusal(id, source);
    if (refusal !== undefined) return refusal;
    if (this.#policy === undefined) return whyLast(this.#rewritten(id, id, source, false));
    const prefix = rib.slots.prefix(slot);
    const value = this.#policy({ prefix, attributes: attributes.get(id), source: routeSource(source) });
    if (value === undefined) return "export policy";
    const changed = attributes.intern(value);
    const later = this.#refusal(changed, source);
    if (later !== undefined) return later;
    return whyLast(this.#rewritten(changed, id, source, hasChosenNextHop(value)));
  }

  /** An attribute set is about to lose its number. */
  forget(id: AttributeId): void {
    const told = this.#told[id] ?? 0;
    if (told === 0) return;
    this.#told[id] = 0;
    if (told !== notTold && told !== id) this.#context.attributes.release(told);
  }

  clear(): void {
    for (let id = 0; id < this.#told.length; id += 1) this.forget(id);
  }

  /** Works out what is told for an attribute set, and remembers it. */
  #work(id: AttributeId, source: PeerIndex): AttributeId {
    const { attributes } = this.#context;
    const told = this.#byRules(id, source);
    // A set that is told as it is must not hold itself: it would never go.
    if (told !== id) attributes.retain(told);
    if (id >= this.#told.length) {
      this.#told = grown(this.#told, attributes.capacity);
      this.#sources = grown(this.#sources, attributes.capacity);
    }
    this.forget(id);
    this.#told[id] = told === 0 ? notTold : told;
    this.#sources[id] = source;
    return this.#told[id] ?? notTold;
  }

  #refusal(id: AttributeId, source: ExportSource | undefined): ExportRefusal | undefined {
    return exportRefusal(this.#context.attributes.canonical(id), source, this.#traits);
  }

  #byRules(id: AttributeId, sourceIndex: PeerIndex): AttributeId {
    const source = this.#context.source(sourceIndex);
    if (this.#refusal(id, source) !== undefined) return 0;
    return this.#rewritten(id, id, source, false);
  }

  #byPolicy(policy: Policy, slot: PrefixSlot, id: AttributeId, sourceIndex: PeerIndex): AttributeId {
    const { attributes, rib } = this.#context;
    const source = this.#context.source(sourceIndex);
    if (this.#refusal(id, source) !== undefined) {
      this.#counts.updatesRejected += 1;
      return 0;
    }
    const before = attributes.get(id);
    const value = policy({
      prefix: rib.slots.prefix(slot),
      attributes: before,
      source: routeSource(source),
    });
    const changed = value === undefined ? 0 : attributes.intern(withMarkOf(before, value));
    // A policy may add a community that keeps the route from leaving.
    const told =
      value !== undefined && this.#refusal(changed, source) === undefined
        ? this.#rewritten(changed, id, source, hasChosenNextHop(value))
        : 0;
    if (told === 0) this.#counts.updatesFiltered += 1;
    return told;
  }

  #rewritten(
    chosen: AttributeId,
    before: AttributeId,
    source: ExportSource | undefined,
    keepsNextHop: boolean,
  ): AttributeId {
    const { attributes } = this.#context;
    const id =
      this.#standing === undefined ? chosen : attributes.intern(this.#standing(attributes.get(chosen)));
    const route = {
      nextHop: attributes.nextHop(id),
      pathLength: attributes.pathLength(id),
      before: attributes.canonical(before),
      keepsNextHop,
    };
    const bytes = this.#rewriter.rewrite(attributes.canonical(id), route, source);
    if (bytes === undefined) return 0;
    const { nextHop, pathLength } = this.#rewriter;
    return attributes.internCanonical({
      bytes,
      attributesAt: 0,
      attributesEnd: bytes.length,
      nextHop,
      pathLength,
    });
  }
}

export function routeSource(source: ExportSource | undefined): RouteSource {
  return source === undefined
    ? { kind: "local" }
    : { kind: "peer", name: source.name, external: source.external };
}
