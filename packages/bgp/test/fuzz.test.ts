/**
 * Mutations of good messages go through every decoder: a value or a `DecodeError` comes out, nothing else. Seeded and
 * bounded; `FUZZ_ROUNDS` runs it longer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError, Ipv4 } from "@caracal/net";
import { type DecodeContext } from "../src/wire/attribute-decoder.ts";
import { MessageSplitter } from "../src/wire/header.ts";
import { decodeMessage } from "../src/wire/message.ts";
import { listNlri } from "../src/wire/nlri.ts";
import { Session } from "../src/session/session.ts";
import { birdCaptures } from "./bird-captures.ts";
import { seedOf, seeded } from "./seeded.ts";
import { addressOf, quickTimers } from "./simulation.ts";

const seed = seedOf(1);
const rounds = Number(process.env["FUZZ_ROUNDS"] ?? 20_000);
const corpus = [
  ...Object.values(birdCaptures),
  `${"ff".repeat(16)}001d0306020a676f6f6462796521`,
  `${"ff".repeat(16)}00170500010001`,
].map((hex) => Uint8Array.fromHex(hex));

function mutate(random: () => number): Uint8Array {
  const pick = (count: number): number => Math.floor(random() * count);
  const bytes = [...(corpus[pick(corpus.length)] ?? [])];
  for (let count = 1 + pick(4); count > 0; count -= 1) {
    const at = random() < 0.1 ? pick(bytes.length) : 16 + pick(Math.max(1, bytes.length - 16));
    const kind = pick(5);
    if (kind === 0) bytes[at] = pick(256);
    if (kind === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
    if (kind === 2) bytes.splice(at, 1 + pick(4));
    if (kind === 3) bytes.splice(at, 0, pick(256), pick(256));
    if (kind === 4) bytes[at] = [0, 1, 127, 128, 255][pick(5)] ?? 0;
  }
  // Most of the time the header's length is right, so that the body is reached.
  if (random() < 0.9 && bytes.length >= 19) {
    bytes[16] = bytes.length >> 8;
    bytes[17] = bytes.length & 255;
  }
  return Uint8Array.from(bytes);
}

test(`mutated messages give a value or a DecodeError (SEED=${seed})`, () => {
  const random = seeded(seed);
  let accepted = 0;
  for (let round = 0; round < rounds; round += 1) {
    const bytes = mutate(random);
    const context: DecodeContext = {
      as4: random() < 0.7,
      external: random() < 0.5,
      addPath: random() < 0.7 ? [4] : [6],
    };
    try {
      const splitter = new MessageSplitter();
      splitter.push(bytes);
      const frame = splitter.next();
      if (frame === undefined) continue;
      const message = decodeMessage(frame, context);
      accepted += 1;
      if (message.kind !== "update") continue;
      for (const block of [...message.withdrawn, ...message.announced.map((one) => one.nlri)]) {
        for (const { prefix } of listNlri(block)) assert.ok(prefix.length <= 128);
      }
    } catch (error) {
      assert.ok(
        error instanceof DecodeError,
        `round ${round}, SEED=${seed}: ${String(error)} for ${bytes.toHex()}`,
      );
    }
  }
  assert.ok(accepted > rounds / 20, "some mutations are still messages");
});

test(`a session fed mutations only ever sends messages and closes (SEED=${seed})`, () => {
  const random = seeded(seed + 1);
  const config = {
    name: "x",
    routerId: Ipv4.of(1),
    localAsn: 64512,
    peerAsn: 65001,
    passive: true,
    timers: quickTimers,
    families: [4, 6] as const,
    addPathReceive: true,
    addPathSend: true,
    restartTimeS: 120,
  };
  const session = new Session(config, random);
  let now = 0;
  session.handle({ kind: "ManualStart" }, now);
  for (let round = 0; round < rounds / 10; round += 1) {
    now += 100_000;
    session.handle({ kind: "Tick" }, now);
    const connection = `c${round}`;
    session.handle({ kind: "TcpConnectionConfirmed", connection, localAddress: addressOf("10.0.0.1") }, now);
    const feed = [mutate(random), mutate(random), mutate(random)];
    if (random() < 0.8) {
      feed.unshift(Uint8Array.fromHex(birdCaptures.open), Uint8Array.fromHex(birdCaptures.keepalive));
    }
    for (const bytes of feed) {
      const effects = session.handle({ kind: "Received", connection, bytes }, now);
      for (const effect of effects) {
        if (effect.kind === "send") assert.ok(effect.bytes.length >= 19 && effect.bytes.length <= 4096);
      }
    }
    session.handle({ kind: "TcpConnectionFails", connection, reason: "end" }, now);
  }
});

test("a message arrives byte by byte, and cut off at every offset", () => {
  const whole = Uint8Array.fromHex(birdCaptures.communities);
  const splitter = new MessageSplitter();
  for (const [index, byte] of whole.entries()) {
    splitter.push(Uint8Array.of(byte));
    const frame = splitter.next();
    assert.equal(frame === undefined, index < whole.length - 1);
    if (frame !== undefined) assert.deepEqual(frame.bytes, whole);
  }
  for (let cut = 0; cut < whole.length; cut += 1) {
    const cutOff = new MessageSplitter();
    cutOff.push(whole.subarray(0, cut));
    assert.equal(cutOff.next(), undefined);
  }
});
