/** Long messages between whole speakers' ends (RFC 8654): who hears how long ones, and that groups never mix sizes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type SpeakerEffect } from "../src/index.ts";
import { maxExtendedMessageBytes, maxMessageBytes } from "../src/wire/header.ts";
import { prefixOf } from "./simulation.ts";
import { WireRig } from "./wire-rig.ts";

/** The longest message that each connection is sent, of what stands in `effects`. */
function longest(effects: readonly SpeakerEffect[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const effect of effects) {
    if (effect.kind !== "send") continue;
    for (let at = 0; at < effect.bytes.length;) {
      const length = ((effect.bytes[at + 16] ?? 0) << 8) | (effect.bytes[at + 17] ?? 0);
      found.set(effect.connection, Math.max(length, found.get(effect.connection) ?? 0));
      at += length;
    }
  }
  return found;
}

const prefixes = Array.from({ length: 20_000 }, (_, index) => `10.${index >> 8}.${index & 255}.0/24`);

test("each peer is sent messages as long as it agreed to, and all hear the same", () => {
  const one = new WireRig([
    { number: 1, asn: 65001 },
    { number: 2, asn: 65002 },
    { number: 3, asn: 65003, extendedMessages: false },
    { number: 4, asn: 65004 },
  ]);
  one.establish(1);
  one.establish(2);
  one.establish(3);
  one.establish(4, { extendedMessages: false });
  const effects: SpeakerEffect[] = [];
  for (const batch of [prefixes.slice(0, 500), prefixes.slice(500, 1000), prefixes.slice(1000, 1500)]) {
    one.announce(1, batch);
  }
  for (const number of [2, 3, 4]) assert.equal(one.take(number).length, 1500);
  // In one go: what is told of a whole table.
  effects.push(
    ...one.handle({ kind: "localRoutes", routes: prefixes.map((text) => ({ prefix: prefixOf(text) })) }),
  );
  while ((one.speaker.deadline ?? Infinity) <= one.now) effects.push(...one.handle({ kind: "tick" }));
  const found = longest(effects);
  const isFull = (length: number | undefined, most: number): boolean =>
    length !== undefined && length <= most && length > most - 10;
  assert.ok(isFull(found.get("c1"), maxExtendedMessageBytes), `${found.get("c1")}`);
  assert.ok(isFull(found.get("c2"), maxExtendedMessageBytes), `${found.get("c2")}`);
  assert.ok(isFull(found.get("c3"), maxMessageBytes), `${found.get("c3")}`);
  assert.ok(isFull(found.get("c4"), maxMessageBytes), `${found.get("c4")}`);
});

test("attributes that fit only a long message reach those who take one, and no other", () => {
  const one = new WireRig([
    { number: 1, asn: 65001 },
    { number: 2, asn: 65002 },
    { number: 3, asn: 65003, extendedMessages: false },
  ]);
  for (const number of [1, 2, 3]) one.establish(number);
  one.announce(1, ["10.8.0.0/16"], { communities: [1] });
  one.announce(1, ["10.8.0.0/16"], { communities: Array.from({ length: 5000 }, (_, index) => index) });
  assert.deepEqual(one.take(2), ["10.8.0.0/16 via 10.0.0.100", "10.8.0.0/16 via 10.0.0.100"]);
  // It must not go on with what is not so any more.
  assert.deepEqual(one.take(3), ["10.8.0.0/16 via 10.0.0.100", "-10.8.0.0/16"]);
});
