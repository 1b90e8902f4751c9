import { IpAddress, type Reader, type Writer } from "@caracal/net";
import { readAddress, readAttributes, writeAddressAttribute, writeU32Attribute } from "./attribute.ts";
import { Af, Nha, Nlm, Rtm, Rtnh } from "./constants.ts";
import { familyNumber } from "./family.ts";
import type { Request } from "./message.ts";
import type { NextHop, Route } from "./route.ts";

/** A next hop that the kernel keeps for itself, so that routes lead through it by its number. */
export interface NextHopObject {
  readonly id: number;
  /** Who installed it: `RouteProtocol` value. */
  readonly protocol: number;
  /** Where it leads; empty for a blackhole, an interface alone for what is neither. */
  readonly hop: NextHop;
  /** Of a group: its members. */
  readonly members?: readonly { readonly id: number; readonly weight: number }[];
}

/** One that is no group. Fails with EEXIST when the number is taken. */
export function newNextHop({ id, protocol, hop }: NextHopObject): Request {
  return {
    type: Rtm.RTM_NEWNEXTHOP,
    flags: Nlm.NLM_F_CREATE | Nlm.NLM_F_EXCL,
    writeBody: (writer) => {
      const { gateway, interfaceIndex, onlink } = hop;
      const family = gateway === undefined ? Af.AF_INET : familyNumber(IpAddress.family(gateway));
      writeHeader(writer, family, protocol, onlink === true ? Rtnh.RTNH_F_ONLINK : 0);
      writeU32Attribute(writer, Nha.NHA_ID, id);
      if (interfaceIndex !== undefined) writeU32Attribute(writer, Nha.NHA_OIF, interfaceIndex);
      if (gateway !== undefined) writeAddressAttribute(writer, Nha.NHA_GATEWAY, gateway);
    },
  };
}

/** The kernel removes all routes through it, without a notice of any. */
export function deleteNextHop(id: number): Request {
  return {
    type: Rtm.RTM_DELNEXTHOP,
    flags: 0,
    writeBody: (writer) => {
      writeHeader(writer, Af.AF_UNSPEC, 0, 0);
      writeU32Attribute(writer, Nha.NHA_ID, id);
    },
  };
}

export function dumpNextHops(): Request {
  return {
    type: Rtm.RTM_GETNEXTHOP,
    flags: Nlm.NLM_F_DUMP,
    writeBody: (writer) => writeHeader(writer, Af.AF_UNSPEC, 0, 0),
  };
}

/** Body of RTM_NEWNEXTHOP and RTM_DELNEXTHOP (linux/nexthop.h, struct nhmsg), as `writeHeader` draws it. */
export function decodeNextHop(payload: Reader): NextHopObject {
  payload.skip(2);
  const protocol = payload.u8();
  payload.skip(1);
  const flags = payload.u32le();
  const hop: { interfaceIndex?: number; gateway?: IpAddress; onlink?: boolean } = {};
  if ((flags & Rtnh.RTNH_F_ONLINK) !== 0) hop.onlink = true;
  let id = 0;
  let members: NextHopObject["members"];
  readAttributes(payload, (type, value) => {
    if (type === Nha.NHA_ID) id = value.u32le();
    if (type === Nha.NHA_OIF) hop.interfaceIndex = value.u32le();
    if (type === Nha.NHA_GATEWAY) hop.gateway = readAddress(value);
    if (type === Nha.NHA_GROUP) members = readMembers(value);
  });
  return { id, protocol, hop, ...(members === undefined ? {} : { members }) };
}

/** Whether the kernel named only the object that a route leads through (net.ipv4.nexthop_compat_mode=0). */
export function lacksNextHops({ nextHopId, nextHops }: Route): boolean {
  const [first] = nextHops;
  return nextHopId !== undefined && first !== undefined && Object.keys(first).length === 0;
}

/** The route with what its object says, if it lacks it and the object is known. */
export function withNextHops(route: Route, objects: ReadonlyMap<number, NextHopObject>): Route {
  if (!lacksNextHops(route)) return route;
  const object = objects.get(route.nextHopId ?? 0);
  if (object === undefined) return route;
  if (object.members === undefined) return { ...route, nextHops: [object.hop] };
  const nextHops = object.members.flatMap(({ id, weight }): readonly NextHop[] => {
    const hop = objects.get(id)?.hop;
    return hop === undefined ? [] : [weight === 1 ? hop : { ...hop, weight }];
  });
  return { ...route, nextHops };
}

/** NHA_GROUP, repeated: | id u32 | weight − 1 u8 | its upper byte u8 | 0 u16 | */
function readMembers(reader: Reader): { readonly id: number; readonly weight: number }[] {
  const members: { readonly id: number; readonly weight: number }[] = [];
  while (reader.remaining >= 8) {
    const id = reader.u32le();
    members.push({ id, weight: reader.u16le() + 1 });
    reader.skip(2);
  }
  return members;
}

/** | family u8 | scope u8 | protocol u8 | 0 u8 | flags u32 | attributes | */
function writeHeader(writer: Writer, family: number, protocol: number, flags: number): void {
  writer.u8(family);
  writer.u8(0);
  writer.u8(protocol);
  writer.u8(0);
  writer.u32le(flags);
}
