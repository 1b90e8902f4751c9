import { CeaseCode, ErrorCode, FsmError, MessageType } from "../iana.ts";
import { type Notification, encodeNotification, shutdownData } from "../wire/notification.ts";
import { type Connection } from "./connection.ts";
import { type ConnectionId } from "./session-config.ts";
import { type SessionEffect } from "./session-events.ts";

/** Why connections end, in the words of NOTIFICATIONs. */

const none = new Uint8Array(0);

/** A timer ran out: `ErrorCode.holdTimerExpired` or `sendHoldTimerExpired`. */
export function expired(code: number): Notification {
  return { kind: "notification", code, subcode: 0, data: none };
}

/** RFC 4486 §3; where `message` may stand, the operator at the other end reads it (RFC 9003 §2). */
export function cease(subcode: number, message = ""): Notification {
  const carriesText =
    subcode === CeaseCode.administrativeShutdown || subcode === CeaseCode.administrativeReset;
  const data = carriesText ? shutdownData(message) : none;
  return { kind: "notification", code: ErrorCode.cease, subcode, data };
}

/** RFC 4486 §4: somebody connected whose connections are not wanted, now or ever. */
export function refuseConnection(connection: ConnectionId): readonly (SendEffect | CloseEffect)[] {
  return [
    { kind: "send", connection, bytes: rejected },
    { kind: "close", connection },
  ];
}

type SendEffect = SessionEffect & { readonly kind: "send" };
type CloseEffect = SessionEffect & { readonly kind: "close" };

const rejected = encodeNotification(cease(CeaseCode.connectionRejected));

/** What a message of a type costs that has no place in the connection's state; `undefined` for one that has. */
export function outOfPlace(state: Connection["state"], type: number): Notification | undefined {
  if (expectedIn[state].includes(type)) return undefined;
  const subcode = unexpectedIn[state];
  return { kind: "notification", code: ErrorCode.finiteStateMachine, subcode, data: none };
}

/** RFC 8538 §3: reasons after which nobody should go on with the old routes. */
export function isFinalReason({ code, subcode }: Notification): boolean {
  return code === ErrorCode.cease && finalCeases.includes(subcode);
}

/** Whether the peer may take the next attempt, so that it need not wait. */
export function isMildReason({ code, subcode }: Notification): boolean {
  return code === ErrorCode.cease && mildCeases.includes(subcode);
}

const finalCeases: readonly number[] = [
  CeaseCode.maximumPrefixes,
  CeaseCode.administrativeShutdown,
  CeaseCode.peerDeconfigured,
  CeaseCode.administrativeReset,
];

const mildCeases: readonly number[] = [
  CeaseCode.connectionRejected,
  CeaseCode.connectionCollision,
  CeaseCode.otherConfigurationChange,
];

const expectedIn: Readonly<Record<Connection["state"], readonly number[]>> = {
  Connect: [],
  OpenSent: [MessageType.open, MessageType.notification],
  OpenConfirm: [MessageType.keepalive, MessageType.notification],
  Established: [
    MessageType.update,
    MessageType.keepalive,
    MessageType.notification,
    MessageType.routeRefresh,
  ],
};

/** RFC 6608 §3. */
const unexpectedIn: Readonly<Record<Connection["state"], number>> = {
  Connect: FsmError.unspecific,
  OpenSent: FsmError.openSent,
  OpenConfirm: FsmError.openConfirm,
  Established: FsmError.established,
};
