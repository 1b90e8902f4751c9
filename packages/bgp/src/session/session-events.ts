import { type IpAddress } from "@caracal/net";
import { type PlainUpdate } from "../wire/plain-update.ts";
import { type RouteRefresh } from "../wire/route-refresh.ts";
import { type Update } from "../wire/update.ts";
import { type Negotiated } from "./negotiated.ts";
import { type ConnectionId, type Millis, type SessionState } from "./session-config.ts";

/** What happens to a session; names from RFC 4271 §8.1 where it has one. */
export type SessionEvent =
  /** `leastDelayMs`: before the first attempt, beside what the timers say. */
  | { readonly kind: "ManualStart"; readonly leastDelayMs?: number }
  /** With a cease subcode a NOTIFICATION goes out; without one the connection just ends, so that a helper keeps routes. */
  | { readonly kind: "ManualStop"; readonly cease: number | undefined; readonly message?: string | undefined }
  /**
   * RFC 4271 §8.1.2, Event 8: the speaker ends the session for a reason of its own. It begins again after `idleMs`, or,
   * without that, when somebody starts it.
   */
  | {
      readonly kind: "AutomaticStop";
      readonly cease: number;
      readonly data: Uint8Array;
      readonly idleMs: Millis | undefined;
    }
  /** Our own attempt succeeded. */
  | { readonly kind: "Tcp_CR_Acked"; readonly connection: ConnectionId; readonly localAddress: IpAddress }
  /** The peer connected. */
  | {
      readonly kind: "TcpConnectionConfirmed";
      readonly connection: ConnectionId;
      readonly localAddress: IpAddress;
    }
  /** An attempt failed or a connection ended; `reason` is what an operator reads. */
  | { readonly kind: "TcpConnectionFails"; readonly connection: ConnectionId; readonly reason: string }
  /** Bytes wait to be sent and none are taken, or some are again. */
  | { readonly kind: "SendStalled"; readonly connection: ConnectionId; readonly stalled: boolean }
  /** More bytes wait to be sent than there is room for. */
  | { readonly kind: "SendQueueOverflows"; readonly connection: ConnectionId }
  | { readonly kind: "Received"; readonly connection: ConnectionId; readonly bytes: Uint8Array }
  | { readonly kind: "Tick" };

/** What a session wants done, in order. */
export type SessionEffect =
  | { readonly kind: "connect"; readonly connection: ConnectionId }
  | { readonly kind: "send"; readonly connection: ConnectionId; readonly bytes: Uint8Array }
  /** After what was sent before; no further event of this connection is expected. */
  | { readonly kind: "close"; readonly connection: ConnectionId }
  | { readonly kind: "state"; readonly from: SessionState; readonly to: SessionState }
  | { readonly kind: "established"; readonly negotiated: Negotiated }
  /** No longer Established. `graceful`: for no reason that forbids to keep the routes (RFC 4724 §4.2, RFC 8538 §4). */
  | { readonly kind: "lost"; readonly graceful: boolean; readonly reason: string }
  | { readonly kind: "update"; readonly update: Update }
  | PlainUpdate
  | { readonly kind: "refresh"; readonly refresh: RouteRefresh };
