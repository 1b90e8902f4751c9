import assert from "node:assert/strict";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import {
  type PeerInput,
  Speaker,
  type SpeakerEffect,
  type SpeakerEvent,
  type SpeakerFact,
  everythingReachable,
  peerConfig,
  speakerDefaults,
} from "../src/index.ts";
import { MessageSplitter } from "../src/wire/header.ts";
import { decodeMessage } from "../src/wire/message.ts";
import { listNlri } from "../src/wire/nlri.ts";
import { type PathAttributes } from "../src/wire/path-attributes.ts";
import { rawKeepalive, rawOpen } from "./raw-message.ts";
import { addressOf, quickTimers } from "./simulation.ts";

const local = addressOf("10.0.0.100");
const observerOpen = rawOpen({
  asn: 65009,
  id: "0a000009",
  capabilities: ["010400010001", "010400020001", "41040000fdf1"],
});

/**
 * A speaker of AS 64512, identifier 10.0.0.100, with a peer at 10.0.0.1 that a test plays byte by byte, and an honest one of
 * AS 65009 at 10.0.0.9 that hears what comes of it.
 */
export class Victim {
  readonly speaker: Speaker;
  readonly facts: SpeakerFact[] = [];
  now = 1000;
  /** Messages to the peer since `feed` last looked. */
  #sent: Uint8Array[] = [];
  #isClosed = false;
  /** What the honest peer holds. */
  readonly heard = new Map<string, PathAttributes>();
  #connections = 0;

  constructor(peer: Partial<PeerInput> = {}) {
    this.speaker = new Speaker(
      { ...speakerDefaults, routerId: Ipv4.of(0x0a000064), asn: 64512 },
      { resolver: everythingReachable, random: () => 0.5, policies: new Map() },
    );
    const common = { passive: true, timers: quickTimers, families: [4, 6], addPathReceive: false } as const;
    const peers = [
      { name: "bad", address: addressOf("10.0.0.1"), asn: 65001, ...common, addPathSend: false, ...peer },
      { name: "good", address: addressOf("10.0.0.9"), asn: 65009, ...common, addPathSend: false },
    ].map((one) => peerConfig({ otherFamilyAddress: addressOf("fd00::100"), ...one }));
    this.#handle({ kind: "peers", peers });
    this.#accept("good", "10.0.0.9");
    this.#receive("good", observerOpen);
    this.#receive("good", rawKeepalive);
  }

  /** The peer connects; we have sent OPEN. */
  connect(): this {
    this.#connections += 1;
    this.#isClosed = false;
    this.#accept(this.#connection, "10.0.0.1");
    assert.equal(this.#sent.pop()?.[18], 1);
    return this;
  }

  /** The same, up to the given state. */
  upTo(state: "OpenSent" | "OpenConfirm" | "Established", open = rawOpen()): this {
    this.connect();
    if (state !== "OpenSent") this.#receive(this.#connection, open);
    if (state === "Established") this.#receive(this.#connection, rawKeepalive);
    assert.equal(this.state, state);
    this.settle();
    this.#sent = [];
    return this;
  }

  get state(): string | undefined {
    return this.speaker.peers(this.now)[0]?.state;
  }

  get lastError(): string | undefined {
    return this.speaker.peers(this.now)[0]?.lastError;
  }

  /**
   * What these bytes cost: "" for nothing, `3.1` or with data `1.2 0012` for a NOTIFICATION and the connection, "closed" for
   * the connection alone.
   */
  feed(...parts: readonly Uint8Array[]): string {
    this.#sent = [];
    for (const bytes of parts) this.#receive(this.#connection, bytes);
    this.settle();
    const [notification] = this.#sent.filter((bytes) => bytes[18] === 3);
    if (notification === undefined) return this.#isClosed ? "closed" : "";
    assert.ok(this.#isClosed, "a NOTIFICATION ends the connection");
    return `${notification[19]}.${notification[20]} ${notification.subarray(21).toHex()}`.trimEnd();
  }

  /** The same bytes one by one. */
  feedSlowly(bytes: Uint8Array): string {
    return this.feed(...Array.from(bytes, (byte) => Uint8Array.of(byte)));
  }

  /** The peer's connection ends without a word. */
  endOfFile(): void {
    this.#handle({ kind: "failed", connection: this.#connection, reason: "Connection closed" });
  }

  /** Lets time pass. */
  wait(ms: number): void {
    this.now += ms;
    this.settle();
  }

  settle(): void {
    while ((this.speaker.deadline ?? Infinity) <= this.now) this.#handle({ kind: "tick" });
  }

  /** Prefixes that the RIB holds. */
  get table(): string[] {
    return this.speaker.routes().map((route) => Prefix.format(route.prefix));
  }

  /** Prefixes that the honest peer holds. */
  get told(): string[] {
    assert.equal(this.speaker.peers(this.now)[1]?.state, "Established", "others are not affected");
    return [...this.heard.keys()].toSorted();
  }

  get #connection(): string {
    return `bad${this.#connections}`;
  }

  #accept(connection: string, remote: string): void {
    this.#handle({ kind: "accepted", connection, localAddress: local, remoteAddress: addressOf(remote) });
  }

  #receive(connection: string, bytes: Uint8Array): void {
    this.#handle({ kind: "received", connection, bytes });
  }

  #handle(event: SpeakerEvent): void {
    for (const effect of this.speaker.handle(event, this.now)) this.#see(effect);
  }

  #see(effect: SpeakerEffect): void {
    if (effect.kind === "log") this.facts.push(effect.fact);
    if (effect.kind === "close") {
      assert.notEqual(effect.connection, "good");
      this.#isClosed ||= effect.connection === this.#connection;
    }
    if (effect.kind !== "send") return;
    if (effect.connection === this.#connection) this.#sent.push(effect.bytes.slice());
    if (effect.connection === "good") this.#hear(effect.bytes);
  }

  #hear(bytes: Uint8Array): void {
    const splitter = new MessageSplitter();
    splitter.push(bytes);
    for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
      const message = decodeMessage(frame, { as4: true, external: true, addPath: [] });
      if (message.kind !== "update") continue;
      assert.deepEqual(message.faults, []);
      for (const block of message.withdrawn) {
        for (const { prefix } of listNlri(block)) this.heard.delete(Prefix.format(prefix));
      }
      for (const { nlri, attributes } of message.announced) {
        for (const { prefix } of listNlri(nlri)) this.heard.set(Prefix.format(prefix), attributes);
      }
    }
  }
}

/** `10.0.0.1`, or what there is. */
export function addressText(address: IpAddress | undefined): string {
  return address === undefined ? "none" : IpAddress.format(address);
}
