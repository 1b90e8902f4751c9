/** Aim: an address of the node that goes is told of once, and so is its return. Method: addresses made of values, mocked timers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelNotice } from "@caracal/dataplane";
import type { IpAddress, IpFamily } from "@caracal/net";
import { address, memoryLog } from "../../test/node-fixtures.ts";
import { OwnAddresses } from "./own-addresses.ts";

test("an address that goes is told of once, and so is its return", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { log, lines } = memoryLog();
  let present: readonly IpAddress[] = [address("10.0.0.1"), address("fd00::1")];
  let wanted = new Map<IpFamily, IpAddress>([
    [4, address("10.0.0.1")],
    [6, address("fd00::1")],
  ]);
  let lostCount = 0;
  let hear: (notice: KernelNotice) => void = () => undefined;
  using own = new OwnAddresses({
    node: "n1",
    kernel: {
      subscribe: (listener) => {
        hear = listener;
        return () => undefined;
      },
    },
    present: () => present,
    wanted: () => wanted,
    onLost: () => (lostCount += 1),
    log,
  });
  const becomes = (addresses: readonly IpAddress[]): void => {
    present = addresses;
    for (let time = 0; time < 3; time += 1) hear({ kind: "overrun" });
    t.mock.timers.tick(100);
  };
  t.mock.timers.tick(100);
  assert.deepEqual([lines, own.problems], [[], []]);
  becomes([address("10.0.0.1")]);
  becomes([address("10.0.0.1"), address("fd00::2")]);
  assert.deepEqual(
    lines.map(({ level, address: which }) => [level, which]),
    [["error", "fd00::1"]],
  );
  assert.match(
    own.problems[0]?.message ?? "",
    /^has the address fd00::1, which is on none of its interfaces: /,
  );
  becomes([address("10.0.0.1"), address("fd00::1")]);
  assert.deepEqual(
    [lines.length, lines[1]?.["msg"], own.problems],
    [2, "the node's address is there again", []],
  );
  t.mock.timers.tick(10_000);
  assert.equal(lostCount, 0, "it was gone for a moment only");
  becomes([address("10.0.0.2"), address("fd00::1")]);
  t.mock.timers.tick(10_000);
  assert.equal(lostCount, 1, "whoever looks for addresses is told once");
  wanted = new Map([[4, address("10.0.0.2")]]);
  becomes([address("10.0.0.2"), address("fd00::1")]);
  assert.equal(lines.at(-1)?.["msg"], "the node has another address now");
});
