import { type SessionEvent } from "../session/session-events.ts";
import { type SpeakerEvent } from "./speaker-events.ts";

/** What happens to a connection. */
export type ConnectionEvent = SpeakerEvent & {
  readonly kind: "connected" | "failed" | "received" | "stalled" | "overflowed";
};

/** The same as the connection's session hears it. */
export function connectionEvent(event: ConnectionEvent): SessionEvent {
  const { connection } = event;
  switch (event.kind) {
    case "connected":
      return { kind: "Tcp_CR_Acked", connection, localAddress: event.localAddress };
    case "failed":
      return { kind: "TcpConnectionFails", connection, reason: event.reason };
    case "received":
      return { kind: "Received", connection, bytes: event.bytes };
    case "stalled":
      return { kind: "SendStalled", connection, stalled: event.stalled };
    case "overflowed":
      return { kind: "SendQueueOverflows", connection };
  }
}
