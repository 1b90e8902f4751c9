/** Extended communities in the words of BIRD, which was asked for each of these. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatExtendedCommunity } from "./extended-community.ts";

test("each form of RFC 4360 and RFC 5668, and what BIRD has no name for", () => {
  for (const [community, text] of [
    [0x0002_fdea_0000_0005n, "(rt, 65002, 5)"],
    [0x0103_0a00_0001_0005n, "(ro, 10.0.0.1, 5)"],
    [0x0202_fa56_ea01_0005n, "(rt, 4200000001, 5)"],
    [0x4300_0000_0000_0001n, "(generic, 0x43000000, 0x1)"],
    [0x4002_0001_0000_0001n, "(unknown 0x4002, 1, 1)"],
    [0x0006_0001_0000_0001n, "(unknown 0x6, 1, 1)"],
    [0x800c_0000_0000_0000n, "(generic, 0x800c0000, 0x0)"],
  ] as const) {
    assert.equal(formatExtendedCommunity(community), text);
  }
});
