import { type IpAddress } from "@caracal/net";
import { type DecodeContext } from "../wire/attribute-decoder.ts";
import { MessageSplitter } from "../wire/header.ts";
import { type Negotiated } from "./negotiated.ts";
import { type ConnectionId, type Millis, type SessionConfig, type SessionState } from "./session-config.ts";

/** Where one TCP connection stands; a session may have two until their collision is resolved (RFC 4271 §6.8). */
export interface Connection {
  readonly id: ConnectionId;
  readonly direction: "outgoing" | "incoming";
  readonly splitter: MessageSplitter;
  state: Exclude<SessionState, "Idle" | "Active">;
  localAddress: IpAddress | undefined;
  /** What the OPEN said on it follows from. */
  config: SessionConfig;
  negotiated: Negotiated | undefined;
  decoding: DecodeContext;
  establishedAt: Millis;
  holdAt: Millis | undefined;
  keepaliveAt: Millis | undefined;
  /** RFC 9687 §3.2: SendHoldTimer; runs while the connection stands still. */
  sendHoldAt: Millis | undefined;
}

export function createConnection(
  id: ConnectionId,
  direction: Connection["direction"],
  config: SessionConfig,
): Connection {
  return {
    id,
    direction,
    splitter: new MessageSplitter(),
    state: "Connect",
    localAddress: undefined,
    config,
    negotiated: undefined,
    decoding: { as4: true, external: true, addPath: [] },
    establishedAt: 0,
    holdAt: undefined,
    keepaliveAt: undefined,
    sendHoldAt: undefined,
  };
}
