import { type Blame, Reader } from "@caracal/net";
import { ErrorCode, MessageType, RouteRefreshError } from "../iana.ts";
import { encodeFrame, headerBytes } from "./header.ts";

/** ROUTE-REFRESH (RFC 2918 §3, RFC 7313 §4). */
export interface RouteRefresh {
  readonly kind: "routeRefresh";
  readonly afi: number;
  readonly safi: number;
  /** `RefreshKind`; others are ignored by the receiver (RFC 7313 §5). */
  readonly subtype: number;
}

const badLength: Blame = {
  code: ErrorCode.routeRefresh,
  subcode: RouteRefreshError.invalidMessageLength,
  action: "reset",
};

/** | header | AFI u16 | subtype u8 | SAFI u8 | */
export function decodeRouteRefresh(bytes: Uint8Array): RouteRefresh {
  const reader = new Reader(bytes, badLength, headerBytes);
  const afi = reader.u16();
  const subtype = reader.u8();
  const safi = reader.u8();
  // RFC 5291 appends filters to a plain request; we never offer that capability, so nothing may follow.
  if (reader.remaining > 0) reader.fail(`${reader.remaining} stray bytes`, badLength, bytes.slice());
  return { kind: "routeRefresh", afi, safi, subtype };
}

export function encodeRouteRefresh(refresh: RouteRefresh): Uint8Array {
  return encodeFrame(MessageType.routeRefresh, (writer) => {
    writer.u16(refresh.afi);
    writer.u8(refresh.subtype);
    writer.u8(refresh.safi);
  });
}
