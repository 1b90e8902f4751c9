import { type Blame, Reader } from "@caracal/net";
import { ErrorCode, MessageType, RefreshKind, RouteRefreshError } from "../iana.ts";
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
  // RFC 7313 §5: the data is the whole message.
  if (reader.remaining < 4) reader.fail("too short", badLength, bytes.slice());
  const afi = reader.u16();
  const subtype = reader.u8();
  const safi = reader.u8();
  const isMark = subtype === RefreshKind.begin || subtype === RefreshKind.end;
  // Only the marks of RFC 7313 have a fixed length. RFC 5291 appends filters to a request: not offered, not looked at.
  if (isMark && reader.remaining > 0) {
    reader.fail(`${reader.remaining} stray bytes`, badLength, bytes.slice());
  }
  return { kind: "routeRefresh", afi, safi, subtype };
}

export function encodeRouteRefresh(refresh: RouteRefresh): Uint8Array {
  return encodeFrame(MessageType.routeRefresh, (writer) => {
    writer.u16(refresh.afi);
    writer.u8(refresh.subtype);
    writer.u8(refresh.safi);
  });
}
