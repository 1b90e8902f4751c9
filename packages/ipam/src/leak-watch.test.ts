// Aim: an allocation is due only when the same assignment was found without an owner twice, a grace time apart. Method: findings
// of made-up moments.
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Prefix } from "@caracal/net";
import type { AuditedAllocation } from "./audit.ts";
import { LeakWatch } from "./leak-watch.ts";
import { Nanos } from "./timestamp.ts";

function allocation(text: string, sequenceNumber = 1n): AuditedAllocation {
  const address = IpAddress.parse(text);
  const block = Prefix.parse("10.0.0.0/26");
  assert.ok(address !== undefined && block !== undefined);
  const attribute = { handle_id: "net.c1", secondary: { node: "n1", pod: "p", namespace: "default" } };
  return {
    address,
    block,
    attribute,
    handle: "net.c1",
    sequenceNumber,
    node: "n1",
    isBorrowed: false,
    isCoolingDown: false,
    owners: [],
  };
}

const at = (seconds: number): Nanos => Nanos.fromSeconds(1_767_323_045 + seconds);
const counts = (found: ReturnType<LeakWatch["observe"]>): readonly number[] => [
  found.suspected.length,
  found.due.length,
];

test("a leak is due at the second observation after the grace time", () => {
  const watch = new LeakWatch(60);
  assert.deepEqual(counts(watch.observe([allocation("10.0.0.1")], at(0))), [1, 0]);
  assert.deepEqual(counts(watch.observe([allocation("10.0.0.1")], at(30))), [1, 0]);
  assert.deepEqual(counts(watch.observe([allocation("10.0.0.1")], at(60))), [0, 1]);
});

test("one observation is not enough, however long ago the last one was", () => {
  const watch = new LeakWatch(0);
  assert.deepEqual(counts(watch.observe([allocation("10.0.0.1")], at(0))), [1, 0]);
  assert.deepEqual(counts(watch.observe([allocation("10.0.0.1")], at(0))), [0, 1]);
});

test("an owner who turns up, or another assignment, begins the time again", () => {
  const watch = new LeakWatch(60);
  watch.observe([allocation("10.0.0.1"), allocation("10.0.0.2")], at(0));
  assert.deepEqual(counts(watch.observe([allocation("10.0.0.2", 7n)], at(60))), [1, 0]);
  assert.deepEqual(
    counts(watch.observe([allocation("10.0.0.1"), allocation("10.0.0.2", 7n)], at(120))),
    [1, 1],
  );
});
