import { DecodeError, IpAddress, Reader } from "@caracal/net";
import { Mac } from "@caracal/netlink";

/** One header of a captured packet, from the outside in. */
export type Layer =
  | { readonly kind: "ethernet"; readonly source: Mac; readonly destination: Mac }
  | { readonly kind: "ip"; readonly source: string; readonly destination: string }
  /** UDP to `port` with a VXLAN header in it (RFC 7348 §5). */
  | { readonly kind: "vxlan"; readonly port: number; readonly vni: number }
  | { readonly kind: "echo"; readonly isReply: boolean };

/** What a capture file begins with, in the order of a machine that counts from the low byte. */
const pcapMagic = 0xa1b2c3d4;
const pcapHeaderBytes = 24;
const LinkType = { ethernet: 1, raw: 101 } as const;
const EtherType = { ipv4: 0x0800, ipv6: 0x86dd } as const;
const Protocol = { icmp: 1, ipip: 4, udp: 17, icmp6: 58 } as const;
const Echo = { request: 8, reply: 0, request6: 128, reply6: 129 } as const;
/** A VXLAN header's flags where only the identifier is valid. */
const vxlanFlags = 0x0800_0000;
/** Headers inside headers; more is no traffic of ours. */
const layersMax = 12;

/** The headers of every packet in a capture as `tcpdump -w` writes it; one that was cut short ends where it does. */
export function readCapture(bytes: Uint8Array): readonly (readonly Layer[])[] {
  const reader = new Reader(bytes);
  if (reader.remaining < pcapHeaderBytes || reader.u32le() !== pcapMagic) return [];
  reader.skip(16);
  const linkType = reader.u32le();
  const packets: (readonly Layer[])[] = [];
  // | seconds u32 | fraction u32 | captured bytes u32 | bytes on the wire u32 |
  while (reader.remaining >= 16) {
    reader.skip(8);
    const captured = reader.u32le();
    reader.skip(4);
    if (captured > reader.remaining) break;
    packets.push(readPacket(reader.sub(captured), linkType));
  }
  return packets;
}

/** The headers of one packet, as far as they make sense. */
export function readPacket(reader: Reader, linkType: number): readonly Layer[] {
  const layers: Layer[] = [];
  try {
    if (linkType === LinkType.ethernet) readEthernet(reader, layers);
    else if (linkType === LinkType.raw) readIp(reader, layers);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  return layers;
}

function readEthernet(reader: Reader, layers: Layer[]): void {
  const destination = readMac(reader);
  const source = readMac(reader);
  const type = reader.u16();
  layers.push({ kind: "ethernet", source, destination });
  if (type === EtherType.ipv4 || type === EtherType.ipv6) readIp(reader, layers);
}

function readMac(reader: Reader): Mac {
  return Mac.fromBytes(reader.bytes(6)) ?? reader.fail("no MAC");
}

function readIp(reader: Reader, layers: Layer[]): void {
  if (layers.length > layersMax) return;
  const first = reader.u8();
  const isIpv4 = first >>> 4 === 4;
  if (isIpv4) {
    reader.skip(8);
    const protocol = reader.u8();
    reader.skip(2);
    pushAddresses(reader, layers, 4);
    reader.skip((first & 15) * 4 - 20);
    readPayload(reader, protocol, layers);
    return;
  }
  reader.skip(5);
  const protocol = reader.u8();
  reader.skip(1);
  pushAddresses(reader, layers, 16);
  readPayload(reader, protocol, layers);
}

function pushAddresses(reader: Reader, layers: Layer[], length: number): void {
  const read = (): string => {
    const address = IpAddress.fromBytes(reader.bytes(length));
    return address === undefined ? "?" : IpAddress.format(address);
  };
  const source = read();
  layers.push({ kind: "ip", source, destination: read() });
}

function readPayload(reader: Reader, protocol: number, layers: Layer[]): void {
  if (protocol === Protocol.ipip) {
    readIp(reader, layers);
  } else if (protocol === Protocol.icmp || protocol === Protocol.icmp6) {
    const type = reader.u8();
    const isReply = type === Echo.reply || type === Echo.reply6;
    if (isReply || type === Echo.request || type === Echo.request6) layers.push({ kind: "echo", isReply });
  } else if (protocol === Protocol.udp) {
    reader.skip(2);
    const port = reader.u16();
    reader.skip(4);
    if (reader.u32() !== vxlanFlags) return;
    const vni = reader.u32() >>> 8;
    layers.push({ kind: "vxlan", port, vni });
    readEthernet(reader, layers);
  }
}
