import type { IpAddress, Reader, Writer } from "@caracal/net";
import {
  readAddress,
  readAttributes,
  writeAddressAttribute,
  writeBytesAttribute,
  writeNested,
  writeTextAttribute,
  writeU32Attribute,
} from "./attribute.ts";
import { Af, Nda, Ndta, Ndtpa, Nlm, Ntf, Rtm } from "./constants.ts";
import { Mac } from "./mac.ts";
import type { Request } from "./message.ts";

/** A neighbour entry, a proxy entry, or a bridge's forwarding entry (family AF_BRIDGE). */
export interface Neighbour {
  /** AF_INET, AF_INET6 or AF_BRIDGE. */
  readonly family: number;
  readonly interfaceIndex: number;
  /** `NeighbourState` bits. */
  readonly state: number;
  /** `Ntf` bits. */
  readonly flags: number;
  /** The neighbour; of a forwarding entry the remote tunnel end. */
  readonly address?: IpAddress;
  readonly mac?: Mac;
  /** The bridge, of a forwarding entry on a bridge's port. */
  readonly masterIndex?: number;
  readonly vlan?: number;
  readonly vni?: number;
}

/** `add` fails on an existing entry, `replace` overwrites, `append` adds one more remote to a forwarding entry. */
export type NeighbourWrite = "add" | "replace" | "append";

const writeFlags: Record<NeighbourWrite, number> = {
  add: Nlm.NLM_F_CREATE | Nlm.NLM_F_EXCL,
  replace: Nlm.NLM_F_CREATE | Nlm.NLM_F_REPLACE,
  append: Nlm.NLM_F_CREATE | Nlm.NLM_F_APPEND,
};

export function newNeighbour(entry: Neighbour, how: NeighbourWrite = "replace"): Request {
  return {
    type: Rtm.RTM_NEWNEIGH,
    flags: writeFlags[how],
    writeBody: (writer) => writeNeighbour(writer, entry),
  };
}

export function deleteNeighbour(entry: Neighbour): Request {
  return { type: Rtm.RTM_DELNEIGH, flags: 0, writeBody: (writer) => writeNeighbour(writer, entry) };
}

/** How long an interface waits before it answers ARP requests for others, at most; 100 jiffies unless told. */
export function setProxyDelay(interfaceIndex: number, delayMs: number): Request {
  return {
    type: Rtm.RTM_SETNEIGHTBL,
    flags: 0,
    // | family u8 | 0 u24 | attributes |
    writeBody: (writer) => {
      writer.u8(Af.AF_INET);
      writer.zeros(3);
      writeTextAttribute(writer, Ndta.NDTA_NAME, "arp_cache");
      writeNested(writer, Ndta.NDTA_PARMS, () => {
        writeU32Attribute(writer, Ndtpa.NDTPA_IFINDEX, interfaceIndex);
        const delay = new Uint8Array(8);
        new DataView(delay.buffer).setUint32(0, delayMs, true);
        writeBytesAttribute(writer, Ndtpa.NDTPA_PROXY_DELAY, delay);
      });
    },
  };
}

/** Which entries to dump: the kernel keeps neighbours, proxies and forwarding entries in three separate tables. */
export type NeighbourTable = "neighbours" | "proxies" | "forwarding";

/** Asks for a table, for one interface's entries if it is named. */
export function dumpNeighbours(table: NeighbourTable = "neighbours", interfaceIndex?: number): Request {
  return {
    type: Rtm.RTM_GETNEIGH,
    flags: Nlm.NLM_F_DUMP,
    writeBody: (writer) => {
      const isForwarding = table === "forwarding";
      // The interface stands in the header for one table, and for the others in an attribute.
      writeHeader(
        writer,
        isForwarding ? Af.AF_BRIDGE : 0,
        isForwarding ? (interfaceIndex ?? 0) : 0,
        0,
        table === "proxies" ? Ntf.NTF_PROXY : 0,
      );
      if (interfaceIndex !== undefined && !isForwarding)
        writeU32Attribute(writer, Nda.NDA_IFINDEX, interfaceIndex);
    },
  };
}

/** Body of RTM_NEWNEIGH and RTM_DELNEIGH: | family u8 | 0 u24 | index i32 | state u16 | flags u8 | type u8 | attributes | */
export function decodeNeighbour(payload: Reader): Neighbour {
  const family = payload.u8();
  payload.skip(3);
  const interfaceIndex = payload.i32le();
  const state = payload.u16le();
  const flags = payload.u8();
  payload.skip(1);
  const found: { -readonly [Field in keyof Neighbour]: Neighbour[Field] } = {
    family,
    interfaceIndex,
    state,
    flags,
  };
  readAttributes(payload, (type, value) => {
    if (type === Nda.NDA_DST) found.address = readAddress(value);
    if (type === Nda.NDA_LLADDR) {
      const mac = Mac.fromBytes(value.rest());
      if (mac !== undefined) found.mac = mac;
    }
    if (type === Nda.NDA_MASTER) found.masterIndex = value.u32le();
    if (type === Nda.NDA_VLAN) found.vlan = value.u16le();
    if (type === Nda.NDA_VNI) found.vni = value.u32le();
  });
  return found;
}

function writeHeader(
  writer: Writer,
  family: number,
  interfaceIndex: number,
  state: number,
  flags: number,
): void {
  writer.u8(family);
  writer.zeros(3);
  writer.i32le(interfaceIndex);
  writer.u16le(state);
  writer.u8(flags);
  writer.u8(0);
}

function writeNeighbour(writer: Writer, entry: Neighbour): void {
  writeHeader(writer, entry.family, entry.interfaceIndex, entry.state, entry.flags);
  if (entry.address !== undefined) writeAddressAttribute(writer, Nda.NDA_DST, entry.address);
  if (entry.mac !== undefined) writeBytesAttribute(writer, Nda.NDA_LLADDR, Mac.toBytes(entry.mac));
  if (entry.vlan !== undefined) {
    writeBytesAttribute(writer, Nda.NDA_VLAN, Uint8Array.of(entry.vlan & 255, entry.vlan >>> 8));
  }
  if (entry.vni !== undefined) writeU32Attribute(writer, Nda.NDA_VNI, entry.vni);
}
