import { Reader, Utf8 } from "@caracal/net";
import { CeaseCode, ErrorCode, MessageType } from "../iana.ts";
import { encodeFrame, headerBytes, maxMessageBytes } from "./header.ts";

/** NOTIFICATION (RFC 4271 §4.5): why the sender closes the connection. Codes are carried as they came. */
export interface Notification {
  readonly kind: "notification";
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/** | header | code u8 | subcode u8 | data | */
export function decodeNotification(bytes: Uint8Array): Notification {
  const reader = new Reader(bytes, undefined, headerBytes);
  return {
    kind: "notification",
    code: reader.u8(),
    subcode: reader.u8(),
    data: reader.rest().slice(),
  };
}

export function encodeNotification(notification: Notification): Uint8Array {
  return encodeFrame(MessageType.notification, (writer) => {
    writer.u8(notification.code);
    writer.u8(notification.subcode);
    writer.bytes(notification.data.subarray(0, maxDataBytes));
  });
}

/** What fits: RFC 4271 §6.3 wants a whole attribute quoted, and that may be long. */
const maxDataBytes = maxMessageBytes - headerBytes - 2;

/**
 * RFC 8538 §3: around another reason it says that routes must not be kept, where both ends would keep them over a
 * NOTIFICATION.
 */
export function hardReset({ code, subcode, data }: Notification): Notification {
  return {
    kind: "notification",
    code: ErrorCode.cease,
    subcode: CeaseCode.hardReset,
    data: Uint8Array.of(code, subcode, ...data),
  };
}

export function isHardReset({ code, subcode }: Notification): boolean {
  return code === ErrorCode.cease && subcode === CeaseCode.hardReset;
}

/** What operators know a fault by; a shutdown message (RFC 9003 §2) follows its text. */
export function notificationText(notification: Notification): string {
  const { code, subcode, data } = notification;
  const [innerCode, innerSubcode, ...rest] = data;
  if (isHardReset(notification) && innerCode !== undefined && innerSubcode !== undefined) {
    return `Hard reset: ${reasonText(innerCode, innerSubcode, Uint8Array.from(rest))}`;
  }
  return reasonText(code, subcode, data);
}

function reasonText(code: number, subcode: number, data: Uint8Array): string {
  const known = texts[code]?.[subcode] ?? texts[code]?.[0];
  if (known === undefined) return `Unknown error ${code}.${subcode}`;
  const named =
    texts[code]?.[subcode] === undefined && subcode !== 0 ? `${known} (subcode ${subcode})` : known;
  const said = shutdownMessage(code, subcode, data);
  return said === undefined ? named : `${named}: ${said}`;
}

/** RFC 9003 §2: what the operator at the other end is to read, cut to what one octet can count; empty for no text. */
export function shutdownData(message: string): Uint8Array {
  const bytes = Utf8.encode(message);
  let end = Math.min(bytes.length, maxShutdownBytes);
  // A character is sent whole or not at all.
  while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end === 0 ? new Uint8Array(0) : Uint8Array.of(end, ...bytes.subarray(0, end));
}

const maxShutdownBytes = 255;

/** RFC 9003 §2: | length u8 | UTF-8 text |. Control characters would let a peer write into the operator's terminal. */
function shutdownMessage(code: number, subcode: number, data: Uint8Array): string | undefined {
  const isShutdown =
    code === ErrorCode.cease &&
    (subcode === CeaseCode.administrativeShutdown || subcode === CeaseCode.administrativeReset);
  const length = data[0] ?? 0;
  if (!isShutdown || length === 0 || length >= data.length) return undefined;
  return Utf8.decode(data.subarray(1, 1 + length)).replaceAll(/\p{Cc}/gu, " ");
}

const texts: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  1: {
    0: "Invalid message header",
    1: "Connection not synchronized",
    2: "Bad message length",
    3: "Bad message type",
  },
  2: {
    0: "Invalid OPEN message",
    1: "Unsupported version number",
    2: "Bad peer AS",
    3: "Bad BGP identifier",
    4: "Unsupported optional parameter",
    5: "Authentication failure",
    6: "Unacceptable hold time",
    7: "Required capability missing",
    11: "Role mismatch",
  },
  3: {
    0: "Invalid UPDATE message",
    1: "Malformed attribute list",
    2: "Unrecognized well-known attribute",
    3: "Missing mandatory attribute",
    4: "Invalid attribute flags",
    5: "Invalid attribute length",
    6: "Invalid ORIGIN attribute",
    7: "AS routing loop",
    8: "Invalid NEXT_HOP attribute",
    9: "Optional attribute error",
    10: "Invalid network field",
    11: "Malformed AS_PATH",
  },
  4: { 0: "Hold timer expired" },
  5: {
    0: "Finite state machine error",
    1: "Unexpected message in OpenSent state",
    2: "Unexpected message in OpenConfirm state",
    3: "Unexpected message in Established state",
  },
  6: {
    0: "Cease",
    1: "Maximum number of prefixes reached",
    2: "Administrative shutdown",
    3: "Peer de-configured",
    4: "Administrative reset",
    5: "Connection rejected",
    6: "Other configuration change",
    7: "Connection collision",
    8: "Out of Resources",
    9: "Hard reset",
  },
  7: { 0: "Invalid ROUTE-REFRESH message", 1: "Invalid ROUTE-REFRESH message length" },
  8: { 0: "Send hold timer expired" },
};
