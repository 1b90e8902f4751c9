/** Sessions that hear nonsense: they send what the standards allow, close, and recover. And texts that become events or patterns. */
import assert from "node:assert/strict";
import { Ipv4 } from "@caracal/net";
import { type Dice, type FuzzTarget, mutateText } from "@caracal/testbed";
import { type SpeakerEvent, formatEvent, parseEvent, peerConfig } from "../../src/index.ts";
import { AsPathPattern } from "../../src/policy/as-path-pattern.ts";
import { type SessionEffect } from "../../src/session/session-events.ts";
import { Session } from "../../src/session/session.ts";
import { MessageSplitter } from "../../src/wire/header.ts";
import { decodeMessage } from "../../src/wire/message.ts";
import { rawKeepalive, rawOpen, usualCapabilities } from "../raw-message.ts";
import { addressOf, quickTimers } from "../simulation.ts";
import { anyContext, anyMessage } from "./any-message.ts";

type Round = FuzzTarget["round"];

/** How the peer that misbehaves opens a session properly. */
function properOpen(dice: Dice): Uint8Array {
  const capabilities = dice.chance(0.3) ? usualCapabilities.slice(0, 3) : [...usualCapabilities];
  if (dice.chance(0.3)) capabilities.push("450400010103");
  if (dice.chance(0.3)) capabilities.push("4006007800010180");
  for (const other of ["0600", "4600", "0506000100010002", "470700010180000e10", "090103", "090104"]) {
    if (dice.chance(0.15)) capabilities.push(other);
  }
  return rawOpen({ capabilities });
}

/** Watches what a session does with one peer. */
class SessionWatch {
  readonly #open = new Set<string>();
  isEstablished = false;

  begin(connection: string): void {
    this.#open.add(connection);
  }

  see(effects: readonly SessionEffect[]): void {
    const notified = new Set<string>();
    for (const effect of effects) {
      if (effect.kind === "connect") this.begin(effect.connection);
      if (effect.kind === "send") {
        assert.ok(this.#open.has(effect.connection), "nothing is sent on a closed connection");
        assert.ok(!notified.has(effect.connection), "nothing follows a NOTIFICATION");
        const type = effect.bytes[18];
        assert.ok(type === 1 || type === 3 || type === 4);
        readAll(effect.bytes);
        if (type === 3) notified.add(effect.connection);
      }
      if (effect.kind === "close") {
        this.#open.delete(effect.connection);
        notified.delete(effect.connection);
      }
      if (effect.kind === "established") {
        assert.ok(!this.isEstablished);
        this.isEstablished = true;
      }
      if (effect.kind === "lost") {
        assert.ok(this.isEstablished);
        this.isEstablished = false;
      }
      const isRoutes = ["update", "plainUpdate", "refresh"].includes(effect.kind);
      assert.ok(!isRoutes || this.isEstablished, "routes come in Established only");
    }
    assert.equal(notified.size, 0, "after a NOTIFICATION the connection is closed");
  }
}

/** Every message in these bytes, which must be well formed. */
function readAll(bytes: Uint8Array): ReturnType<typeof decodeMessage>[] {
  const splitter = new MessageSplitter();
  splitter.push(bytes);
  const messages: ReturnType<typeof decodeMessage>[] = [];
  for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
    messages.push(decodeMessage(frame, { as4: true, external: false, addPath: [] }));
  }
  return messages;
}

const local = addressOf("10.0.0.100");

const session: Round = (dice, show) => {
  const one = new Session(
    {
      name: "x",
      routerId: Ipv4.of(1),
      localAsn: 64512,
      peerAsn: 65001,
      passive: dice.chance(0.5),
      timers: quickTimers,
      families: [4, 6],
      addPathReceive: true,
      addPathSend: true,
      restartTimeS: dice.pick([undefined, 120]),
      restartOnNotification: dice.chance(0.5),
      extendedMessages: dice.chance(0.5),
      extendedNextHop: dice.chance(0.5),
      enhancedRefresh: dice.chance(0.5),
      ...(dice.chance(0.3) ? { longLivedTimeS: 60 } : {}),
      role: dice.pick([undefined, undefined, "provider", "peer"] as const),
    },
    dice.next,
  );
  const watch = new SessionWatch();
  const fed: string[] = [];
  show(fed);
  let now = 0;
  const feed = (connection: string, bytes: Uint8Array): void => {
    fed.push(`${connection} ${bytes.toHex()}`);
    watch.see(one.handle({ kind: "Received", connection, bytes }, now));
  };
  const context = anyContext(dice);
  watch.see(one.handle({ kind: "ManualStart" }, now));
  for (let number = 0; number < 3; number += 1) {
    now += dice.pick([0, 10, 100_000]);
    watch.see(one.handle({ kind: "Tick" }, now));
    const connection = `c${number}`;
    watch.begin(connection);
    watch.see(one.handle({ kind: "TcpConnectionConfirmed", connection, localAddress: local }, now));
    if (dice.chance(0.8)) feed(connection, properOpen(dice));
    if (dice.chance(0.9)) feed(connection, rawKeepalive);
    for (let count = dice.below(5); count > 0; count -= 1) {
      const bytes = anyMessage(dice, context);
      const middle = dice.below(bytes.length);
      feed(connection, bytes.subarray(0, middle));
      feed(connection, bytes.subarray(middle));
      if (dice.chance(0.1)) watch.see(one.handle({ kind: "Tick" }, (now += dice.below(100_000))));
    }
    if (dice.chance(0.5)) {
      watch.see(one.handle({ kind: "TcpConnectionFails", connection, reason: "end" }, now));
    }
    assert.ok(!Number.isNaN(one.deadline ?? 0));
  }
  recovers(one, watch, now);
};

/** However it was treated, a proper peer finds it willing after a while. */
function recovers(one: Session, watch: SessionWatch, from: number): void {
  let now = from;
  for (let attempt = 0; attempt < 20 && !watch.isEstablished; attempt += 1) {
    now += 60_000;
    watch.see(one.handle({ kind: "Tick" }, now));
    const connection = `good${attempt}`;
    watch.begin(connection);
    watch.see(one.handle({ kind: "TcpConnectionConfirmed", connection, localAddress: local }, now));
    // Whatever its role is, one of these fits it.
    const role = attempt % 3 === 0 ? [] : [attempt % 3 === 1 ? "090103" : "090104"];
    for (const bytes of [rawOpen({ capabilities: [...usualCapabilities, ...role] }), rawKeepalive]) {
      watch.see(one.handle({ kind: "Received", connection, bytes }, now));
    }
  }
  assert.ok(watch.isEstablished, "a session comes up again");
}

const lines = [
  { kind: "tick" },
  { kind: "received", connection: "<1", bytes: Uint8Array.of(1, 2, 255) },
  { kind: "accepted", connection: "<1", localAddress: local, remoteAddress: addressOf("fd00::1") },
  { kind: "localRoutes", routes: [] },
  { kind: "peers", peers: [peerConfig({ name: "a", address: local, asn: 1 })] },
] satisfies readonly SpeakerEvent[];

const eventLine: Round = (dice, show) => {
  const words = ["{", "}", '"$hex":"', '"$big":"', "zz", "-1", "null", "[", '"kind"', "1e999", "\\u0000"];
  const line = mutateText(dice, formatEvent(dice.pick(lines)), words);
  show(line);
  const event = parseEvent(line);
  if (event !== undefined) assert.equal(typeof formatEvent(event), "string");
};

const pattern: Round = (dice, show) => {
  const text = mutateText(dice, "^(65001|_2.*[3-9])+ {1 2}$", ["(", ")*", "[^", "]", "|", "_", "$^", "+?"]);
  show(text);
  const path = [{ kind: "sequence", asns: [65001, dice.below(70000), 3] } as const];
  const parsed = AsPathPattern.parse(text);
  if (parsed !== undefined) assert.equal(typeof parsed.test(path), "boolean");
};

export const targets: readonly FuzzTarget[] = [
  { name: "session", rounds: 600, round: session },
  { name: "event lines", rounds: 3000, round: eventLine },
  { name: "AS path patterns", rounds: 2000, round: pattern },
];
