import { DecodeError, IpAddress, Reader } from "@caracal/net";

/** What a captured frame holds: its headers from the outside in. */
export interface SeenFrame {
  readonly sourceMac?: string;
  readonly destinationMac?: string;
  /** The outermost IP header first. */
  readonly headers: readonly SeenHeader[];
  /** What the innermost packet is. */
  readonly what: "request" | "reply" | "error" | "other";
  /** Of an ICMP error: type and code. */
  readonly error?: { readonly type: number; readonly code: number };
}

export interface SeenHeader {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  /** Of the VXLAN header behind it (RFC 7348 §5). */
  readonly vni?: number;
  readonly port?: number;
}

/** ARPHRD_ETHER and ARPHRD_LOOPBACK (linux/if_arp.h): an Ethernet header comes first. */
const ethernetTypes: ReadonlySet<number> = new Set([1, 772]);
const EtherType = { vlan: 0x8100, ipv4: 0x0800, ipv6: 0x86dd } as const;
const Protocol = { icmp: 1, ipip: 4, tcp: 6, udp: 17, ipv6: 41, icmpv6: 58 } as const;
/** RFC 7348 §5: the flag that says that there is a VNI. */
const vniFlag = 0x08;
const vxlanHeaderBytes = 8;

/** The ports of a probe; a translation may change one of them on the way. */
export interface ProbePorts {
  readonly source: number;
  readonly destination: number;
}

/** Reads a frame of an interface; `undefined`: no IP packet, or cut off. */
export function readFrame(bytes: Uint8Array, hardwareType: number, ports: ProbePorts): SeenFrame | undefined {
  try {
    const reader = new Reader(bytes);
    const macs = ethernetTypes.has(hardwareType) ? readEthernet(reader) : {};
    const headers: SeenHeader[] = [];
    const inside = readPacket(reader, headers, ports);
    return headers.length === 0 ? undefined : { ...macs, headers, ...inside };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function readEthernet(reader: Reader): { readonly sourceMac: string; readonly destinationMac: string } {
  const destinationMac = macText(reader);
  const sourceMac = macText(reader);
  if (reader.u16() === EtherType.vlan) reader.skip(4);
  return { sourceMac, destinationMac };
}

function macText(reader: Reader): string {
  return Array.from({ length: 6 }, () => reader.u8().toString(16).padStart(2, "0")).join(":");
}

function readPacket(
  reader: Reader,
  headers: SeenHeader[],
  ports: ProbePorts,
): Pick<SeenFrame, "what" | "error"> {
  const { protocol, source, destination } = readIp(reader);
  const header = { source, destination, protocol };
  if (protocol === Protocol.ipip || protocol === Protocol.ipv6) {
    headers.push(header);
    return readPacket(reader, headers, ports);
  }
  if (protocol === Protocol.udp) {
    const sourcePort = reader.u16();
    const port = reader.u16();
    reader.skip(4);
    const what = direction(sourcePort, port, ports);
    // What has the probe's own ports is the probe, even if it looks like a tunnel.
    if (what !== "other" || reader.remaining < vxlanHeaderBytes) {
      headers.push(header);
      return { what };
    }
    const flags = reader.u32();
    const vni = reader.u32() >>> 8;
    if (flags >>> 24 !== vniFlag) {
      headers.push(header);
      return { what: "other" };
    }
    headers.push({ ...header, vni, port });
    readEthernet(reader);
    return readPacket(reader, headers, ports);
  }
  headers.push(header);
  return readTransport(reader, protocol, ports);
}

function direction(source: number, destination: number, ports: ProbePorts): "request" | "reply" | "other" {
  if (destination === ports.destination || source === ports.source) return "request";
  return source === ports.destination || destination === ports.source ? "reply" : "other";
}

function readIp(reader: Reader): {
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
} {
  const first = reader.u8();
  if (first >>> 4 === 6) {
    reader.skip(5);
    const protocol = reader.u8();
    reader.skip(1);
    return { protocol, source: addressText(reader, 16), destination: addressText(reader, 16) };
  }
  if (first >>> 4 !== 4) reader.fail("neither IPv4 nor IPv6");
  reader.skip(8);
  const protocol = reader.u8();
  reader.skip(2);
  const ends = { source: addressText(reader, 4), destination: addressText(reader, 4) };
  reader.skip(((first & 15) - 5) * 4);
  return { protocol, ...ends };
}

function addressText(reader: Reader, length: number): string {
  const bytes = Uint8Array.from({ length }, () => reader.u8());
  const address = IpAddress.fromBytes(bytes);
  return address === undefined ? "" : IpAddress.format(address);
}

function readTransport(
  reader: Reader,
  protocol: number,
  ports: ProbePorts,
): Pick<SeenFrame, "what" | "error"> {
  if (protocol === Protocol.tcp) {
    return { what: direction(reader.u16(), reader.u16(), ports) };
  }
  const type = reader.u8();
  const code = reader.u8();
  if (protocol === Protocol.icmp) {
    if (type === 8 || type === 0) return { what: type === 8 ? "request" : "reply" };
    return { what: "error", error: { type, code } };
  }
  if (protocol !== Protocol.icmpv6) return { what: "other" };
  if (type === 128 || type === 129) return { what: type === 128 ? "request" : "reply" };
  return { what: "error", error: { type, code } };
}
