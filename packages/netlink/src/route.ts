import { IpAddress, Ipv4, Ipv6, Prefix, type Reader, type Writer } from "@caracal/net";
import {
  readAddress,
  readAttributes,
  writeAddressAttribute,
  writeBytesAttribute,
  writeNested,
  writeU32Attribute,
} from "./attribute.ts";
import { Nlm, Rta, Rtax, Rtm, RtmFlag, Rtnh, RouteTable, RouteType } from "./constants.ts";
import { familyNumber, ipFamily } from "./family.ts";
import type { Request } from "./message.ts";

/** Where a route leads: an interface, a gateway, or both. */
export interface NextHop {
  readonly interfaceIndex?: number;
  /** Of either family: an IPv4 route may lead through an IPv6 gateway (RFC 8950). */
  readonly gateway?: IpAddress;
  /** The gateway counts as on the link although no route says so. */
  readonly onlink?: boolean;
  /** Share among several next hops, from 1; absent is 1. */
  readonly weight?: number;
}

/** A route; also what identifies one. `nextHops` is empty for types such as blackhole. */
export interface Route {
  readonly destination: Prefix;
  /** `RouteType` value. */
  readonly type: number;
  /** Who installed it: `RouteProtocol` value. */
  readonly protocol: number;
  /** `RouteScope` value. */
  readonly scope: number;
  /** `RouteTable` value or any other table. */
  readonly table: number;
  /** Lower is preferred. The kernel stores an IPv6 route asked for with 0 as 1024. */
  readonly metric: number;
  readonly nextHops: readonly NextHop[];
  /** Number of the `NextHopObject` that it leads through; written in the place of `nextHops`. */
  readonly nextHopId?: number;
  readonly preferredSource?: IpAddress;
  readonly mtu?: number;
}

/** How a route goes in: `add` fails on an existing one of the same destination, table and metric, `replace` takes its place. */
export type RouteWrite = "add" | "replace" | "append";

const writeFlags: Record<RouteWrite, number> = {
  add: Nlm.NLM_F_CREATE | Nlm.NLM_F_EXCL,
  replace: Nlm.NLM_F_CREATE | Nlm.NLM_F_REPLACE,
  append: Nlm.NLM_F_CREATE | Nlm.NLM_F_APPEND,
};

export function newRoute(route: Route, how: RouteWrite = "add"): Request {
  return { type: Rtm.RTM_NEWROUTE, flags: writeFlags[how], writeBody: (writer) => writeRoute(writer, route) };
}

/** Removes the route that matches in everything `route` says, so a route of another owner stays. */
export function deleteRoute(route: Route): Request {
  return { type: Rtm.RTM_DELROUTE, flags: 0, writeBody: (writer) => writeRoute(writer, route) };
}

/** What a dump is limited to; the kernel filters when it checks strictly. */
export interface RouteFilter {
  readonly family?: 4 | 6;
  readonly table?: number;
  readonly protocol?: number;
}

export function dumpRoutes(filter: RouteFilter = {}): Request {
  return {
    type: Rtm.RTM_GETROUTE,
    flags: Nlm.NLM_F_DUMP,
    writeBody: (writer) => {
      writer.u8(filter.family === undefined ? 0 : familyNumber(filter.family));
      writer.zeros(4);
      writer.u8(filter.protocol ?? 0);
      writer.zeros(6);
      if (filter.table !== undefined) writeU32Attribute(writer, Rta.RTA_TABLE, filter.table);
    },
  };
}

/** What else of a packet decides which route it takes. */
export interface LookupFlow {
  /** Of a packet that came in, together with `inputInterface`. */
  readonly source?: IpAddress;
  readonly inputInterface?: number;
  readonly mark?: number;
}

/** Asks which route of the tables a packet to `destination` would take. */
export function lookUpRoute(destination: IpAddress, flow: LookupFlow = {}): Request {
  return {
    type: Rtm.RTM_GETROUTE,
    flags: 0,
    writeBody: (writer) => {
      const family = IpAddress.family(destination);
      const length = family === 4 ? 32 : 128;
      writer.u8(familyNumber(family));
      writer.u8(length);
      writer.u8(flow.source === undefined ? 0 : length);
      writer.zeros(5);
      // Without it the kernel answers with the flow's own clone, not with the route.
      const { RTM_F_FIB_MATCH, RTM_F_LOOKUP_TABLE } = RtmFlag;
      // IPv4 names the main table unless asked for the real one, IPv6 the real one always.
      writer.u32le(family === 4 ? RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE : RTM_F_FIB_MATCH);
      writeAddressAttribute(writer, Rta.RTA_DST, destination);
      if (flow.source !== undefined) writeAddressAttribute(writer, Rta.RTA_SRC, flow.source);
      if (flow.inputInterface !== undefined) writeU32Attribute(writer, Rta.RTA_IIF, flow.inputInterface);
      if (flow.mark !== undefined) writeU32Attribute(writer, Rta.RTA_MARK, flow.mark);
    },
  };
}

interface Draft {
  destination: IpAddress | undefined;
  table: number;
  metric: number;
  hop: { interfaceIndex?: number; gateway?: IpAddress; onlink?: boolean };
  hops: NextHop[] | undefined;
  nextHopId: number | undefined;
  preferredSource: IpAddress | undefined;
  mtu: number;
}

/**
 * Body of RTM_NEWROUTE and RTM_DELROUTE. `undefined`: no route of an IP family, or one cloned for a single flow.
 * | family u8 | destination length u8 | source length u8 | TOS u8 | table u8 | protocol u8 | scope u8 | type u8 |
 * | flags u32 | attributes |
 */
export function decodeRoute(payload: Reader): Route | undefined {
  const family = ipFamily(payload.u8());
  const length = payload.u8();
  payload.skip(2);
  const draft: Draft = {
    table: payload.u8(),
    destination: undefined,
    metric: 0,
    hop: {},
    hops: undefined,
    nextHopId: undefined,
    preferredSource: undefined,
    mtu: 0,
  };
  const protocol = payload.u8();
  const scope = payload.u8();
  const type = payload.u8();
  const flags = payload.u32le();
  if (family === undefined || (flags & RtmFlag.RTM_F_CLONED) !== 0) return undefined;
  if (length > (family === 4 ? 32 : 128)) payload.fail(`an IPv${family} prefix of length ${length}`);
  if ((flags & Rtnh.RTNH_F_ONLINK) !== 0) draft.hop.onlink = true;
  readAttributes(payload, (attribute, value) => readRouteAttribute(draft, attribute, value));
  const { table, metric, hop, hops, nextHopId, preferredSource, mtu } = draft;
  const destination = draft.destination ?? (family === 4 ? Ipv4.of(0) : Ipv6.of(0n));
  if (IpAddress.family(destination) !== family) payload.fail("a destination of the wrong family");
  return {
    destination: Prefix.of(destination, length),
    type,
    protocol,
    scope,
    table,
    metric,
    nextHops: leadsNowhere(type) ? [] : (hops ?? [hop]),
    ...(nextHopId === undefined ? {} : { nextHopId }),
    ...(preferredSource === undefined ? {} : { preferredSource }),
    ...(mtu === 0 ? {} : { mtu }),
  };
}

/** IPv6 names `lo` as the device of a blackhole; that says nothing, and IPv4 does not. */
function leadsNowhere(type: number): boolean {
  return (
    type === RouteType.RTN_BLACKHOLE ||
    type === RouteType.RTN_UNREACHABLE ||
    type === RouteType.RTN_PROHIBIT ||
    type === RouteType.RTN_THROW
  );
}

function readRouteAttribute(draft: Draft, type: number, value: Reader): void {
  switch (type) {
    case Rta.RTA_DST:
      draft.destination = readAddress(value);
      break;
    case Rta.RTA_OIF:
      draft.hop.interfaceIndex = value.u32le();
      break;
    case Rta.RTA_GATEWAY:
      draft.hop.gateway = readAddress(value);
      break;
    case Rta.RTA_VIA:
      draft.hop.gateway = readVia(value);
      break;
    case Rta.RTA_PRIORITY:
      draft.metric = value.u32le();
      break;
    case Rta.RTA_TABLE:
      draft.table = value.u32le();
      break;
    case Rta.RTA_PREFSRC:
      draft.preferredSource = readAddress(value);
      break;
    case Rta.RTA_METRICS:
      readAttributes(value, (metric, content) => {
        if (metric === Rtax.RTAX_MTU) draft.mtu = content.u32le();
      });
      break;
    case Rta.RTA_NH_ID:
      draft.nextHopId = value.u32le();
      break;
    case Rta.RTA_MULTIPATH:
      draft.hops = readMultipath(value);
      break;
    default:
  }
}

/** RTA_VIA: | family u16 | address |, a gateway of the other family. */
function readVia(value: Reader): IpAddress {
  value.skip(2);
  return readAddress(value);
}

/** RTA_MULTIPATH, repeated: | length u16 | flags u8 | weight − 1 u8 | interface index i32 | attributes | */
function readMultipath(reader: Reader): NextHop[] {
  const hops: NextHop[] = [];
  while (reader.remaining >= 8) {
    const length = reader.u16le();
    if (length < 8) reader.fail(`next hop length ${length} is shorter than its header`);
    const flags = reader.u8();
    const weight = reader.u8() + 1;
    const interfaceIndex = reader.i32le();
    let gateway: IpAddress | undefined;
    readAttributes(reader.sub(length - 8), (type, value) => {
      if (type === Rta.RTA_GATEWAY) gateway = readAddress(value);
      if (type === Rta.RTA_VIA) gateway = readVia(value);
    });
    hops.push({
      interfaceIndex,
      ...(gateway === undefined ? {} : { gateway }),
      ...((flags & Rtnh.RTNH_F_ONLINK) === 0 ? {} : { onlink: true }),
      ...(weight === 1 ? {} : { weight }),
    });
  }
  return hops;
}

function writeRoute(writer: Writer, route: Route): void {
  const { destination, table, nextHops, nextHopId } = route;
  const [first] = nextHops;
  const single = nextHops.length === 1 && nextHopId === undefined ? first : undefined;
  writer.u8(familyNumber(destination.family));
  writer.u8(destination.length);
  writer.zeros(2);
  // Tables past 255 do not fit the header; the attribute counts.
  writer.u8(table > 255 ? RouteTable.RT_TABLE_UNSPEC : table);
  writer.u8(route.protocol);
  writer.u8(route.scope);
  writer.u8(route.type);
  writer.u32le(single?.onlink === true ? Rtnh.RTNH_F_ONLINK : 0);
  writeAddressAttribute(writer, Rta.RTA_DST, destination.address);
  if (table > 255) writeU32Attribute(writer, Rta.RTA_TABLE, table);
  if (route.metric !== 0) writeU32Attribute(writer, Rta.RTA_PRIORITY, route.metric);
  if (route.preferredSource !== undefined)
    writeAddressAttribute(writer, Rta.RTA_PREFSRC, route.preferredSource);
  const { mtu } = route;
  if (mtu !== undefined)
    writeNested(writer, Rta.RTA_METRICS, () => writeU32Attribute(writer, Rtax.RTAX_MTU, mtu));
  if (nextHopId !== undefined) {
    writeU32Attribute(writer, Rta.RTA_NH_ID, nextHopId);
  } else if (single !== undefined) {
    if (single.interfaceIndex !== undefined) writeU32Attribute(writer, Rta.RTA_OIF, single.interfaceIndex);
    if (single.gateway !== undefined) writeGateway(writer, destination.family, single.gateway);
  } else if (nextHops.length > 1) {
    writeNested(writer, Rta.RTA_MULTIPATH, () => writeMultipath(writer, destination.family, nextHops));
  }
}

function writeMultipath(writer: Writer, family: 4 | 6, hops: readonly NextHop[]): void {
  for (const hop of hops) {
    const start = writer.length;
    writer.u16le(0);
    writer.u8(hop.onlink === true ? Rtnh.RTNH_F_ONLINK : 0);
    writer.u8((hop.weight ?? 1) - 1);
    writer.i32le(hop.interfaceIndex ?? 0);
    if (hop.gateway !== undefined) writeGateway(writer, family, hop.gateway);
    writer.patchU16le(start, writer.length - start);
  }
}

function writeGateway(writer: Writer, family: 4 | 6, gateway: IpAddress): void {
  const gatewayFamily = IpAddress.family(gateway);
  if (gatewayFamily === family) {
    writeAddressAttribute(writer, Rta.RTA_GATEWAY, gateway);
    return;
  }
  const number = familyNumber(gatewayFamily);
  writeBytesAttribute(writer, Rta.RTA_VIA, Uint8Array.of(number, 0, ...IpAddress.toBytes(gateway)));
}
