/** What a peer repeats does not fill the log. Method: facts by the thousand and a clock by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SpeakerFact } from "@caracal/bgp";
import { FactLimit } from "./fact-limit.ts";

const fault = (peer: string, attribute: number): SpeakerFact => {
  return { kind: "attributeFault", peer, attribute, action: "withdraw", what: "w" };
};

test("ten thousand malformed attributes are one line in a minute, with their number", () => {
  let now = 0;
  const limit = new FactLimit(() => now);
  let lines = 0;
  for (let count = 0; count < 10_000; count += 1) {
    if (limit.admit(fault("a", 1)) !== undefined) lines += 1;
  }
  assert.equal(lines, 1);
  assert.equal(limit.admit(fault("a", 2)), 0, "another attribute is other news");
  assert.equal(limit.admit(fault("b", 1)), 0, "and so is another peer");
  now = 60_000;
  assert.equal(limit.admit(fault("a", 1)), 9999);
});

test("changes of a session's state are never held back, and the number of kinds is bounded", () => {
  const limit = new FactLimit(() => 0);
  for (let count = 0; count < 3; count += 1) {
    assert.equal(limit.admit({ kind: "sessionState", peer: "a", from: "Idle", to: "Active", reason: "" }), 0);
  }
  for (let count = 0; count < 1024; count += 1) assert.equal(limit.admit(fault(`p${count}`, 1)), 0);
  assert.equal(limit.admit(fault("one more", 1)), 0);
  assert.equal(limit.admit(fault("and another", 1)), undefined);
});
