import type { Reader, Writer } from "@caracal/net";
import {
  readAttributes,
  readText,
  writeBytesAttribute,
  writeNested,
  writeTextAttribute,
  writeU32Attribute,
} from "./attribute.ts";
import {
  Af,
  Iff,
  Ifla,
  IflaInet,
  IflaInfo,
  Ipv4Devconf,
  Nlm,
  RtextFilter,
  Rtm,
  VethInfo,
} from "./constants.ts";
import { Mac } from "./mac.ts";
import type { Request } from "./message.ts";
import {
  type IpipDetails,
  readIpip,
  readVxlan,
  type VxlanDetails,
  writeIpip,
  writeVxlan,
} from "./tunnel-details.ts";

/** A network interface as the kernel describes it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** `Iff` bits. */
  readonly flags: number;
  /** `IfOper` value. */
  readonly operState: number;
  readonly mtu: number;
  readonly mac?: Mac;
  /** The bridge or bond it belongs to. */
  readonly masterIndex?: number;
  /** IFLA_LINK: a veth's peer, a tunnel's underlying interface. */
  readonly linkedIndex?: number;
  /** Present when `linkedIndex` counts in another namespace. */
  readonly linkedNamespaceId?: number;
  /** "veth", "bridge", "vxlan"…; absent for hardware and loopback. */
  readonly kind?: string;
  readonly vxlan?: VxlanDetails;
  readonly ipip?: IpipDetails;
}

/** What can be set on an interface, at its creation or later. */
export interface LinkSettings {
  readonly name?: string;
  readonly mac?: Mac;
  readonly mtu?: number;
  readonly up?: boolean;
  /** 0 takes it out of its bridge. */
  readonly masterIndex?: number;
  /** Open descriptor of the namespace it moves to. */
  readonly namespaceFd?: number;
  /** Of each direction, only at its creation; the kernel's choice unless told. */
  readonly queueCount?: number;
  /** Only of an interface that exists: at its creation the kernel does not look at them. */
  readonly ipv4?: Ipv4Settings;
}

/** What else stands in `/proc/sys/net/ipv4/conf/NAME`: here it is as quick as the change that it comes with. */
export interface Ipv4Settings {
  readonly forwarding?: boolean;
  readonly proxyArp?: boolean;
  readonly routeLocalnet?: boolean;
}

/** An interface to be made; a veth brings its peer, which may start in another namespace. */
export interface NewLink extends LinkSettings {
  readonly name: string;
  readonly details:
    | { readonly kind: "bridge" }
    | { readonly kind: "ifb" }
    | { readonly kind: "veth"; readonly peer: LinkSettings & { readonly name: string } }
    | ({ readonly kind: "vxlan" } & VxlanDetails)
    | ({ readonly kind: "ipip" } & IpipDetails);
}

export function newLink(link: NewLink): Request {
  return {
    type: Rtm.RTM_NEWLINK,
    flags: Nlm.NLM_F_CREATE | Nlm.NLM_F_EXCL,
    writeBody: (writer) => {
      writeSettings(writer, 0, link);
      writeNested(writer, Ifla.IFLA_LINKINFO, () => writeDetails(writer, link.details));
    },
  };
}

/** Changes an interface that exists; index 0 is the one that `settings` name, which then keeps its name. */
export function changeLink(index: number, settings: LinkSettings): Request {
  return { type: Rtm.RTM_NEWLINK, flags: 0, writeBody: (writer) => writeSettings(writer, index, settings) };
}

export function deleteLink(index: number): Request {
  return { type: Rtm.RTM_DELLINK, flags: 0, writeBody: (writer) => writeHeader(writer, index, 0, 0) };
}

/** Asks for one interface, by name or by index, in the socket's namespace or in one that this one has a number for. */
export function getLink(
  which: { readonly name: string } | { readonly index: number },
  namespaceId?: number,
): Request {
  return {
    type: Rtm.RTM_GETLINK,
    flags: 0,
    writeBody: (writer) => {
      writeHeader(writer, "index" in which ? which.index : 0, 0, 0);
      if ("name" in which) writeTextAttribute(writer, Ifla.IFLA_IFNAME, which.name);
      if (namespaceId !== undefined) writeU32Attribute(writer, Ifla.IFLA_TARGET_NETNSID, namespaceId);
      writeU32Attribute(writer, Ifla.IFLA_EXT_MASK, RtextFilter.RTEXT_FILTER_SKIP_STATS);
    },
  };
}

export function dumpLinks(): Request {
  return {
    type: Rtm.RTM_GETLINK,
    flags: Nlm.NLM_F_DUMP,
    writeBody: (writer) => {
      writeHeader(writer, 0, 0, 0);
      writeU32Attribute(writer, Ifla.IFLA_EXT_MASK, RtextFilter.RTEXT_FILTER_SKIP_STATS);
    },
  };
}

/** Body of RTM_NEWLINK and RTM_DELLINK: | family u8 | 0 u8 | type u16 | index i32 | flags u32 | change u32 | attributes | */
export function decodeLink(payload: Reader): Link {
  payload.skip(4);
  const index = payload.i32le();
  const flags = payload.u32le();
  payload.skip(4);
  const found: { -readonly [Field in keyof Link]: Link[Field] } = {
    index,
    name: "",
    flags,
    operState: 0,
    mtu: 0,
  };
  readAttributes(payload, (type, value) => {
    switch (type) {
      case Ifla.IFLA_IFNAME:
        found.name = readText(value);
        break;
      case Ifla.IFLA_MTU:
        found.mtu = value.u32le();
        break;
      case Ifla.IFLA_ADDRESS: {
        // Tunnels have addresses of other lengths; those are no MAC.
        const mac = Mac.fromBytes(value.rest());
        if (mac !== undefined) found.mac = mac;
        break;
      }
      case Ifla.IFLA_OPERSTATE:
        found.operState = value.u8();
        break;
      case Ifla.IFLA_MASTER:
        found.masterIndex = value.u32le();
        break;
      case Ifla.IFLA_LINK:
        found.linkedIndex = value.u32le();
        break;
      case Ifla.IFLA_LINK_NETNSID:
        found.linkedNamespaceId = value.i32le();
        break;
      case Ifla.IFLA_LINKINFO:
        Object.assign(found, readLinkInfo(value));
        break;
      default:
    }
  });
  return found;
}

function readLinkInfo(info: Reader): { kind?: string; vxlan?: VxlanDetails; ipip?: IpipDetails } {
  let kind: string | undefined;
  let vxlan: VxlanDetails | undefined;
  let ipip: IpipDetails | undefined;
  readAttributes(info, (type, value) => {
    if (type === IflaInfo.IFLA_INFO_KIND) kind = readText(value);
    // The kernel puts the kind before the data that it explains.
    if (type === IflaInfo.IFLA_INFO_DATA && kind === "vxlan") vxlan = readVxlan(value);
    if (type === IflaInfo.IFLA_INFO_DATA && kind === "ipip") ipip = readIpip(value);
  });
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(vxlan === undefined ? {} : { vxlan }),
    ...(ipip === undefined ? {} : { ipip }),
  };
}

function writeHeader(writer: Writer, index: number, flags: number, change: number): void {
  writer.u8(Af.AF_UNSPEC);
  writer.zeros(3);
  writer.i32le(index);
  writer.u32le(flags);
  writer.u32le(change);
}

function writeSettings(writer: Writer, index: number, settings: LinkSettings): void {
  const { up, name, mac, mtu, masterIndex, namespaceFd, queueCount, ipv4 } = settings;
  writeHeader(writer, index, up === true ? Iff.IFF_UP : 0, up === undefined ? 0 : Iff.IFF_UP);
  if (name !== undefined) writeTextAttribute(writer, Ifla.IFLA_IFNAME, name);
  if (mac !== undefined) writeBytesAttribute(writer, Ifla.IFLA_ADDRESS, Mac.toBytes(mac));
  if (mtu !== undefined) writeU32Attribute(writer, Ifla.IFLA_MTU, mtu);
  if (masterIndex !== undefined) writeU32Attribute(writer, Ifla.IFLA_MASTER, masterIndex);
  if (namespaceFd !== undefined) writeU32Attribute(writer, Ifla.IFLA_NET_NS_FD, namespaceFd);
  if (queueCount !== undefined) {
    writeU32Attribute(writer, Ifla.IFLA_NUM_TX_QUEUES, queueCount);
    writeU32Attribute(writer, Ifla.IFLA_NUM_RX_QUEUES, queueCount);
  }
  if (ipv4 !== undefined) {
    writeNested(writer, Ifla.IFLA_AF_SPEC, () =>
      writeNested(writer, Af.AF_INET, () =>
        writeNested(writer, IflaInet.IFLA_INET_CONF, () => writeIpv4Settings(writer, ipv4)),
      ),
    );
  }
}

function writeIpv4Settings(writer: Writer, settings: Ipv4Settings): void {
  for (const [type, value] of [
    [Ipv4Devconf.IPV4_DEVCONF_FORWARDING, settings.forwarding],
    [Ipv4Devconf.IPV4_DEVCONF_PROXY_ARP, settings.proxyArp],
    [Ipv4Devconf.IPV4_DEVCONF_ROUTE_LOCALNET, settings.routeLocalnet],
  ] as const) {
    if (value !== undefined) writeU32Attribute(writer, type, value ? 1 : 0);
  }
}

function writeDetails(writer: Writer, details: NewLink["details"]): void {
  writeTextAttribute(writer, IflaInfo.IFLA_INFO_KIND, details.kind);
  if (details.kind === "bridge" || details.kind === "ifb") return;
  writeNested(writer, IflaInfo.IFLA_INFO_DATA, () => {
    if (details.kind === "vxlan") {
      writeVxlan(writer, details);
      return;
    }
    if (details.kind === "ipip") {
      writeIpip(writer, details);
      return;
    }
    // The peer is a whole second interface description inside the first.
    writeNested(writer, VethInfo.VETH_INFO_PEER, () => writeSettings(writer, 0, details.peer));
  });
}
