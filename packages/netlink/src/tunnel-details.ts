import type { IpAddress, Reader, Writer } from "@caracal/net";
import {
  readAddress,
  readAttributes,
  writeAddressAttribute,
  writeBytesAttribute,
  writeU32Attribute,
  writeU8Attribute,
} from "./attribute.ts";
import { IflaIptun, IflaVxlan } from "./constants.ts";

export interface VxlanDetails {
  readonly vni: number;
  /** UDP destination port. */
  readonly port: number;
  readonly learning: boolean;
  readonly local?: IpAddress;
  readonly parentIndex?: number;
  /** Where packets to unknown MACs go: a multicast group or one remote. */
  readonly group?: IpAddress;
  /** Flow-based: each packet's route says VNI and remote. */
  readonly isFlowBased?: boolean;
  /** Options, as `ip link` names them, that a plain device has not and that others may not get on with. Read only. */
  readonly peculiarities?: readonly string[];
}

/** An IP-in-IP device; what is absent is any. */
export interface IpipDetails {
  readonly local?: IpAddress;
  readonly remote?: IpAddress;
  readonly parentIndex?: number;
  /** Flow-based: each packet's route says local and remote. */
  readonly isFlowBased?: boolean;
  /** The outer packets are put into UDP besides (FOU, GUE). Read only. */
  readonly isInUdp?: boolean;
}

export function readVxlan(data: Reader): VxlanDetails {
  const found: { -readonly [Field in keyof VxlanDetails]: VxlanDetails[Field] } = {
    vni: 0,
    port: 0,
    learning: false,
  };
  const peculiarities: string[] = [];
  readAttributes(data, (type, value) => {
    const option = optionNames[type];
    switch (type) {
      case IflaVxlan.IFLA_VXLAN_TTL: {
        const ttl = value.u8();
        if (ttl !== 0) peculiarities.push(`ttl ${ttl}`);
        break;
      }
      case IflaVxlan.IFLA_VXLAN_ID:
        found.vni = value.u32le();
        break;
      case IflaVxlan.IFLA_VXLAN_PORT:
        found.port = value.u16();
        break;
      case IflaVxlan.IFLA_VXLAN_LEARNING:
        found.learning = value.u8() !== 0;
        break;
      case IflaVxlan.IFLA_VXLAN_LINK:
        found.parentIndex = value.u32le();
        break;
      case IflaVxlan.IFLA_VXLAN_LOCAL:
      case IflaVxlan.IFLA_VXLAN_LOCAL6:
        found.local = readAddress(value);
        break;
      case IflaVxlan.IFLA_VXLAN_GROUP:
      case IflaVxlan.IFLA_VXLAN_GROUP6:
        found.group = readAddress(value);
        break;
      case IflaVxlan.IFLA_VXLAN_COLLECT_METADATA:
        if (value.u8() !== 0) found.isFlowBased = true;
        break;
      default:
        if (option !== undefined && isSet(value)) peculiarities.push(option);
    }
  });
  if (peculiarities.length > 0) found.peculiarities = peculiarities;
  return found;
}

const optionNames: Readonly<Record<number, string>> = {
  [IflaVxlan.IFLA_VXLAN_PROXY]: "proxy",
  [IflaVxlan.IFLA_VXLAN_RSC]: "rsc",
  [IflaVxlan.IFLA_VXLAN_UDP_ZERO_CSUM6_TX]: "udp6zerocsumtx",
  [IflaVxlan.IFLA_VXLAN_REMCSUM_TX]: "remcsumtx",
  [IflaVxlan.IFLA_VXLAN_GBP]: "gbp",
  [IflaVxlan.IFLA_VXLAN_GPE]: "gpe",
  [IflaVxlan.IFLA_VXLAN_TTL_INHERIT]: "ttl inherit",
  [IflaVxlan.IFLA_VXLAN_VNIFILTER]: "vnifilter",
};

/** A number that is not zero, or a flag: those are there or not. */
function isSet(value: Reader): boolean {
  return value.remaining === 0 || value.u8() !== 0;
}

export function writeVxlan(writer: Writer, details: VxlanDetails): void {
  writeU32Attribute(writer, IflaVxlan.IFLA_VXLAN_ID, details.vni);
  writeBytesAttribute(
    writer,
    IflaVxlan.IFLA_VXLAN_PORT,
    Uint8Array.of(details.port >>> 8, details.port & 255),
  );
  writeU8Attribute(writer, IflaVxlan.IFLA_VXLAN_LEARNING, details.learning ? 1 : 0);
  if (details.isFlowBased === true) writeU8Attribute(writer, IflaVxlan.IFLA_VXLAN_COLLECT_METADATA, 1);
  if (details.parentIndex !== undefined)
    writeU32Attribute(writer, IflaVxlan.IFLA_VXLAN_LINK, details.parentIndex);
  const { local, group } = details;
  if (local !== undefined) {
    const type = typeof local === "number" ? IflaVxlan.IFLA_VXLAN_LOCAL : IflaVxlan.IFLA_VXLAN_LOCAL6;
    writeAddressAttribute(writer, type, local);
  }
  if (group === undefined) return;
  const type = typeof group === "number" ? IflaVxlan.IFLA_VXLAN_GROUP : IflaVxlan.IFLA_VXLAN_GROUP6;
  writeAddressAttribute(writer, type, group);
}

export function readIpip(data: Reader): IpipDetails {
  const found: { -readonly [Field in keyof IpipDetails]: IpipDetails[Field] } = {};
  readAttributes(data, (type, value) => {
    if (type === IflaIptun.IFLA_IPTUN_LINK) {
      const index = value.u32le();
      if (index !== 0) found.parentIndex = index;
    }
    if (type === IflaIptun.IFLA_IPTUN_LOCAL) setUnlessAny(found, "local", readAddress(value));
    if (type === IflaIptun.IFLA_IPTUN_REMOTE) setUnlessAny(found, "remote", readAddress(value));
    // Present means yes.
    if (type === IflaIptun.IFLA_IPTUN_COLLECT_METADATA) found.isFlowBased = true;
    if (type === IflaIptun.IFLA_IPTUN_ENCAP_TYPE && value.u16le() !== 0) found.isInUdp = true;
  });
  return found;
}

function setUnlessAny(
  details: { local?: IpAddress; remote?: IpAddress },
  end: "local" | "remote",
  address: IpAddress,
): void {
  if (address !== 0) details[end] = address;
}

export function writeIpip(
  writer: Writer,
  { local, remote, parentIndex, isFlowBased = false }: IpipDetails,
): void {
  if (parentIndex !== undefined) writeU32Attribute(writer, IflaIptun.IFLA_IPTUN_LINK, parentIndex);
  if (local !== undefined) writeAddressAttribute(writer, IflaIptun.IFLA_IPTUN_LOCAL, local);
  if (remote !== undefined) writeAddressAttribute(writer, IflaIptun.IFLA_IPTUN_REMOTE, remote);
  if (isFlowBased) writeBytesAttribute(writer, IflaIptun.IFLA_IPTUN_COLLECT_METADATA, new Uint8Array());
}
