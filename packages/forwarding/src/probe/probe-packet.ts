import { IpAddress, Writer } from "@caracal/net";

/** Bytes of the mark that a probe ends in. */
export const probeMarkBytes = 16;

/** A packet that is sent to see where it comes through. */
export interface Probe {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: "icmp" | "tcp" | "udp";
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** From the IP header on. */
  readonly bytes: number;
  /** What its payload ends in, by which it is known again. */
  readonly mark: Uint8Array;
}

const timeToLive = 64;
const doNotFragment = 0x4000;
/** Numbers of protocols (IANA), and ICMP's types of an echo request (RFC 792, RFC 4443 §4.1). */
const protocolNumbers = { icmp: 1, tcp: 6, udp: 17 } as const;
const icmpv6 = 58;
const echoRequest = 8;
const echoRequestV6 = 128;
const synFlag = 0x02;
const tcpWindow = 64_240;

/** The least bytes that a probe can have: the largest headers and the mark. */
export const minProbeBytes: number = 40 + 20 + probeMarkBytes;

/** The probe with its IP header. It may not be fragmented; too few bytes for headers and mark are a `RangeError`. */
export function probePacket(probe: Probe): Uint8Array {
  const { source, destination, bytes } = probe;
  if (bytes < minProbeBytes || bytes > 65_535)
    throw new RangeError(`a probe has ${minProbeBytes} to 65535 bytes`);
  const isIpv4 = IpAddress.isIpv4(destination);
  const body = transport(probe, bytes - (isIpv4 ? 20 : 40));
  const protocol = probe.protocol === "icmp" && !isIpv4 ? icmpv6 : protocolNumbers[probe.protocol];
  const isPseudo = protocol !== protocolNumbers.icmp;
  const checksumAt = { icmp: 2, tcp: 16, udp: 6 }[probe.protocol];
  const pseudo = isPseudo ? pseudoHeader(probe, protocol, body.length) : new Uint8Array();
  const sum = checksum([pseudo, body]);
  // RFC 768: no checksum is written as zero, so a sum of zero is written as its complement.
  new DataView(body.buffer).setUint16(checksumAt, sum === 0 && probe.protocol === "udp" ? 0xffff : sum);
  const writer = new Writer(bytes);
  if (isIpv4) {
    // RFC 791 §3.1: | version, header length | TOS | length | identification | flags, offset | TTL | protocol | checksum |
    writer.u16(0x4500);
    writer.u16(bytes);
    // The kernel fills identification and checksum.
    writer.u16(0);
    writer.u16(doNotFragment);
    writer.u8(timeToLive);
    writer.u8(protocol);
    writer.u16(0);
  } else {
    // RFC 8200 §3: | version, class, flow label | payload length | next header | hop limit |
    writer.u32(0x6000_0000);
    writer.u16(body.length);
    writer.u8(protocol);
    writer.u8(timeToLive);
  }
  writer.bytes(IpAddress.toBytes(source));
  writer.bytes(IpAddress.toBytes(destination));
  writer.bytes(body);
  return writer.finish();
}

/** Header and payload, the checksum still zero. */
function transport(probe: Probe, length: number): Uint8Array {
  const { protocol, sourcePort, destinationPort, mark } = probe;
  const writer = new Writer(length);
  if (protocol === "icmp") {
    writer.u8(IpAddress.isIpv4(probe.destination) ? echoRequest : echoRequestV6);
    writer.zeros(3);
    writer.u16(sourcePort);
    writer.u16(1);
  } else {
    writer.u16(sourcePort);
    writer.u16(destinationPort);
    if (protocol === "udp") {
      writer.u16(length);
      writer.u16(0);
    } else {
      // RFC 9293 §3.1: | sequence | acknowledgement | data offset, flags | window | checksum | urgent |
      writer.u32(1);
      writer.u32(0);
      writer.u16(0x5000 | synFlag);
      writer.u16(tcpWindow);
      writer.u32(0);
    }
  }
  writer.zeros(length - writer.length - mark.length);
  writer.bytes(mark);
  return writer.finish();
}

function pseudoHeader({ source, destination }: Probe, protocol: number, length: number): Uint8Array {
  const writer = new Writer(40);
  writer.bytes(IpAddress.toBytes(source));
  writer.bytes(IpAddress.toBytes(destination));
  writer.u32(length);
  writer.u32(protocol);
  return writer.finish();
}

/** RFC 1071: the ones' complement sum of 16-bit words; the parts but the last are of even length. */
function checksum(parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 2) sum += ((part[at] ?? 0) << 8) + (part[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
