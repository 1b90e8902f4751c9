import { type IpFamily, type Reader, type Writer } from "@caracal/net";
import { Afi, CapabilityCode, Safi } from "../iana.ts";

/** A pair of the IANA address family registries as a capability names it. */
export interface AfiSafi {
  readonly afi: number;
  readonly safi: number;
}

export type Capability =
  /** RFC 4760 §8. */
  | ({ readonly kind: "multiprotocol" } & AfiSafi)
  /** RFC 2918 §2. */
  | { readonly kind: "routeRefresh" }
  /** RFC 7313 §3.1. */
  | { readonly kind: "enhancedRouteRefresh" }
  /** RFC 8654 §3. */
  | { readonly kind: "extendedMessage" }
  /** RFC 9234 §4.1: what the sender is to the receiver; one of `RoleCode`, or a number that means nothing yet. */
  | { readonly kind: "role"; readonly role: number }
  /** RFC 6793 §3. */
  | { readonly kind: "fourOctetAs"; readonly asn: number }
  | ExtendedNextHopCapability
  | GracefulRestartCapability
  | LongLivedCapability
  | AddPathCapability
  /** Anything else: carried unchanged. */
  | { readonly kind: "opaque"; readonly code: number; readonly value: Uint8Array };

/** RFC 8950 §4: in which families the sender takes a next hop of which other family. */
export interface ExtendedNextHopCapability {
  readonly kind: "extendedNextHop";
  readonly families: readonly (AfiSafi & { readonly nextHopAfi: number })[];
}

/** RFC 4724 §3. */
export interface GracefulRestartCapability {
  readonly kind: "gracefulRestart";
  /** R: the speaker has restarted and does not wait for End-of-RIB from its peers. */
  readonly restarted: boolean;
  /** RFC 8538 §2: NOTIFICATION keeps the routes as well. */
  readonly notification: boolean;
  readonly restartTimeS: number;
  readonly families: readonly (AfiSafi & { readonly forwardingPreserved: boolean })[];
}

/** RFC 9494 §3. */
export interface LongLivedCapability {
  readonly kind: "longLivedGracefulRestart";
  /** For each family how long its routes may be kept after the restart time; none: only what others keep is understood. */
  readonly families: readonly (AfiSafi & {
    readonly forwardingPreserved: boolean;
    readonly staleTimeS: number;
  })[];
}

/** RFC 7911 §4. */
export interface AddPathCapability {
  readonly kind: "addPath";
  readonly families: readonly (AfiSafi & { readonly receive: boolean; readonly send: boolean })[];
}

/** What 24 bits hold: 194 days. */
export const maxStaleTimeS = 0xff_ffff;

/** The unicast pair of an address family. */
export function unicast(family: IpFamily): AfiSafi {
  return { afi: family === 4 ? Afi.ipv4 : Afi.ipv6, safi: Safi.unicast };
}

/** The family of a pair, or `undefined` for one that this speaker has no table for. */
export function unicastFamily({ afi, safi }: AfiSafi): IpFamily | undefined {
  if (safi !== Safi.unicast) return undefined;
  if (afi === Afi.ipv4) return 4;
  return afi === Afi.ipv6 ? 6 : undefined;
}

/** RFC 5492 §4: | code u8 | length u8 | value |. The reader's blame is kept for a length past the parameter's end. */
export function decodeCapability(reader: Reader): Capability {
  const code = reader.u8();
  const body = reader.sub(reader.u8());
  // RFC 4271 §6.2: what is known and malformed refuses the OPEN. Not understood, it would have the ends disagree.
  const malformed = (): never => body.fail(`capability ${code} of ${body.remaining} bytes`);
  switch (code) {
    case CapabilityCode.multiprotocol:
      return body.remaining === 4 ? decodeMultiprotocol(body) : malformed();
    case CapabilityCode.routeRefresh:
      return body.remaining === 0 ? { kind: "routeRefresh" } : malformed();
    case CapabilityCode.enhancedRouteRefresh:
      return body.remaining === 0 ? { kind: "enhancedRouteRefresh" } : malformed();
    case CapabilityCode.extendedMessage:
      return body.remaining === 0 ? { kind: "extendedMessage" } : malformed();
    case CapabilityCode.extendedNextHop:
      return body.remaining % 6 === 0 ? decodeExtendedNextHop(body) : malformed();
    case CapabilityCode.role:
      return body.remaining === 1 ? { kind: "role", role: body.u8() } : malformed();
    case CapabilityCode.fourOctetAs:
      return body.remaining === 4 ? { kind: "fourOctetAs", asn: body.u32() } : malformed();
    case CapabilityCode.gracefulRestart:
      return body.remaining >= 2 && body.remaining % 4 === 2 ? decodeGracefulRestart(body) : malformed();
    case CapabilityCode.longLivedGracefulRestart:
      return body.remaining % 7 === 0 ? decodeLongLived(body) : malformed();
    case CapabilityCode.addPath:
      return body.remaining % 4 === 0 ? decodeAddPath(body) : malformed();
    default:
      return { kind: "opaque", code, value: body.rest().slice() };
  }
}

export function encodeCapability(writer: Writer, capability: Capability): void {
  writer.u8(codeOf(capability));
  const lengthAt = writer.length;
  writer.u8(0);
  encodeValue(writer, capability);
  writer.patchU8(lengthAt, writer.length - lengthAt - 1);
}

function decodeMultiprotocol(body: Reader): Capability {
  const afi = body.u16();
  body.skip(1); // Reserved: zero when sent, ignored when received.
  return { kind: "multiprotocol", afi, safi: body.u8() };
}

/** Per family | AFI u16 | SAFI u16 | next hop's AFI u16 | */
function decodeExtendedNextHop(body: Reader): Capability {
  const families: ExtendedNextHopCapability["families"][number][] = [];
  while (body.remaining > 0) families.push({ afi: body.u16(), safi: body.u16(), nextHopAfi: body.u16() });
  return { kind: "extendedNextHop", families };
}

/** | R, N, two reserved bits, restart time u12 | then per family | AFI u16 | SAFI u8 | F, seven reserved bits | */
function decodeGracefulRestart(body: Reader): Capability {
  const head = body.u16();
  const families: (AfiSafi & { forwardingPreserved: boolean })[] = [];
  while (body.remaining > 0) {
    const afi = body.u16();
    const safi = body.u8();
    families.push({ afi, safi, forwardingPreserved: (body.u8() & 0x80) !== 0 });
  }
  return {
    kind: "gracefulRestart",
    restarted: (head & 0x8000) !== 0,
    notification: (head & 0x4000) !== 0,
    restartTimeS: head & 0x0fff,
    families,
  };
}

/** Per family | AFI u16 | SAFI u8 | F, seven reserved bits | stale time u24 | */
function decodeLongLived(body: Reader): Capability {
  const families: LongLivedCapability["families"][number][] = [];
  while (body.remaining > 0) {
    const afi = body.u16();
    const safi = body.u8();
    const word = body.u32();
    families.push({ afi, safi, forwardingPreserved: word >= 0x8000_0000, staleTimeS: word & maxStaleTimeS });
  }
  return { kind: "longLivedGracefulRestart", families };
}

/** Per family | AFI u16 | SAFI u8 | 1 receive, 2 send, 3 both |; RFC 7911 §4: other values are ignored. */
function decodeAddPath(body: Reader): Capability {
  const families: (AfiSafi & { receive: boolean; send: boolean })[] = [];
  while (body.remaining > 0) {
    const afi = body.u16();
    const safi = body.u8();
    const mode = body.u8();
    if (mode >= 1 && mode <= 3) {
      families.push({ afi, safi, receive: (mode & 1) !== 0, send: (mode & 2) !== 0 });
    }
  }
  return { kind: "addPath", families };
}

function codeOf(capability: Capability): number {
  return capability.kind === "opaque" ? capability.code : CapabilityCode[capability.kind];
}

function encodeValue(writer: Writer, capability: Capability): void {
  switch (capability.kind) {
    case "multiprotocol":
      writer.u16(capability.afi);
      writer.u8(0);
      writer.u8(capability.safi);
      return;
    case "routeRefresh":
    case "enhancedRouteRefresh":
    case "extendedMessage":
      return;
    case "extendedNextHop":
      for (const family of capability.families) {
        writer.u16(family.afi);
        writer.u16(family.safi);
        writer.u16(family.nextHopAfi);
      }
      return;
    case "role":
      writer.u8(capability.role);
      return;
    case "fourOctetAs":
      writer.u32(capability.asn);
      return;
    case "gracefulRestart":
      writer.u16(
        (capability.restarted ? 0x8000 : 0) |
          (capability.notification ? 0x4000 : 0) |
          Math.min(capability.restartTimeS, 0x0fff),
      );
      for (const family of capability.families) {
        writer.u16(family.afi);
        writer.u8(family.safi);
        writer.u8(family.forwardingPreserved ? 0x80 : 0);
      }
      return;
    case "longLivedGracefulRestart":
      for (const family of capability.families) {
        writer.u16(family.afi);
        writer.u8(family.safi);
        writer.u8(family.forwardingPreserved ? 0x80 : 0);
        writer.u8(family.staleTimeS >>> 16);
        writer.u16(family.staleTimeS & 0xffff);
      }
      return;
    case "addPath":
      for (const family of capability.families) {
        writer.u16(family.afi);
        writer.u8(family.safi);
        writer.u8((family.receive ? 1 : 0) | (family.send ? 2 : 0));
      }
      return;
    case "opaque":
      writer.bytes(capability.value);
      return;
  }
}
