/** Aim: extended communities read as filters take them. Method: one of each form of RFC 4360 and RFC 5668, and others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { extendedCommunityText } from "./extended-community-text.ts";

test("an extended community is shown in the form that a filter takes", () => {
  const texts = [
    [0x0002_fde9_0000_0064n, "rt:65001:100"],
    [0x0003_fde9_0000_0064n, "soo:65001:100"],
    [0x0102_c000_0201_0064n, "rt:192.0.2.1:100"],
    [0x0202_fa56_ea00_0064n, "rt:4200000000:100"],
    [0x0004_fde9_0000_0064n, "0x0004fde900000064"],
    [0x4302_0000_0000_0000n, "0x4302000000000000"],
  ] as const;
  for (const [community, text] of texts) assert.equal(extendedCommunityText(community), text);
});
