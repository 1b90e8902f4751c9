import { IpAddress, type Ipv4, Utf8, Writer } from "@caracal/net";
import { type Millis } from "../session/session-config.ts";

/** RFC 7854 §4.1. */
const version = 3;
const MessageType = {
  routeMonitoring: 0,
  statisticsReport: 1,
  peerDown: 2,
  peerUp: 3,
  initiation: 4,
  termination: 5,
} as const;

/** RFC 7854 §4.2: peer flags, and the only peer type here, a global instance. */
const PeerFlag = { ipv6: 0x80, legacyAsPath: 0x20 } as const;
const globalInstancePeer = 0;

/** RFC 7854 §4.4: information of the initiation message. */
const InitiationTlv = { sysDescr: 1, sysName: 2 } as const;
/** RFC 7854 §4.5. */
const terminationReasonTlv = 1;
export const TerminationReason = { administrativelyClosed: 0, unspecified: 1, outOfResources: 2 } as const;
export type TerminationReason = (typeof TerminationReason)[keyof typeof TerminationReason];

/** RFC 7854 §4.8: counters have 4 octets, gauges 8. */
export const Statistic = {
  rejectedByPolicy: 0,
  duplicateAnnouncements: 1,
  duplicateWithdrawals: 2,
  adjRibInRoutes: 7,
} as const;
const gauges: readonly number[] = [Statistic.adjRibInRoutes];

/** A message is a header, at most two OPENs or one UPDATE, and little else. */
const maxMessageBytes = 1 << 18;

/** Whom a message is about (RFC 7854 §4.2). */
export interface BmpPeer {
  readonly address: IpAddress;
  readonly asn: number;
  readonly bgpId: Ipv4;
  /** Whether its AS paths have four-octet numbers. */
  readonly as4: boolean;
}

/** Both ends of a session and how it was agreed on. Ports are 0 where they are not known. */
export interface BmpPeerUp {
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remotePort: number;
  /** Whole messages, header included. */
  readonly sentOpen: Uint8Array;
  readonly receivedOpen: Uint8Array;
}

/** Why a session ended (RFC 7854 §4.9). */
export type BmpPeerDown =
  /** We said why, by this NOTIFICATION. */
  | { readonly kind: "localNotification"; readonly message: Uint8Array }
  /** By an event of RFC 4271 §8.1, or 0 where none fits. */
  | { readonly kind: "localEvent"; readonly event: number }
  | { readonly kind: "remoteNotification"; readonly message: Uint8Array }
  | { readonly kind: "remoteClosed" };

/** The first message to a station (RFC 7854 §4.3). */
export function encodeInitiation(system: {
  readonly name: string;
  readonly description: string;
}): Uint8Array {
  return encodeMessage(MessageType.initiation, (out) => {
    writeTlv(out, InitiationTlv.sysDescr, Utf8.encode(system.description));
    writeTlv(out, InitiationTlv.sysName, Utf8.encode(system.name));
  });
}

/** The last one (RFC 7854 §4.5). */
export function encodeTermination(reason: TerminationReason): Uint8Array {
  return encodeMessage(MessageType.termination, (out) => {
    writeTlv(out, terminationReasonTlv, Uint8Array.of(reason >> 8, reason & 255));
  });
}

/** RFC 7854 §4.10: | peer | local address, 16 | local port u16 | remote port u16 | OPEN sent | OPEN received | */
export function encodePeerUp(peer: BmpPeer, up: BmpPeerUp, now: Millis): Uint8Array {
  return encodeMessage(MessageType.peerUp, (out) => {
    writePeer(out, peer, now);
    writeAddress(out, up.localAddress);
    out.u16(up.localPort);
    out.u16(up.remotePort);
    out.bytes(up.sentOpen);
    out.bytes(up.receivedOpen);
  });
}

/** RFC 7854 §4.9: | peer | reason u8 | what the reason comes with | */
export function encodePeerDown(peer: BmpPeer, down: BmpPeerDown, now: Millis): Uint8Array {
  return encodeMessage(MessageType.peerDown, (out) => {
    writePeer(out, peer, now);
    switch (down.kind) {
      case "localNotification":
        out.u8(1);
        out.bytes(down.message);
        return;
      case "localEvent":
        out.u8(2);
        out.u16(down.event);
        return;
      case "remoteNotification":
        out.u8(3);
        out.bytes(down.message);
        return;
      case "remoteClosed":
        out.u8(4);
        return;
    }
  });
}

/** An UPDATE as the peer sent it, before policy (RFC 7854 §4.6): | peer | message | */
export function encodeRouteMonitoring(peer: BmpPeer, update: Uint8Array, now: Millis): Uint8Array {
  return encodeMessage(MessageType.routeMonitoring, (out) => {
    writePeer(out, peer, now);
    out.bytes(update);
  });
}

/** RFC 7854 §4.8: | peer | count u32 | then each as type u16, length u16, value | */
export function encodeStatistics(
  peer: BmpPeer,
  statistics: ReadonlyMap<number, number>,
  now: Millis,
): Uint8Array {
  return encodeMessage(MessageType.statisticsReport, (out) => {
    writePeer(out, peer, now);
    out.u32(statistics.size);
    for (const [type, value] of statistics) {
      const isGauge = gauges.includes(type);
      out.u16(type);
      out.u16(isGauge ? 8 : 4);
      if (isGauge) out.u64(BigInt(value));
      else out.u32(value);
    }
  });
}

/** RFC 7854 §4.1: | version u8 | length u32, header included | type u8 | body | */
function encodeMessage(type: number, write: (out: Writer) => void): Uint8Array {
  const out = new Writer(256, maxMessageBytes);
  out.u8(version);
  out.u32(0);
  out.u8(type);
  write(out);
  out.patchU16(1, out.length >>> 16);
  out.patchU16(3, out.length & 0xffff);
  return out.finish();
}

/** RFC 7854 §4.2: | type u8 | flags u8 | distinguisher u64 | address, 16 | AS u32 | ID u32 | seconds u32 | microseconds u32 | */
function writePeer(out: Writer, { address, asn, bgpId, as4 }: BmpPeer, now: Millis): void {
  out.u8(globalInstancePeer);
  out.u8((IpAddress.isIpv4(address) ? 0 : PeerFlag.ipv6) | (as4 ? 0 : PeerFlag.legacyAsPath));
  out.zeros(8);
  writeAddress(out, address);
  out.u32(asn);
  out.u32(bgpId);
  const seconds = Math.floor(now / 1000);
  out.u32(seconds);
  out.u32(Math.floor((now - seconds * 1000) * 1000));
}

/** An IPv4 address stands in the last four of 16 octets. */
function writeAddress(out: Writer, address: IpAddress): void {
  const bytes = IpAddress.toBytes(address);
  out.zeros(16 - bytes.length);
  out.bytes(bytes);
}

function writeTlv(out: Writer, type: number, value: Uint8Array): void {
  out.u16(type);
  out.u16(value.length);
  out.bytes(value);
}
