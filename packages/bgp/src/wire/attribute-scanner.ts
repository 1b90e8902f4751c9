import { type IpAddress, Ipv4, Ipv6 } from "@caracal/net";
import { Afi, AttributeCode, AttributeFlag, Origin, Safi, SegmentType } from "../iana.ts";
import { wordAt } from "./canonical-attributes.ts";

/**
 * Recognizes attribute lists that are canonical as received and without fault, which nearly all are: they need not be
 * unpacked. MP_REACH_NLRI may stand anywhere among them. Whatever it does not recognize is for `decodeAttributes`, which
 * knows all cases.
 */
export class AttributeScanner {
  /** After a `scan` that succeeded: the AS_PATH's length as the decision counts it. */
  pathLength = 0;
  nextHop: IpAddress = Ipv4.of(0);
  /** Where MP_REACH_NLRI of IPv6 stands; 0 without it. Its value starts later, its prefixes after that. */
  reachAt = 0;
  reachValueAt = 0;
  reachNlriAt = 0;
  reachEnd = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  /** The IPv6 next hop read last, and its bytes: it is mostly the same again. */
  #hop6: Ipv6 = Ipv6.of(0n);
  readonly #hop6Bytes = new Uint8Array(16);

  /** Whether the list from `start` to `end` is canonical, of a four-octet speaker, with one next hop. */
  scan(bytes: Uint8Array, start: number, end: number, external: boolean): boolean {
    this.#bytes = bytes;
    this.reachAt = 0;
    // A bit for each of the first three codes.
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
      const attributeAt = at;
      at = value + length;
      if (code === AttributeCode.mpReachNlri) {
        const isFirst = this.reachAt === 0;
        if (at > end || !isFirst || !this.#isReach(flags & ~AttributeFlag.extendedLength, value, at))
          return false;
        this.reachAt = attributeAt;
        continue;
      }
      if (at > end || code <= codeBefore || isLong !== length > 255) return false;
      if (!this.#isSound(code, flags & ~AttributeFlag.extendedLength, value, length, external)) return false;
      codeBefore = code;
      if (code <= AttributeCode.nextHop) mandatory |= 1 << code;
    }
    return mandatory === (this.reachAt === 0 ? mandatoryWithHop : mandatoryBeside);
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
    const nextHop = Ipv4.of(wordAt(this.#bytes, at));
    this.nextHop = nextHop;
    const first = nextHop >>> 24;
    return first !== 0 && first < 224;
  }

  /** RFC 4760 §3: | AFI u16 | SAFI u8 | next hop's length u8 | next hop, RFC 2545 §3 | reserved u8 | prefixes |. */
  #isReach(flags: number, at: number, end: number): boolean {
    const bytes = this.#bytes;
    const hopBytes = bytes[at + 3] ?? 0;
    this.reachValueAt = at;
    this.reachNlriAt = at + 5 + hopBytes;
    this.reachEnd = end;
    if (flags !== nonTransitive || this.reachNlriAt >= end) return false;
    if (bytes[at] !== 0 || bytes[at + 1] !== Afi.ipv6 || bytes[at + 2] !== Safi.unicast) return false;
    const hopAt = at + 4;
    if (hopBytes === 32) {
      const second = wordAt(bytes, hopAt + 16) >>> 22;
      if (second !== linkLocalBits) return false;
    } else if (hopBytes !== 16) {
      return false;
    }
    this.nextHop = this.#ipv6At(hopAt);
    return this.nextHop !== 0n && bytes[hopAt] !== 0xff;
  }

  #ipv6At(at: number): Ipv6 {
    const known = this.#hop6Bytes;
    let index = 0;
    while (index < 16 && known[index] === this.#bytes[at + index]) index += 1;
    if (index < 16) {
      known.set(this.#bytes.subarray(at, at + 16));
      this.#hop6 = Ipv6.read(known);
    }
    return this.#hop6;
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

/** RFC 4760 §3: MP_REACH_NLRI has a next hop of its own. */
const mandatoryBeside: number = (1 << AttributeCode.origin) | (1 << AttributeCode.asPath);
const mandatoryWithHop: number = mandatoryBeside | (1 << AttributeCode.nextHop);

/** The first ten bits of fe80::/10. */
const linkLocalBits = 0x3fa;

const wellKnown = AttributeFlag.transitive;
const transitive = AttributeFlag.optional | AttributeFlag.transitive;
const nonTransitive = AttributeFlag.optional;

function isRun(length: number, size: number): boolean {
  return length > 0 && length % size === 0;
}
