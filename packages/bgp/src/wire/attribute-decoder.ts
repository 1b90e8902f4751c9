import {
  type Blame,
  DecodeError,
  type IpAddress,
  type IpFamily,
  Ipv4,
  Ipv6,
  type Reader,
} from "@caracal/net";
import { AttributeCode, AttributeFlag, ErrorCode, Origin, UpdateError, asTrans } from "../iana.ts";
import { type AsPath, decodeAs4Path, decodeAsPath, mergeAs4Path } from "./as-path.ts";
import { unicastFamily } from "./capability.ts";
import { type NlriBlock, decodeNlri } from "./nlri.ts";
import {
  type Aggregator,
  type LargeCommunity,
  type OpaqueAttribute,
  type PathAttributes,
} from "./path-attributes.ts";

/** What the two ends agreed on, as far as reading an UPDATE needs it. */
export interface DecodeContext {
  /** Both ends use four-octet AS numbers. */
  readonly as4: boolean;
  /** The sender is in another AS. */
  readonly external: boolean;
  /** Families in which the sender puts path identifiers (RFC 7911 §5). */
  readonly addPath: readonly IpFamily[];
  /** An IPv4 route may have an IPv6 next hop (RFC 8950); absent: it may not. */
  readonly extendedNextHop?: boolean;
  /** Our own attributes, read back: a next hop is what the operator or the policy says. */
  readonly isOwn?: true;
}

/** A fault that does not end the session (RFC 7606 §2). */
export interface AttributeFault {
  readonly action: "withdraw" | "discard";
  readonly what: string;
  /** The attribute's code; 0 for the list as a whole. */
  readonly code: number;
}

export interface MpReach {
  readonly nlri: NlriBlock;
  readonly nextHop: IpAddress;
  readonly linkLocalNextHop?: Ipv6;
}

/** The attributes of one UPDATE, before they are put together with its prefixes. */
export interface DecodedAttributes {
  /** As far as they could be read; `nextHop` is NEXT_HOP's. */
  readonly value: Partial<PathAttributes>;
  readonly mpReach: MpReach | undefined;
  readonly mpUnreach: NlriBlock | undefined;
  /** An MP attribute for a family that we do not carry: nothing of it is used. */
  readonly foreign: boolean;
  /** So is MP_REACH_NLRI: what this message announces is in there. */
  readonly foreignReach: boolean;
  readonly faults: readonly AttributeFault[];
}

type Draft = { -readonly [K in keyof PathAttributes]?: PathAttributes[K] };

interface State {
  readonly context: DecodeContext;
  readonly draft: Draft;
  readonly faults: AttributeFault[];
  readonly opaque: OpaqueAttribute[];
  readonly partial: number[];
  mpReach: MpReach | undefined;
  mpUnreach: NlriBlock | undefined;
  foreign: boolean;
  foreignReach: boolean;
  as4Path: AsPath | undefined;
  as4Aggregator: Aggregator | undefined;
}

/** Reads a path attribute list (RFC 4271 §4.3) to its end, each fault dealt with as RFC 7606 §7 says. */
export function decodeAttributes(reader: Reader, context: DecodeContext): DecodedAttributes {
  const state: State = {
    context,
    draft: {},
    faults: [],
    opaque: [],
    partial: [],
    mpReach: undefined,
    mpUnreach: undefined,
    foreign: false,
    foreignReach: false,
    as4Path: undefined,
    as4Aggregator: undefined,
  };
  const seen = new Set<number>();
  while (reader.remaining > 0) {
    const head = readHead(reader);
    if (head === undefined) {
      // RFC 7606 §4: where the list ends is still known from its own length, so the prefixes can be withdrawn.
      state.faults.push({ action: "withdraw", what: "attribute list is cut off", code: 0 });
      break;
    }
    if (seen.has(head.code)) {
      repeated(state, head);
      continue;
    }
    seen.add(head.code);
    decodeOne(state, head);
  }
  finish(state);
  return {
    value: state.draft,
    mpReach: state.mpReach,
    mpUnreach: state.mpUnreach,
    foreign: state.foreign,
    foreignReach: state.foreignReach,
    faults: state.faults,
  };
}

interface Head {
  readonly flags: number;
  readonly code: number;
  readonly body: Reader;
  readonly value: Uint8Array;
}

function readHead(reader: Reader): Head | undefined {
  if (reader.remaining < 3) return undefined;
  const flags = reader.u8();
  const code = reader.u8();
  const isLong = (flags & AttributeFlag.extendedLength) !== 0;
  if (isLong && reader.remaining < 2) return undefined;
  const length = isLong ? reader.u16() : reader.u8();
  if (length > reader.remaining) return undefined;
  const value = reader.peek(length);
  return { flags, code, body: reader.sub(length), value };
}

/** RFC 4271 §6.3: a NOTIFICATION about an attribute quotes it whole: type, length and value. */
function quote({ flags, code, value }: Head): Uint8Array {
  const { length } = value;
  const isLong = (flags & AttributeFlag.extendedLength) !== 0;
  return Uint8Array.from([flags, code, ...(isLong ? [length >> 8, length & 255] : [length]), ...value]);
}

/** RFC 7606 §3 g: twice MP_REACH or MP_UNREACH resets; of other attributes the first counts. */
function repeated(state: State, { code, body }: Head): void {
  if (code === AttributeCode.mpReachNlri || code === AttributeCode.mpUnreachNlri) {
    body.fail(`attribute ${code} twice`, reset(UpdateError.malformedAttributeList));
  }
  state.faults.push({ action: "discard", what: `attribute ${code} twice`, code });
}

function decodeOne(state: State, head: Head): void {
  const known = decoders[head.code];
  if (known === undefined) {
    decodeUnknown(state, head);
    return;
  }
  const { code } = head;
  if (known.internalOnly === true && state.context.external) {
    // RFC 7606 §7.5, §7.9, §7.10: from another AS these mean nothing.
    state.faults.push({ action: "discard", what: `attribute ${code} from another AS`, code });
    return;
  }
  const class_ = head.flags & (AttributeFlag.optional | AttributeFlag.transitive);
  if (class_ !== known.flags) {
    // RFC 7606 §3 c: wrong Optional or Transitive bits make the route unusable, not the session, whatever the attribute.
    state.faults.push({ action: "withdraw", what: `attribute ${code} has wrong flags`, code });
    if (code !== AttributeCode.mpReachNlri && code !== AttributeCode.mpUnreachNlri) return;
  }
  try {
    known.decode(state, head.body);
    head.body.end();
    if (known.flags === transitive && (head.flags & AttributeFlag.partial) !== 0) state.partial.push(code);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    if (known.onFault === undefined) throw quoting(error, head);
    state.faults.push({ action: known.onFault, what: `attribute ${code}: ${error.message}`, code });
  }
}

function quoting(error: DecodeError, head: Head): DecodeError {
  return new DecodeError(error.message, error, error.offset, quote(head));
}

/** RFC 4271 §5: unknown optional transitive attributes travel on, marked partial; non-transitive ones end here. */
function decodeUnknown(state: State, head: Head): void {
  const { flags, code, body } = head;
  if ((flags & AttributeFlag.optional) === 0) {
    const blame = reset(UpdateError.unrecognizedWellKnownAttribute);
    body.fail(`unknown well-known attribute ${code}`, blame, quote(head));
  }
  if ((flags & AttributeFlag.transitive) === 0) return;
  const kept = AttributeFlag.optional | AttributeFlag.transitive | AttributeFlag.partial;
  state.opaque.push({ flags: kept, code, value: body.rest().slice() });
}

interface AttributeDecoder {
  /** The Optional and Transitive bits that it must have. */
  readonly flags: number;
  /** What a fault in the value costs; absent: the session. */
  readonly onFault?: "withdraw" | "discard";
  readonly internalOnly?: true;
  readonly decode: (state: State, body: Reader) => void;
}

const wellKnown = AttributeFlag.transitive;
const transitive = AttributeFlag.optional | AttributeFlag.transitive;
const nonTransitive = AttributeFlag.optional;

/** RFC 7606 §7, row by row; §7.11 and RFC 4760 §7: a broken MP attribute hides which prefixes it meant, so it resets. */
const decoders: Readonly<Record<number, AttributeDecoder>> = {
  [AttributeCode.origin]: { flags: wellKnown, onFault: "withdraw", decode: decodeOrigin },
  [AttributeCode.asPath]: {
    flags: wellKnown,
    onFault: "withdraw",
    decode: (state, body) => {
      state.draft.asPath = decodeAsPath(body, state.context.as4);
    },
  },
  [AttributeCode.nextHop]: { flags: wellKnown, onFault: "withdraw", decode: decodeNextHop },
  [AttributeCode.multiExitDisc]: {
    flags: nonTransitive,
    onFault: "withdraw",
    decode: (state, body) => {
      state.draft.med = body.u32();
    },
  },
  [AttributeCode.localPref]: {
    flags: wellKnown,
    onFault: "withdraw",
    internalOnly: true,
    decode: (state, body) => {
      state.draft.localPref = body.u32();
    },
  },
  [AttributeCode.atomicAggregate]: {
    flags: wellKnown,
    onFault: "discard",
    decode: (state, body) => {
      body.end();
      state.draft.atomicAggregate = true;
    },
  },
  [AttributeCode.aggregator]: { flags: transitive, onFault: "discard", decode: decodeAggregator },
  [AttributeCode.communities]: {
    flags: transitive,
    onFault: "withdraw",
    decode: (state, body) => {
      state.draft.communities = list(body, 4, () => body.u32());
    },
  },
  [AttributeCode.originatorId]: {
    flags: nonTransitive,
    onFault: "withdraw",
    internalOnly: true,
    decode: (state, body) => {
      state.draft.originatorId = Ipv4.of(body.u32());
    },
  },
  [AttributeCode.clusterList]: {
    flags: nonTransitive,
    onFault: "withdraw",
    internalOnly: true,
    decode: (state, body) => {
      state.draft.clusterList = list(body, 4, () => Ipv4.of(body.u32()));
    },
  },
  [AttributeCode.mpReachNlri]: { flags: nonTransitive, decode: decodeMpReach },
  [AttributeCode.mpUnreachNlri]: { flags: nonTransitive, decode: decodeMpUnreach },
  [AttributeCode.extendedCommunities]: {
    flags: transitive,
    onFault: "withdraw",
    decode: (state, body) => {
      state.draft.extendedCommunities = list(body, 8, () => body.u64());
    },
  },
  [AttributeCode.as4Path]: {
    flags: transitive,
    onFault: "discard",
    decode: (state, body) => {
      if (body.remaining === 0) body.fail("empty");
      // RFC 6793 §4.1: between two four-octet speakers it has no meaning and is dropped.
      const path = decodeAs4Path(body);
      if (!state.context.as4) state.as4Path = path;
    },
  },
  [AttributeCode.as4Aggregator]: {
    flags: transitive,
    onFault: "discard",
    decode: (state, body) => {
      const aggregator = readAggregator(body, true);
      if (!state.context.as4) state.as4Aggregator = aggregator;
    },
  },
  [AttributeCode.largeCommunities]: {
    flags: transitive,
    onFault: "withdraw",
    decode: (state, body) => {
      state.draft.largeCommunities = list(body, 12, (): LargeCommunity => [
        body.u32(),
        body.u32(),
        body.u32(),
      ]);
    },
  },
  [AttributeCode.onlyToCustomer]: {
    flags: transitive,
    onFault: "withdraw",
    decode: (state, body) => {
      state.draft.onlyToCustomer = body.u32();
    },
  },
};

/** A non-empty run of values of `size` bytes each. */
function list<T>(body: Reader, size: number, read: () => T): T[] {
  if (body.remaining === 0 || body.remaining % size !== 0) {
    body.fail(`${body.remaining} bytes are not a multiple of ${size}`);
  }
  const values: T[] = [];
  while (body.remaining > 0) values.push(read());
  return values;
}

function decodeOrigin({ draft }: State, body: Reader): void {
  const origin = body.u8();
  if (origin !== Origin.igp && origin !== Origin.egp && origin !== Origin.incomplete) {
    body.fail(`origin ${origin}`);
  }
  draft.origin = origin;
}

function decodeNextHop({ draft, context }: State, body: Reader): void {
  const nextHop = Ipv4.of(body.u32());
  if (context.isOwn !== true && !isUsableIpv4(nextHop)) body.fail(`next hop ${Ipv4.format(nextHop)}`);
  draft.nextHop = nextHop;
}

/** RFC 4271 §6.3: a next hop must be a host address; 0/8, multicast and class E are none. */
function isUsableIpv4(address: Ipv4): boolean {
  const first = address >>> 24;
  return first !== 0 && first < 224;
}

/** The same for IPv6: `::` and multicast are none. */
function isUsableIpv6(address: Ipv6): boolean {
  return address !== 0n && address >> 120n !== 0xffn;
}

/** The prefixes are known, so they can be withdrawn. */
function noNextHop({ faults, context }: State, address: string): void {
  if (context.isOwn === true) return;
  faults.push({ action: "withdraw", what: `next hop ${address}`, code: AttributeCode.mpReachNlri });
}

function decodeAggregator({ draft, context }: State, body: Reader): void {
  draft.aggregator = readAggregator(body, context.as4);
}

function readAggregator(body: Reader, as4: boolean): Aggregator {
  const asn = as4 ? body.u32() : body.u16();
  const aggregator = { asn, address: Ipv4.of(body.u32()) };
  body.end();
  // RFC 7607 §2: AS 0 makes the attribute malformed.
  if (asn === 0) body.fail("AS 0");
  return aggregator;
}

function decodeMpReach(state: State, body: Reader): void {
  const blame = reset(UpdateError.optionalAttribute);
  const inner = body.sub(body.remaining, blame);
  const family = unicastFamily({ afi: inner.u16(), safi: inner.u8() });
  const nextHop = inner.sub(inner.u8());
  inner.skip(1); // Reserved: zero when sent, ignored when received.
  if (family === undefined) {
    state.foreign = true;
    state.foreignReach = true;
    return;
  }
  const addPath = state.context.addPath.includes(family);
  const nlri = decodeNlri(inner, family, addPath);
  const size = nextHop.remaining;
  // RFC 8950 §3: with the capability the length tells the next hop's family.
  const is4 = family === 4 && size === 4;
  const may6 = family === 6 || state.context.extendedNextHop === true;
  const is6 = may6 && (size === 16 || size === 32);
  if (!is4 && !is6) nextHop.fail(`next hop of ${size} bytes`);
  if (is4) {
    const address = Ipv4.of(nextHop.u32());
    if (!isUsableIpv4(address)) noNextHop(state, Ipv4.format(address));
    state.mpReach = { nlri, nextHop: address };
    return;
  }
  const global = Ipv6.read(nextHop.bytes(16));
  if (!isUsableIpv6(global)) noNextHop(state, Ipv6.format(global));
  const second = size === 32 ? Ipv6.read(nextHop.bytes(16)) : undefined;
  // RFC 2545 §3: the second address is link-local; some speakers fill it with zeros.
  state.mpReach =
    second !== undefined && Ipv6.isLinkLocal(second)
      ? { nlri, nextHop: global, linkLocalNextHop: second }
      : { nlri, nextHop: global };
}

function decodeMpUnreach(state: State, body: Reader): void {
  const inner = body.sub(body.remaining, reset(UpdateError.optionalAttribute));
  const family = unicastFamily({ afi: inner.u16(), safi: inner.u8() });
  if (family === undefined) {
    state.foreign = true;
    return;
  }
  state.mpUnreach = decodeNlri(inner, family, state.context.addPath.includes(family));
}

/** RFC 6793 §4.2.3: puts four-octet numbers back that a two-octet peer could not carry itself. */
function finish(state: State): void {
  const { draft, as4Path, as4Aggregator, opaque } = state;
  if (opaque.length > 0) draft.opaque = opaque.toSorted((a, b) => a.code - b.code);
  // Those end here: what they say goes on in AS_PATH and AGGREGATOR.
  const partial = state.partial.filter(
    (code) => code !== AttributeCode.as4Path && code !== AttributeCode.as4Aggregator,
  );
  if (partial.length > 0) draft.partial = partial.toSorted((a, b) => a - b);
  if (draft.aggregator !== undefined && as4Aggregator !== undefined) {
    // An aggregator that is not AS_TRANS was set by a speaker that ignored the AS4 attributes: they are stale.
    if (draft.aggregator.asn !== asTrans) return;
    draft.aggregator = as4Aggregator;
  }
  if (draft.asPath !== undefined && as4Path !== undefined) {
    draft.asPath = mergeAs4Path(draft.asPath, as4Path);
  }
}

function reset(subcode: number): Blame {
  return { code: ErrorCode.updateMessage, subcode, action: "reset" };
}
