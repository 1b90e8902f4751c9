/** What groups are told, made from bytes to bytes, against the rules written down on values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4, Ipv6, Writer } from "@caracal/net";
import { anyAttributes } from "../../test/any-attributes.ts";
import { exportModel } from "../../test/export-model.ts";
import { seedOf, seeded } from "../../test/seeded.ts";
import { AsPath } from "../wire/as-path.ts";
import { decodeCanonical, encodeCanonical } from "../wire/canonical-attributes.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { ExportRewriter } from "./export-rewriter.ts";
import { type ExportSource, type GroupTraits } from "./export-rules.ts";

const seed = seedOf(1);

function anyTraits(random: () => number): GroupTraits {
  const family = random() < 0.6 ? 4 : 6;
  const own = family === 4 ? Ipv4.of(0x0a000064) : Ipv6.of((0x2001_0db8n << 96n) | 100n);
  return {
    family,
    external: random() < 0.5,
    as4: true,
    addPath: false,
    localAsn: 64512,
    selfNextHop: random() < 0.9 ? own : undefined,
    nextHop: (["default", "self", "keep"] as const)[Math.floor(random() * 3)] ?? "default",
    reflectorClient: random() < 0.5,
    clusterId: Ipv4.of(7),
    exportPolicy: "",
    maxMessageBytes: 4096,
  };
}

function anySource(random: () => number): ExportSource | undefined {
  if (random() < 0.2) return undefined;
  const external = random() < 0.5;
  return {
    name: "p",
    address: Ipv4.of(1),
    external,
    routerId: Ipv4.of(9),
    reflectorClient: random() < 0.5,
    clusterId: Ipv4.of(random() < 0.5 ? 7 : 8),
    discardsBlackhole: false,
  };
}

function canonical(value: PathAttributes): Uint8Array {
  const writer = new Writer(512, 1 << 18);
  encodeCanonical(writer, value);
  return writer.finish();
}

test(`rewritten bytes are what the rules say, for any route and any group (SEED=${seed})`, () => {
  const random = seeded(seed);
  let toldCount = 0;
  for (let round = 0; round < 5000; round += 1) {
    const traits = anyTraits(random);
    const source = anySource(random);
    const before = anyAttributes(random);
    const value = random() < 0.7 ? before : anyAttributes(random);
    const rewriter = new ExportRewriter(traits);
    const route = {
      nextHop: value.nextHop,
      pathLength: AsPath.length(value.asPath),
      before: canonical(before),
      keepsNextHop: false,
    };
    const bytes = rewriter.rewrite(canonical(value), route, source);
    const expected = exportModel(value, before, source, traits);
    if (bytes === undefined || expected === undefined) {
      assert.equal(bytes, expected);
      continue;
    }
    toldCount += 1;
    assert.deepEqual(decodeCanonical(bytes), expected);
    assert.deepEqual(bytes.toHex(), canonical(expected).toHex(), "canonical, so that equal sets are one");
    assert.equal(rewriter.pathLength, AsPath.length(expected.asPath));
    assert.equal(rewriter.nextHop, expected.nextHop);
  }
  assert.ok(toldCount > 2000);
});

test("a next hop that the export policy chose goes out whatever the group's setting", () => {
  const traits: GroupTraits = { ...anyTraits(() => 0.5), family: 4, external: true, nextHop: "self" };
  const value: PathAttributes = { origin: 0, asPath: [], nextHop: Ipv4.of(0x0a090909) };
  const route = { nextHop: value.nextHop, pathLength: 0, before: canonical(value), keepsNextHop: true };
  const bytes = new ExportRewriter(traits).rewrite(canonical(value), route, undefined);
  assert.equal(bytes === undefined ? undefined : decodeCanonical(bytes).nextHop, value.nextHop);
});
