/** Connections of pods that are gone. Method: a table of connections that only notes what it is asked, and may refuse. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Ipv4 } from "@caracal/net";
import { memoryLog } from "../../test/node-fixtures.ts";
import { ConnectionSweeper } from "./connection-sweeper.ts";

function setUp(t: TestContext, fails = false) {
  const forgotten: Ipv4[] = [];
  const { log, lines } = memoryLog();
  const conntrack = {
    forget: (address: Ipv4 | bigint): void => {
      if (fails) throw new Error("no");
      if (typeof address === "number") forgotten.push(address);
    },
  };
  const sweeper = new ConnectionSweeper({ conntrack, isInUse: (address) => address === 77, log });
  t.after(() => sweeper[Symbol.dispose]());
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const turn = (): void => t.mock.timers.tick(1);
  return { sweeper, forgotten, lines, turn };
}

test("addresses are swept one by one, each once, but not those that a pod has again", (t) => {
  const { sweeper, forgotten, turn } = setUp(t);
  sweeper.forget([1, 2, 2, 77].map(Ipv4.of));
  assert.deepEqual(forgotten, []);
  turn();
  assert.equal(forgotten.length, 1);
  for (let turns = 0; turns < 5; turns += 1) turn();
  assert.deepEqual(forgotten, [1, 2]);
});

test("of too many the oldest are left to time out", (t) => {
  const { sweeper, forgotten, turn } = setUp(t);
  sweeper.forget(Array.from({ length: 10_003 }, (_, index) => Ipv4.of(index)));
  turn();
  assert.deepEqual(forgotten, [3]);
});

test("a kernel that cannot is asked no more, and told of once", (t) => {
  const { sweeper, lines, turn } = setUp(t, true);
  sweeper.forget([Ipv4.of(1), Ipv4.of(2)]);
  for (let turns = 0; turns < 5; turns += 1) turn();
  sweeper.forget([Ipv4.of(3)]);
  turn();
  assert.equal(lines.length, 1);
});
