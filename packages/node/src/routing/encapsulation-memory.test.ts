/** Aim: an encapsulation that no pool asks for any more lingers for its time. Method: pools made of values, virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@caracal/dataplane";
import { pool } from "../../test/node-fixtures.ts";
import { EncapsulationMemory, lingerMs } from "./encapsulation-memory.ts";

test("what pools asked for lingers, each for its own time, and not once it is asked for again", async () => {
  const clock = new VirtualClock();
  let changes = 0;
  const memory = new EncapsulationMemory(clock, () => (changes += 1));
  const shown = (): string => `${memory.lingering.ipip} ${[...memory.lingering.vxlan].join()}`;
  const ipip = pool("10.1.0.0/16", { ipipMode: "Always" });
  const vxlan6 = pool("fd00::/48", { vxlanMode: "CrossSubnet" });
  memory.see([ipip, vxlan6]);
  assert.equal(shown(), "false ");
  memory.see([vxlan6]);
  assert.equal(shown(), "true ");
  await clock.advance(lingerMs / 2);
  memory.see([]);
  assert.equal(shown(), "true 6");
  await clock.advance(lingerMs / 2);
  assert.deepEqual([shown(), changes], ["false 6", 1]);
  memory.see([vxlan6]);
  assert.equal(shown(), "false ");
  memory.see([]);
  memory.stop();
  await clock.advance(2 * lingerMs);
  assert.deepEqual([shown(), changes], ["false ", 1]);
});
