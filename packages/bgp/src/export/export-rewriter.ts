import { IpAddress, type Ipv4, Writer } from "@caracal/net";
import { AttributeCode, AttributeFlag, SegmentType } from "../iana.ts";
import { defaultLocalPref } from "../rib/decision.ts";
import {
  attributeValue,
  encodeNextHopOnly,
  findAttribute,
  nextAttribute,
  wordAt,
} from "../wire/canonical-attributes.ts";
import { type ExportSource, type GroupTraits, exportNextHop } from "./export-rules.ts";

/** More is no valid attribute set: a message has 4,096 bytes. Large enough for any that can be interned. */
const maxSetBytes = 1 << 18;

const wellKnown = AttributeFlag.transitive;
const nonTransitive = AttributeFlag.optional;
const maxSegmentAsns = 255;

/** What is known of the set beside its bytes. */
export interface RouteFacts {
  readonly nextHop: IpAddress | undefined;
  readonly pathLength: number;
  /** The route's canonical bytes before the export policy. */
  readonly before: Uint8Array;
  /** The policy says what the next hop is. */
  readonly keepsNextHop: boolean;
}

/** Turns a route's attributes into those that a group is told (RFC 4271 §5.1, RFC 4456 §8), from bytes to bytes. */
export class ExportRewriter {
  readonly #writer: Writer = new Writer(512, maxSetBytes);
  readonly #traits: GroupTraits;
  /** Of the last set that `rewrite` made. */
  nextHop: IpAddress | undefined;
  pathLength = 0;

  constructor(traits: GroupTraits) {
    this.#traits = traits;
  }

  /**
   * The new canonical bytes, a view that is valid until the next call, or `undefined` when there is no next hop to tell.
   */
  rewrite(set: Uint8Array, route: RouteFacts, source: ExportSource | undefined): Uint8Array | undefined {
    const hop = exportNextHop(route.nextHop, route.keepsNextHop, this.#traits);
    if (hop === undefined) return undefined;
    this.nextHop = hop === "keep" ? route.nextHop : hop;
    this.pathLength = route.pathLength;
    this.#writer.truncate(0);
    if (this.#traits.external) this.#external(set, route, source, hop === "keep");
    else this.#internal(set, source, hop === "keep");
    return this.#writer.view();
  }

  #external(set: Uint8Array, route: RouteFacts, source: ExportSource | undefined, keeps: boolean): void {
    for (let at = 0; at < set.length; at = nextAttribute(set, at)) {
      switch (set[at + 1]) {
        case AttributeCode.asPath:
          this.#prepended(set, at);
          if (!keeps) this.#ownNextHop4();
          break;
        case AttributeCode.nextHop:
        case AttributeCode.mpReachNlri:
          if (keeps) this.#copy(set, at);
          break;
        case AttributeCode.multiExitDisc:
          // RFC 4271 §5.1.4: a MED learned from one AS is not told to the next; one that policy set is.
          if (source === undefined || wordAt(set, at + 3) !== medOf(route.before)) this.#copy(set, at);
          break;
        case AttributeCode.localPref:
        case AttributeCode.originatorId:
        case AttributeCode.clusterList:
          break;
        case AttributeCode.extendedCommunities:
          this.#crossing(set, at);
          break;
        default:
          this.#copy(set, at);
      }
    }
    if (!keeps) this.#ownNextHop6();
  }

  #internal(set: Uint8Array, source: ExportSource | undefined, keeps: boolean): void {
    const clusters = clustersOf(source, this.#traits);
    const reflects = clusters.length > 0;
    let lacksPref = findAttribute(set, AttributeCode.localPref) < 0;
    let lacksOriginator = reflects && findAttribute(set, AttributeCode.originatorId) < 0;
    let lacksClusters = reflects && findAttribute(set, AttributeCode.clusterList) < 0;
    for (let at = 0; at <= set.length; at = nextAttribute(set, at)) {
      const code = at === set.length ? Infinity : (set[at + 1] ?? 0);
      if (lacksPref && code > AttributeCode.localPref) {
        lacksPref = false;
        this.#number(wellKnown, AttributeCode.localPref, defaultLocalPref);
      }
      if (lacksOriginator && code > AttributeCode.originatorId) {
        lacksOriginator = false;
        this.#number(nonTransitive, AttributeCode.originatorId, source?.routerId ?? 0);
      }
      if (lacksClusters && code > AttributeCode.clusterList) {
        lacksClusters = false;
        this.#clusterList(clusters);
      }
      if (at === set.length) break;
      this.#internalOne(set, at, clusters, keeps);
    }
    if (!keeps) this.#ownNextHop6();
  }

  #internalOne(set: Uint8Array, at: number, clusters: readonly Ipv4[], keeps: boolean): void {
    const code = set[at + 1];
    if (code === AttributeCode.nextHop || code === AttributeCode.mpReachNlri) {
      if (keeps) this.#copy(set, at);
    } else if (code === AttributeCode.clusterList && clusters.length > 0) {
      const value = attributeValue(set, at);
      const end = nextAttribute(set, at);
      this.#clusterList(clusters, end - value);
      this.#range(set, value, end);
    } else {
      this.#copy(set, at);
      if (code === AttributeCode.asPath && !keeps) this.#ownNextHop4();
    }
  }

  /** `moreBytes` of clusters that the route came through follow. */
  #clusterList(clusters: readonly Ipv4[], moreBytes = 0): void {
    this.#head(nonTransitive, AttributeCode.clusterList, clusters.length * 4 + moreBytes);
    for (const one of clusters) this.#writer.u32(one);
  }

  /** RFC 4271 §5.1.2: our AS goes in front; a full or unordered first segment gets a new sequence before it. */
  #prepended(set: Uint8Array, at: number): void {
    const value = attributeValue(set, at);
    const end = nextAttribute(set, at);
    const count = set[value + 1] ?? 0;
    const joins = value < end && set[value] === SegmentType.asSequence && count < maxSegmentAsns;
    const writer = this.#writer;
    this.#head(wellKnown, AttributeCode.asPath, end - value + (joins ? 4 : 6));
    writer.u8(SegmentType.asSequence);
    writer.u8(joins ? count + 1 : 1);
    writer.u32(this.#traits.localAsn);
    this.#range(set, joins ? value + 2 : value, end);
    this.pathLength += 1;
  }

  /** RFC 4360 §6: non-transitive communities stay in the AS. */
  #crossing(set: Uint8Array, at: number): void {
    const nonTransitiveBit = 0x40;
    const end = nextAttribute(set, at);
    let count = 0;
    for (let one = attributeValue(set, at); one < end; one += 8) {
      if (((set[one] ?? 0) & nonTransitiveBit) === 0) count += 1;
    }
    if (count === 0) return;
    const flags = (set[at] ?? 0) & ~AttributeFlag.extendedLength;
    this.#head(flags, AttributeCode.extendedCommunities, count * 8);
    for (let one = attributeValue(set, at); one < end; one += 8) {
      if (((set[one] ?? 0) & nonTransitiveBit) === 0) this.#range(set, one, one + 8);
    }
  }

  #ownNextHop4(): void {
    const own = this.#traits.selfNextHop;
    if (own !== undefined && IpAddress.isIpv4(own)) this.#number(wellKnown, AttributeCode.nextHop, own);
  }

  #ownNextHop6(): void {
    const own = this.#traits.selfNextHop;
    if (own !== undefined && !IpAddress.isIpv4(own)) encodeNextHopOnly(this.#writer, { nextHop: own });
  }

  #number(flags: number, code: number, value: number): void {
    this.#head(flags, code, 4);
    this.#writer.u32(value);
  }

  #head(flags: number, code: number, length: number): void {
    const writer = this.#writer;
    writer.u8(length > 255 ? flags | AttributeFlag.extendedLength : flags);
    writer.u8(code);
    if (length > 255) writer.u16(length);
    else writer.u8(length);
  }

  #copy(set: Uint8Array, at: number): void {
    this.#range(set, at, nextAttribute(set, at));
  }

  #range(set: Uint8Array, from: number, to: number): void {
    const writer = this.#writer;
    const start = writer.length;
    const room = writer.room(to - from);
    for (let at = from; at < to; at += 1) room[start + at - from] = set[at] ?? 0;
    writer.advance(to - from);
  }
}

/**
 * The clusters in which a route is reflected, that of its receiver first (RFC 4456 §8): a client's is the one that it and
 * we are in, so between clients of two clusters it is both. Of a route that is not reflected, none.
 */
function clustersOf(source: ExportSource | undefined, traits: GroupTraits): readonly Ipv4[] {
  if (source === undefined || source.external) return [];
  if (!source.reflectorClient || source.clusterId === traits.clusterId) return [traits.clusterId];
  return traits.reflectorClient ? [traits.clusterId, source.clusterId] : [source.clusterId];
}

function medOf(set: Uint8Array): number | undefined {
  const at = findAttribute(set, AttributeCode.multiExitDisc);
  return at < 0 ? undefined : wordAt(set, at + 3);
}
