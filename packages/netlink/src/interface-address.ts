import { IpAddress, type Reader, type Writer } from "@caracal/net";
import {
  readAddress,
  readAttributes,
  readText,
  writeAddressAttribute,
  writeTextAttribute,
  writeU32Attribute,
} from "./attribute.ts";
import { familyNumber } from "./family.ts";
import { Ifa, Nlm, Rtm } from "./constants.ts";
import type { Request } from "./message.ts";

/** An address on an interface. */
export interface InterfaceAddress {
  readonly interfaceIndex: number;
  /** The interface's own address (IFA_LOCAL where there is one). */
  readonly address: IpAddress;
  readonly prefixLength: number;
  /** `RouteScope` value. */
  readonly scope: number;
  /** `IfaFlag` bits. */
  readonly flags: number;
  /** The other end of a point-to-point link, when it differs from `address`. */
  readonly peer?: IpAddress;
  readonly broadcast?: IpAddress;
  readonly label?: string;
}

/** An address to add or remove; scope and flags are 0 where not given. */
export type NewInterfaceAddress = Omit<InterfaceAddress, "scope" | "flags"> & {
  readonly scope?: number;
  readonly flags?: number;
};

/** Adds an address; one that is there already is EEXIST, or made like this one by `replace`. */
export function newAddress(address: NewInterfaceAddress, how: "add" | "replace" = "add"): Request {
  return {
    type: Rtm.RTM_NEWADDR,
    flags: Nlm.NLM_F_CREATE | (how === "add" ? Nlm.NLM_F_EXCL : Nlm.NLM_F_REPLACE),
    writeBody: (writer) => writeAddress(writer, address),
  };
}

export function deleteAddress(address: NewInterfaceAddress): Request {
  return { type: Rtm.RTM_DELADDR, flags: 0, writeBody: (writer) => writeAddress(writer, address) };
}

/** Asks for all addresses, of one interface if named (the kernel filters when it checks strictly). */
export function dumpAddresses(interfaceIndex = 0): Request {
  return {
    type: Rtm.RTM_GETADDR,
    flags: Nlm.NLM_F_DUMP,
    writeBody: (writer) => {
      writer.zeros(4);
      writer.u32le(interfaceIndex);
    },
  };
}

/** Body of RTM_NEWADDR and RTM_DELADDR: | family u8 | length u8 | flags u8 | scope u8 | index u32 | attributes | */
export function decodeAddress(payload: Reader): InterfaceAddress {
  payload.skip(1);
  const prefixLength = payload.u8();
  let flags = payload.u8();
  const scope = payload.u8();
  const interfaceIndex = payload.u32le();
  let address: IpAddress | undefined;
  let local: IpAddress | undefined;
  let broadcast: IpAddress | undefined;
  let label: string | undefined;
  readAttributes(payload, (type, value) => {
    if (type === Ifa.IFA_ADDRESS) address = readAddress(value);
    if (type === Ifa.IFA_LOCAL) local = readAddress(value);
    if (type === Ifa.IFA_BROADCAST) broadcast = readAddress(value);
    if (type === Ifa.IFA_LABEL) label = readText(value);
    // The attribute has all 32 bits, the header only the low eight.
    if (type === Ifa.IFA_FLAGS) flags = value.u32le();
  });
  const own = local ?? address ?? payload.fail("an interface address without an address");
  return {
    interfaceIndex,
    address: own,
    prefixLength,
    scope,
    flags,
    ...(address !== undefined && address !== own ? { peer: address } : {}),
    ...(broadcast === undefined ? {} : { broadcast }),
    ...(label === undefined ? {} : { label }),
  };
}

function writeAddress(writer: Writer, address: NewInterfaceAddress): void {
  const { flags = 0, scope = 0, label, broadcast } = address;
  writer.u8(familyNumber(IpAddress.family(address.address)));
  writer.u8(address.prefixLength);
  writer.u8(flags & 255);
  writer.u8(scope);
  writer.u32le(address.interfaceIndex);
  writeAddressAttribute(writer, Ifa.IFA_LOCAL, address.address);
  writeAddressAttribute(writer, Ifa.IFA_ADDRESS, address.peer ?? address.address);
  if (broadcast !== undefined) writeAddressAttribute(writer, Ifa.IFA_BROADCAST, broadcast);
  if (label !== undefined) writeTextAttribute(writer, Ifa.IFA_LABEL, label);
  if (flags > 255) writeU32Attribute(writer, Ifa.IFA_FLAGS, flags);
}
