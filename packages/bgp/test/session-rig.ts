import assert from "node:assert/strict";
import { type IpAddress, Ipv4 } from "@caracal/net";
import { buildOpen } from "../src/session/negotiated.ts";
import { type SessionConfig, defaultTimers } from "../src/session/session-config.ts";
import { type SessionEvent } from "../src/session/session-events.ts";
import { Session } from "../src/session/session.ts";
import { keepaliveBytes } from "../src/wire/message.ts";
import { encodeOpen } from "../src/wire/open.ts";
import { addressOf } from "./simulation.ts";

/** Our end of every connection. */
export const local: IpAddress = addressOf("10.0.0.1");

/** Ours: internal, identifier 0.0.0.5, a hold time of 9 s, all that can be offered offered. */
export const config: SessionConfig = {
  name: "p",
  routerId: Ipv4.of(5),
  localAsn: 64512,
  peerAsn: 64512,
  passive: false,
  timers: { ...defaultTimers, connectDelayMs: 0, holdTimeMs: 9000, keepaliveMs: 3000 },
  families: [4],
  addPathReceive: false,
  addPathSend: false,
  restartTimeS: 120,
  extendedMessages: true,
  enhancedRefresh: true,
  role: undefined,
  strictRole: false,
};

/** The peer's OPEN, with this identifier. */
export function peerOpen(routerId: number, more: Partial<SessionConfig> = {}): Uint8Array {
  const bits = { restarted: false, forwardingPreserved: false };
  return encodeOpen(buildOpen({ ...config, routerId: Ipv4.of(routerId), ...more }, bits));
}

/** One session in virtual time, with what it does as text. */
export class SessionRig {
  now = 0;
  readonly session: Session;

  /** All messages sent, on whichever connection. */
  readonly sent: Uint8Array[] = [];

  constructor(more: Partial<SessionConfig> = {}, random: () => number = () => 0.999_999) {
    this.session = new Session({ ...config, ...more }, random);
  }

  /** What the session does: `send 1` for a message of type 1, `send 6.7` for a NOTIFICATION. */
  on(event: SessionEvent): string[] {
    return this.session.handle(event, this.now).map((effect) => {
      if (effect.kind === "connect" || effect.kind === "close") return `${effect.kind} ${effect.connection}`;
      if (effect.kind === "state") return `${effect.from} → ${effect.to}`;
      if (effect.kind === "lost") return effect.graceful ? "lost gracefully" : "lost";
      if (effect.kind !== "send") return effect.kind;
      this.sent.push(effect.bytes);
      const [type, code, subcode] = effect.bytes.subarray(18);
      return `send ${type === 3 ? `${code}.${subcode}` : type} on ${effect.connection}`;
    });
  }

  tickAt(now: number): string[] {
    this.now = now;
    return this.on({ kind: "Tick" });
  }

  up(connection: string): string[] {
    return this.on({ kind: "Tcp_CR_Acked", connection, localAddress: local });
  }

  incoming(connection: string): string[] {
    return this.on({ kind: "TcpConnectionConfirmed", connection, localAddress: local });
  }

  bytes(connection: string, bytes: Uint8Array): string[] {
    return this.on({ kind: "Received", connection, bytes });
  }

  establish(): this {
    this.on({ kind: "ManualStart" });
    this.up("p>1");
    this.bytes("p>1", peerOpen(9));
    this.bytes("p>1", keepaliveBytes);
    assert.equal(this.session.state, "Established");
    return this;
  }
}
