import { DecodeError, type IpAddress } from "@caracal/net";
import { CeaseCode, ErrorCode, MessageType, OpenError } from "../iana.ts";
import { type Frame } from "../wire/header.ts";
import { decodeMessage, keepaliveBytes } from "../wire/message.ts";
import {
  type Notification,
  encodeNotification,
  hardReset,
  isHardReset,
  notificationText,
} from "../wire/notification.ts";
import { type Open, encodeOpen } from "../wire/open.ts";
import { type PlainUpdate, PlainUpdateDecoder } from "../wire/plain-update.ts";
import { isRestart, survives } from "./collision.ts";
import { type Connection, createConnection } from "./connection.ts";
import { buildOpen, negotiate } from "./negotiated.ts";
import { cease, expired, isFinalReason, isMildReason, outOfPlace, refuseConnection } from "./reasons.ts";
import {
  type ConnectionId,
  type Millis,
  type SessionConfig,
  type SessionState,
  type SessionTimers,
  sendHoldMs,
  withoutCapabilities,
} from "./session-config.ts";
import { type SessionEffect, type SessionEvent } from "./session-events.ts";

/** After this long without an error the next one waits the shortest time again. */
const errorMemoryMs = 300_000;

const stateOrder: readonly SessionState[] = [
  "Idle",
  "Active",
  "Connect",
  "OpenSent",
  "OpenConfirm",
  "Established",
];

/**
 * The finite state machine of one peer (RFC 4271 §8), with the connection that each end may have opened. Pure: events
 * and time in, effects out.
 */
export class Session {
  #config: SessionConfig;
  readonly #random: () => number;
  readonly #connections = new Map<ConnectionId, Connection>();
  readonly #plainUpdates = new PlainUpdateDecoder();
  #effects: SessionEffect[] = [];
  #phase: "Idle" | "Connect" | "Active" = "Idle";
  #enabled = false;
  /** RFC 4271 §8: ConnectRetryTimer. */
  #retryAt: Millis | undefined;
  /** RFC 4271 §8: IdleHoldTimer. */
  #idleUntil: Millis | undefined;
  #retryCount = 0;
  #errorCount = 0;
  #lastErrorAt: Millis = Number.NEGATIVE_INFINITY;
  #attempt = 0;
  #lastError = "";
  #wasEstablished = false;
  /** Of the next OPEN, after a peer refused capabilities. */
  #fallback: SessionConfig | undefined;
  /** RFC 4724 §4.1: say in OPEN that we restarted, until the initial exchange is complete. */
  restarted = false;

  /** `random` gives numbers from 0 up to 1, for the jitter of RFC 4271 §10. */
  constructor(config: SessionConfig, random: () => number) {
    this.#config = config;
    this.#random = random;
  }

  /** What its connections are named by. */
  get name(): string {
    return this.#config.name;
  }

  get state(): SessionState {
    let state: SessionState = this.#phase;
    for (const one of this.#connections.values()) {
      if (stateOrder.indexOf(one.state) > stateOrder.indexOf(state)) state = one.state;
    }
    return state;
  }

  /** What ended the last connection or attempt: `Socket: Connection refused`, `Received: Hold timer expired`. */
  get lastError(): string {
    return this.#lastError;
  }

  /** The connection that carries routes. */
  get established(): Connection | undefined {
    for (const one of this.#connections.values()) if (one.state === "Established") return one;
    return undefined;
  }

  /** When a `Tick` is next due. */
  get deadline(): Millis | undefined {
    let least = Math.min(this.#retryAt ?? Infinity, this.#idleUntil ?? Infinity);
    for (const one of this.#connections.values()) {
      least = Math.min(least, one.holdAt ?? Infinity, one.keepaliveAt ?? Infinity);
      least = Math.min(least, one.sendHoldAt ?? Infinity);
    }
    return least === Infinity ? undefined : least;
  }

  /** Takes new timers and the passive flag without touching what is open. */
  retime(timers: SessionTimers, passive: boolean, now: Millis): void {
    this.#config = { ...this.#config, timers, passive };
    const isWaiting = this.#phase === "Active" && this.#connections.size === 0;
    if (isWaiting) this.#retryAt = passive ? undefined : now;
  }

  /** Advances the machine (RFC 4271 §8.2.2). Bytes of an event are read during the call only. */
  handle(event: SessionEvent, now: Millis): readonly SessionEffect[] {
    const before = this.state;
    this.#effects = [];
    this.#dispatch(event, now);
    const after = this.state;
    if (before !== after) this.#effects.push({ kind: "state", from: before, to: after });
    return this.#effects;
  }

  #dispatch(event: SessionEvent, now: Millis): void {
    switch (event.kind) {
      case "ManualStart":
        if (this.#enabled) return;
        this.#enabled = true;
        this.#begin(now, Math.max(this.#config.timers.connectDelayMs, event.leastDelayMs ?? 0));
        return;
      case "ManualStop":
        this.#stop(event.cease, event.message);
        return;
      case "AutomaticStop":
        this.#automaticStop(event, now);
        return;
      case "Tcp_CR_Acked":
        this.#connected(event.connection, event.localAddress, now);
        return;
      case "TcpConnectionConfirmed":
        this.#accepted(event.connection, event.localAddress, now);
        return;
      case "TcpConnectionFails":
        this.#failed(event.connection, event.reason, now);
        return;
      case "SendStalled":
        this.#stalled(event.connection, event.stalled, now);
        return;
      case "SendQueueOverflows":
        this.#overflowed(event.connection, now);
        return;
      case "Received":
        this.#received(event.connection, event.bytes, now);
        return;
      case "Tick":
        this.#tick(now);
        return;
    }
  }

  #begin(now: Millis, delayMs: number): void {
    this.#phase = "Active";
    this.#idleUntil = undefined;
    this.#retryAt = this.#config.passive ? undefined : now + delayMs;
    if (!this.#config.passive && delayMs <= 0) this.#connect(now);
  }

  #stop(subcode: number | undefined, message?: string): void {
    for (const one of this.#connections.values()) {
      if (subcode === undefined || one.state === "Connect")
        this.#drop(one, "Administrative stop", subcode === undefined);
      else this.#dropWith(one, cease(subcode, message));
    }
    if (subcode !== undefined) this.#lastError = errorText(cease(subcode, message));
    this.#retryCount = 0;
    this.#enabled = false;
    this.#phase = "Idle";
    this.#retryAt = undefined;
    this.#idleUntil = undefined;
  }

  #automaticStop({ cease, data, idleMs }: SessionEvent & { kind: "AutomaticStop" }, now: Millis): void {
    const reason: Notification = { kind: "notification", code: ErrorCode.cease, subcode: cease, data };
    for (const one of this.#connections.values()) {
      if (one.state === "Connect") this.#drop(one, "", true);
      else this.#dropWith(one, reason);
    }
    this.#lastError = errorText(reason);
    this.#enabled = idleMs !== undefined;
    this.#phase = "Idle";
    this.#retryAt = undefined;
    this.#idleUntil = idleMs === undefined ? undefined : now + idleMs;
  }

  #connect(now: Millis): void {
    for (const one of this.#connections.values()) {
      if (one.direction !== "outgoing" || one.state !== "Connect") continue;
      this.#drop(one, "", true);
      // The system gives up later than we do, so nobody else says why there is no session.
      this.#lastError = "Socket: Connection timed out";
    }
    this.#attempt += 1;
    const connection = createConnection(`${this.#config.name}>${this.#attempt}`, "outgoing", this.#config);
    this.#connections.set(connection.id, connection);
    this.#phase = "Connect";
    this.#retryAt = now + this.#jitter(this.#config.timers.connectRetryMs);
    this.#effects.push({ kind: "connect", connection: connection.id });
  }

  #connected(id: ConnectionId, localAddress: IpAddress, now: Millis): void {
    const connection = this.#connections.get(id);
    if (connection === undefined || connection.state !== "Connect") {
      this.#effects.push({ kind: "close", connection: id });
      return;
    }
    this.#sendOpen(connection, localAddress, now);
  }

  #accepted(id: ConnectionId, localAddress: IpAddress, now: Millis): void {
    // RFC 4271 §8.2.2: Idle refuses all connections.
    if (!this.#enabled || this.#phase === "Idle") {
      this.#effects.push(...refuseConnection(id));
      return;
    }
    for (const one of this.#connections.values()) {
      // The peer has one connection to offer: a second one means that it gave up the first.
      if (one.direction === "incoming" && one.state !== "Established") this.#drop(one, "", true);
    }
    const connection = createConnection(id, "incoming", this.#config);
    this.#connections.set(id, connection);
    this.#sendOpen(connection, localAddress, now);
  }

  #sendOpen(connection: Connection, localAddress: IpAddress, now: Millis): void {
    connection.localAddress = localAddress;
    connection.state = "OpenSent";
    connection.holdAt = now + this.#config.timers.openWaitMs;
    const isTrying = [...this.#connections.values()].some((one) => one.state === "Connect");
    if (!isTrying) this.#retryAt = undefined;
    // A speaker that had this session before and still runs has forwarded all along (RFC 4724 §3: F).
    const forwardingPreserved = this.restarted || this.#wasEstablished;
    if (this.#fallback !== undefined) connection.config = this.#fallback;
    this.#fallback = undefined;
    const bytes = encodeOpen(
      buildOpen(connection.config, { restarted: this.restarted, forwardingPreserved }),
    );
    this.#effects.push({ kind: "send", connection: connection.id, bytes });
  }

  #failed(id: ConnectionId, reason: string, now: Millis): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    const text = `Socket: ${reason}`;
    this.#drop(connection, text, true, false);
    if (this.#connections.size > 0) return;
    this.#lastError = text;
    this.#retrySoon(now);
  }

  /** Back to Active: the peer may connect, and we try again, first soon and then less often. */
  #retrySoon(now: Millis): void {
    this.#phase = "Active";
    if (this.#config.passive) return;
    const { connectRetryMs, connectRetryMinMs } = this.#config.timers;
    const delay = Math.min(connectRetryMs, connectRetryMinMs * 2 ** Math.min(this.#retryCount, 16));
    this.#retryCount += 1;
    this.#retryAt = now + this.#jitter(delay);
  }

  /** RFC 4271 §8.1.1, DampPeerOscillations: a peer that errs waits in Idle, longer each time. */
  #waitAfterError(now: Millis): void {
    const { errorWaitMinMs, errorWaitMaxMs } = this.#config.timers;
    if (now - this.#lastErrorAt > errorMemoryMs) this.#errorCount = 0;
    this.#lastErrorAt = now;
    const wait = Math.min(errorWaitMaxMs, errorWaitMinMs * 2 ** Math.min(this.#errorCount, 16));
    this.#errorCount += 1;
    this.#phase = "Idle";
    this.#retryAt = undefined;
    this.#idleUntil = now + this.#jitter(wait);
  }

  /** RFC 9687 §3.2: the timer begins anew with every byte that the peer's end takes. */
  #stalled(id: ConnectionId, stalled: boolean, now: Millis): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    const { timers } = this.#config;
    const ms = sendHoldMs(timers, connection.negotiated?.holdTimeMs ?? timers.holdTimeMs);
    connection.sendHoldAt = !stalled || ms === undefined ? undefined : now + ms;
  }

  /** RFC 4486 §4: we run out of memory for a peer that does not read. It hears so once it has read what waits. */
  #overflowed(id: ConnectionId, now: Millis): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    this.#fail(connection, cease(CeaseCode.outOfResources), now, "send queue overflow");
  }

  #received(id: ConnectionId, bytes: Uint8Array, now: Millis): void {
    const connection = this.#connections.get(id);
    if (connection === undefined || connection.state === "Connect") return;
    try {
      connection.splitter.push(bytes);
      let frame = connection.splitter.next();
      while (frame !== undefined && this.#connections.has(id)) {
        this.#message(connection, frame, now);
        if (!this.#connections.has(id)) return;
        frame = connection.splitter.next();
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const { code, subcode, data } = error;
      this.#fail(connection, { kind: "notification", code, subcode, data }, now);
    }
  }

  #message(connection: Connection, frame: Frame, now: Millis): void {
    const plain = connection.state === "Established" ? this.#plainUpdate(connection, frame) : undefined;
    if (plain !== undefined) {
      this.#restartHold(connection, now);
      this.#effects.push(plain);
      return;
    }
    const fault = outOfPlace(connection.state, frame.type);
    if (fault !== undefined) {
      // RFC 4271 §8.2.2: what is out of place costs the session whatever it says, so it is not read.
      this.#fail(connection, fault, now);
      return;
    }
    const message = decodeMessage(frame, connection.decoding);
    if (message.kind === "notification") {
      this.#notified(connection, message, now);
      return;
    }
    if (message.kind === "open") {
      this.#opened(connection, message, now);
      return;
    }
    if (message.kind === "keepalive" && connection.state === "OpenConfirm") {
      this.#establish(connection, now);
      return;
    }
    this.#restartHold(connection, now);
    if (message.kind === "update") this.#effects.push({ kind: "update", update: message });
    if (message.kind === "routeRefresh") this.#effects.push({ kind: "refresh", refresh: message });
  }

  #plainUpdate(connection: Connection, { type, bytes }: Frame): PlainUpdate | undefined {
    return type === MessageType.update ? this.#plainUpdates.decode(bytes, connection.decoding) : undefined;
  }

  /** OPEN in OpenSent: check it, settle a collision, and go on to OpenConfirm. */
  #opened(connection: Connection, open: Open, now: Millis): void {
    const { localAddress } = connection;
    if (localAddress === undefined) return;
    const negotiated = negotiate(connection.config, open, connection.id, localAddress);
    if (!this.#winsCollision(connection, open, now)) {
      this.#collide(connection);
      return;
    }
    connection.negotiated = negotiated;
    connection.splitter.maxMessageBytes = negotiated.maxMessageBytes;
    connection.decoding = {
      as4: negotiated.as4,
      external: negotiated.external,
      addPath: negotiated.addPathReceive,
      extendedNextHop: negotiated.extendedNextHop,
    };
    connection.state = "OpenConfirm";
    this.#effects.push({ kind: "send", connection: connection.id, bytes: keepaliveBytes });
    this.#restartHold(connection, now);
    this.#restartKeepalive(connection, now);
  }

  /** RFC 4271 §6.8, called with the OPEN of `connection` at hand; closes the other connection if that one loses. */
  #winsCollision(connection: Connection, open: Open, now: Millis): boolean {
    for (const other of this.#connections.values()) {
      if (other === connection) continue;
      if (other.state === "Connect") {
        this.#drop(other, "", true);
        this.#retryAt = undefined;
        continue;
      }
      if (other.state === "Established") {
        if (!isRestart(other, now)) return false;
        // RFC 4724 §4.2: the new connection says that the old one is gone.
        this.#drop(other, "Neighbor restarted", true);
        continue;
      }
      if (!survives(connection.direction, this.#config, open.bgpIdentifier)) return false;
      this.#collide(other);
    }
    return true;
  }

  #collide(loser: Connection): void {
    this.#dropWith(loser, cease(CeaseCode.connectionCollision));
  }

  #establish(connection: Connection, now: Millis): void {
    const { negotiated } = connection;
    if (negotiated === undefined) return;
    for (const other of this.#connections.values()) if (other !== connection) this.#collide(other);
    connection.state = "Established";
    connection.establishedAt = now;
    this.#phase = "Active";
    this.#retryAt = undefined;
    this.#retryCount = 0;
    this.#wasEstablished = true;
    this.#restartHold(connection, now);
    this.#effects.push({ kind: "established", negotiated });
  }

  /** The peer said why it closes. */
  #notified(connection: Connection, notification: Notification, now: Millis): void {
    const text = `Received: ${notificationText(notification)}`;
    const isKept = connection.negotiated?.keepsOnNotification === true && !isHardReset(notification);
    this.#drop(connection, text, isKept);
    if (this.#connections.size > 0) return;
    this.#lastError = text;
    this.#fallback = this.#afterRefusal(connection, notification);
    if (isMildReason(notification) || this.#fallback !== undefined) this.#retrySoon(now);
    else this.#waitAfterError(now);
  }

  /** RFC 5492 §3: a peer that does not know what a capability is gets its next OPEN without. */
  #afterRefusal({ config }: Connection, { code, subcode }: Notification): SessionConfig | undefined {
    const isUnknown = code === ErrorCode.openMessage && subcode === OpenError.unsupportedOptionalParameter;
    return isUnknown && config.saysCapabilities !== false ? withoutCapabilities(this.#config) : undefined;
  }

  /** We say why we close; `detail` is for our own operator. */
  #fail(connection: Connection, notification: Notification, now: Millis, detail?: string): void {
    const text = errorText(notification, detail);
    this.#dropWith(connection, notification, text);
    if (this.#connections.size > 0) return;
    this.#lastError = text;
    this.#waitAfterError(now);
  }

  #dropWith(connection: Connection, notification: Notification, text = errorText(notification)): void {
    const keeps = connection.negotiated?.keepsOnNotification === true;
    const isFinal = isFinalReason(notification);
    const bytes = encodeNotification(keeps && isFinal ? hardReset(notification) : notification);
    this.#effects.push({ kind: "send", connection: connection.id, bytes });
    this.#drop(connection, text, keeps && !isFinal);
  }

  #drop(connection: Connection, reason: string, graceful: boolean, close = true): void {
    this.#connections.delete(connection.id);
    if (close) this.#effects.push({ kind: "close", connection: connection.id });
    if (connection.state !== "Established") return;
    // Also when another connection goes on: it is what ended the session.
    this.#lastError = reason;
    this.#effects.push({ kind: "lost", graceful, reason });
  }

  #tick(now: Millis): void {
    if (this.#idleUntil !== undefined && now >= this.#idleUntil) this.#begin(now, 0);
    if (this.#retryAt !== undefined && now >= this.#retryAt) this.#connect(now);
    for (const one of this.#connections.values()) {
      if (one.holdAt !== undefined && now >= one.holdAt) {
        this.#fail(one, expired(ErrorCode.holdTimerExpired), now);
      } else if (one.sendHoldAt !== undefined && now >= one.sendHoldAt) {
        // RFC 9687 §3.2: the peer may never read it, but the log and whoever asks why do.
        this.#fail(one, expired(ErrorCode.sendHoldTimerExpired), now);
      } else if (one.keepaliveAt !== undefined && now >= one.keepaliveAt) {
        this.#effects.push({ kind: "send", connection: one.id, bytes: keepaliveBytes });
        this.#restartKeepalive(one, now);
      }
    }
  }

  #restartHold(connection: Connection, now: Millis): void {
    const holdTimeMs = connection.negotiated?.holdTimeMs ?? 0;
    connection.holdAt = holdTimeMs === 0 ? undefined : now + holdTimeMs;
  }

  #restartKeepalive(connection: Connection, now: Millis): void {
    const keepaliveMs = connection.negotiated?.keepaliveMs ?? 0;
    connection.keepaliveAt = keepaliveMs === 0 ? undefined : now + this.#jitter(keepaliveMs);
  }

  /** RFC 4271 §10: a random factor from 0.75 to 1. */
  #jitter(ms: number): number {
    return ms * (0.75 + 0.25 * this.#random());
  }
}

function errorText(notification: Notification, detail?: string): string {
  return `BGP Error: ${notificationText(notification)}${detail === undefined ? "" : ` (${detail})`}`;
}
