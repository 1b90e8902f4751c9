import { Ipv4 } from "@caracal/net";
import { AttributeCode, AttributeFlag, Origin, SegmentType } from "../iana.ts";
import { wordAt } from "./canonical-attributes.ts";

/**
 * Recognizes attribute lists that are canonical as received and without fault, which nearly all are: they need not be
 * unpacked. Whatever it does not recognize is for `decodeAttributes`, which knows all cases.
 */
export class AttributeScanner {
  /** After a `scan` that succeeded: the AS_PATH's length as the decision counts it. */
  pathLength = 0;
  nextHop: Ipv4 = Ipv4.of(0);
  #bytes: Uint8Array = new Uint8Array(0);

  /** Whether the list from `start` to `end` is canonical, of a four-octet speaker, with an IPv4 next hop. */
  scan(bytes: Uint8Array, start: number, end: number, external: boolean): boolean {
    this.#bytes = bytes;
    let mandatory = 0;
    let codeBefore = 0;
    for (let at = start; at < end;) {
      if (end - at < 3) return false;
      const flags = bytes[at] ?? 0;
      const code = bytes[at + 1] ?? 0;
      const isLong = (flags & AttributeFlag.extendedLength) !== 0;
      const value = isLong ? at + 4 : at + 3;
      if (isLong && end - at < 4) return false;
      const length = isLong ? ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0) : (bytes[at + 2] ?? 0);
      at = value + length;
      if (at > end || code <= codeBefore || isLong !== length > 255) return false;
      if (!this.#isSound(code, flags & ~AttributeFlag.extendedLength, value, length, external)) return false;
      codeBefore = code;
      if (code <= AttributeCode.nextHop) mandatory += 1;
    }
    return mandatory === AttributeCode.nextHop;
  }

  /** One attribute as RFC 7606 §7 wants it; false for those that are not looked at here. */
  #isSound(code: number, flags: number, at: number, length: number, external: boolean): boolean {
    switch (code) {
      case AttributeCode.origin:
        return flags === wellKnown && length === 1 && (this.#bytes[at] ?? 255) <= Origin.incomplete;
      case AttributeCode.asPath:
        return flags === wellKnown && this.#isPath(at, at + length);
      case AttributeCode.nextHop:
        return flags === wellKnown && length === 4 && this.#isNextHop(at);
      case AttributeCode.multiExitDisc:
        return flags === nonTransitive && length === 4;
      case AttributeCode.localPref:
        return !external && flags === wellKnown && length === 4;
      case AttributeCode.atomicAggregate:
        return flags === wellKnown && length === 0;
      case AttributeCode.aggregator:
        return flags === transitive && length === 8 && wordAt(this.#bytes, at) !== 0;
      case AttributeCode.communities:
        return flags === transitive && isRun(length, 4);
      case AttributeCode.originatorId:
        return !external && flags === nonTransitive && length === 4;
      case AttributeCode.clusterList:
        return !external && flags === nonTransitive && isRun(length, 4);
      case AttributeCode.extendedCommunities:
        return flags === transitive && isRun(length, 8);
      case AttributeCode.largeCommunities:
        return flags === transitive && isRun(length, 12);
      case AttributeCode.onlyToCustomer:
        return flags === transitive && length === 4;
      default:
        return false;
    }
  }

  #isNextHop(at: number): boolean {
    this.nextHop = Ipv4.of(wordAt(this.#bytes, at));
    const first = this.nextHop >>> 24;
    return first !== 0 && first < 224;
  }

  /** Segments of four-octet numbers without AS 0 (RFC 7607 §2). */
  #isPath(start: number, end: number): boolean {
    const bytes = this.#bytes;
    let length = 0;
    for (let at = start; at < end;) {
      const type = bytes[at];
      const count = bytes[at + 1] ?? 0;
      const next = at + 2 + count * 4;
      if ((type !== SegmentType.asSequence && type !== SegmentType.asSet) || count === 0 || next > end) {
        return false;
      }
      for (at += 2; at < next; at += 4) if (wordAt(bytes, at) === 0) return false;
      length += type === SegmentType.asSet ? 1 : count;
    }
    this.pathLength = length;
    return true;
  }
}

const wellKnown = AttributeFlag.transitive;
const transitive = AttributeFlag.optional | AttributeFlag.transitive;
const nonTransitive = AttributeFlag.optional;

function isRun(length: number, size: number): boolean {
  return length > 0 && length % size === 0;
}
