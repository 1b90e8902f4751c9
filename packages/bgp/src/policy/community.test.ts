// Aim: community texts mean the bits that their RFCs give them. Method: a table of texts with bits, and of patterns with
// what they cover.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { carries, formatCommunities, isExact, parseCommunity } from "./community.ts";

function bitsOf(text: string): unknown {
  const pattern = parseCommunity(text);
  assert.ok(pattern !== undefined, text);
  assert.ok(isExact(pattern), text);
  return pattern.bits;
}

test("each form gives the bits of its RFC", () => {
  assert.equal(bitsOf("65001:100"), 0xfde90064);
  assert.equal(bitsOf("0:0"), 0);
  assert.equal(bitsOf("no-export"), 0xffffff01);
  assert.equal(bitsOf("blackhole"), 0xffff029a);
  assert.deepEqual(bitsOf("4200000001:1:4294967295"), [4200000001, 1, 4294967295]);
  assert.equal(bitsOf("rt:65001:100"), 0x0002fde900000064n);
  assert.equal(bitsOf("rt:4200000001:100"), 0x0202fa56ea010064n);
  assert.equal(bitsOf("soo:10.0.0.1:7"), 0x01030a0000010007n);
  assert.equal(bitsOf("0x4300000000000001"), 0x4300000000000001n);
});

test("other texts are no communities", () => {
  for (const text of [
    "",
    "1",
    "65536:1",
    "1:65536",
    "*:1",
    "1:*:2",
    "1:2:4294967296",
    "1:2:3:4",
    "01:2",
    "rt:1",
    "rt:65001:4294967296",
    "rt:4200000001:65536",
    "rt:x:1",
    "0x12",
    "no-such",
  ]) {
    assert.equal(parseCommunity(text), undefined, text);
  }
});

test("a star covers any last part", () => {
  const route: PathAttributes = {
    origin: 0,
    asPath: [],
    communities: [0xfde90064],
    extendedCommunities: [0x0002fde900000064n],
    largeCommunities: [[65001, 2, 3]],
  };
  assert.equal(formatCommunities(route), "65001:100 0x0002fde900000064 65001:2:3");
  const rows: readonly (readonly [string, boolean])[] = [
    ["65001:*", true],
    ["65002:*", false],
    ["65001:101", false],
    ["65001:*:*", true],
    ["65001:2:*", true],
    ["65001:3:*", false],
    ["65001:2:4", false],
    ["rt:65001:*", true],
    ["rt:65002:*", false],
    ["soo:65001:*", false],
  ];
  for (const [text, expected] of rows) {
    const pattern = parseCommunity(text);
    assert.ok(pattern !== undefined, text);
    assert.equal(carries(route, pattern), expected, text);
  }
});
