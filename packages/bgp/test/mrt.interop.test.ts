/**
 * Table dumps as others read them: snapshots written by hand are encoded, and Debian's `bgpdump` says what it finds in
 * the file; a few bytes are compared with RFC 6396's drawings.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { Ipv4 } from "@caracal/net";
import { requireTool } from "@caracal/testbed";
import { type RouteSnapshot, type TableDump, encodeTableDump } from "../src/index.ts";
import { dumpPieceBytes, maxDumpedPeers } from "../src/mrt/table-dump.ts";
import { addressOf, peerSnapshot, routeSnapshot, sessionOf } from "./snapshots.ts";

const one = peerSnapshot({
  name: "one",
  address: addressOf("192.0.2.1"),
  asn: 4_200_000_001,
  session: sessionOf("10.9.9.1"),
});
const six = peerSnapshot({ name: "six", address: addressOf("2001:db8::6"), asn: 65006 });

function dump(routes: Iterable<RouteSnapshot>, more: Partial<TableDump> = {}): Uint8Array {
  return Buffer.concat([
    ...encodeTableDump({
      routerId: Ipv4.of(0x0a000001),
      asn: 64512,
      takenAtS: 1_700_000_000,
      peers: [one, six],
      routes,
      ...more,
    }),
  ]);
}

/** bgpdump's lines, one for each path; it warns of each record that it cannot read. */
function bgpdump(file: Uint8Array, ...options: readonly string[]): string[] {
  const result = spawnSync("bgpdump", ["-v", "-m", ...options, "-"], { input: file, encoding: "utf8" });
  assert.doesNotMatch(result.stderr, /\[(warn|error)\]/i, result.stderr);
  assert.equal(result.status, 0);
  return result.stdout.split("\n").filter((line) => line !== "");
}

const sequence = (...asns: readonly number[]): { kind: "sequence"; asns: readonly number[] } => ({
  kind: "sequence",
  asns,
});

const skip = requireTool("bgpdump");

test("bgpdump reads peers, attributes and both families as they were", { skip }, () => {
  const lines = bgpdump(
    dump([
      routeSnapshot(
        "10.1.0.0/26",
        one,
        {
          asPath: [sequence(4_200_000_001, 65002), { kind: "set", asns: [1, 2] }],
          nextHop: addressOf("192.0.2.1"),
          med: 7,
          localPref: 150,
          communities: [0xfde80001, 0xffffff01],
          atomicAggregate: true,
          aggregator: { asn: 65002, address: Ipv4.of(0x01020304) },
        },
        { best: true, sinceS: 1_699_999_000.7 },
      ),
      routeSnapshot("0.0.0.0/0", six, {
        origin: 2,
        asPath: [sequence(65006)],
        nextHop: addressOf("198.51.100.6"),
        largeCommunities: [[65006, 1, 2]],
      }),
      routeSnapshot("2001:db8:1::/48", six, {
        origin: 1,
        asPath: [sequence(65006, 65007)],
        nextHop: addressOf("2001:db8::6"),
      }),
    ]),
  );
  assert.deepEqual(lines, [
    "TABLE_DUMP2|1700000000|B|192.0.2.1|4200000001|10.1.0.0/26|4200000001 65002 {1,2}|IGP|192.0.2.1|150|7|65000:1 no-export|AG|65002 1.2.3.4|",
    "TABLE_DUMP2|1700000000|B|2001:db8::6|65006|0.0.0.0/0|65006|INCOMPLETE|198.51.100.6|0|0||NAG||",
    "TABLE_DUMP2|1700000000|B|2001:db8::6|65006|2001:db8:1::/48|65006 65007|EGP|2001:db8::6|0|0||NAG||",
  ]);
});

test("bgpdump reads since when a route is there", { skip }, () => {
  const route = routeSnapshot("10.0.0.0/8", one, { nextHop: one.address }, { sinceS: 1_699_999_000.7 });
  const { stdout } = spawnSync("bgpdump", ["-H", "-"], {
    input: dump([route]),
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC" },
  });
  assert.match(stdout, /ORIGINATED: 11\/14\/23 21:56:40/);
});

test("several paths, path identifiers, and a route of the speaker itself", { skip }, () => {
  const nextHop = addressOf("192.0.2.1");
  const lines = bgpdump(
    dump([
      routeSnapshot("10.2.0.0/16", one, { asPath: [sequence(1)], nextHop }, { pathId: 11, best: true }),
      routeSnapshot("10.2.0.0/16", one, { asPath: [sequence(2)], nextHop }, { pathId: 12 }),
      routeSnapshot("10.2.0.0/16", six, { asPath: [sequence(3)], nextHop }, { state: "unreachable" }),
      routeSnapshot("10.2.0.0/16", six, { asPath: [sequence(4)], nextHop }, { state: "filtered" }),
      routeSnapshot("10.3.0.0/26", undefined, { nextHop: addressOf("10.0.0.1") }, { best: true }),
    ]),
  );
  const fields = lines.map((line) => line.split("|"));
  assert.deepEqual(
    // Where there are path identifiers, they come before the path.
    fields.map(([, , , peer, asn, prefix, pathId, path]) => `${peer} ${asn} ${prefix} ${pathId} ${path}`),
    [
      "192.0.2.1 4200000001 10.2.0.0/16 11 1",
      "192.0.2.1 4200000001 10.2.0.0/16 12 2",
      "2001:db8::6 65006 10.2.0.0/16 0 3",
      "0.0.0.0 64512 10.3.0.0/26  IGP",
    ],
  );
});

test("many prefixes come in pieces of bounded size, and all arrive", { skip }, () => {
  const count = 5000;
  function* routes(): Generator<RouteSnapshot> {
    for (let index = 0; index < count; index += 1) {
      const nextHop = addressOf("192.0.2.1");
      yield routeSnapshot(`10.${index >> 8}.${index & 255}.0/24`, one, {
        asPath: [sequence(65001)],
        nextHop,
      });
    }
  }
  const pieces = [
    ...encodeTableDump({ routerId: Ipv4.of(1), asn: 1, takenAtS: 1, peers: [one], routes: routes() }),
  ];
  assert.ok(pieces.length > 3);
  assert.ok(pieces.every((piece) => piece.length < dumpPieceBytes + 4096));
  const lines = bgpdump(Buffer.concat(pieces));
  assert.equal(new Set(lines.map((line) => line.split("|")[5])).size, count);
});

test("the records are those of RFC 6396 §4.3 and RFC 8050 §4, byte for byte", () => {
  const route = routeSnapshot(
    "10.0.0.0/8",
    one,
    { nextHop: addressOf("192.0.2.1") },
    { pathId: 5, sinceS: 2 },
  );
  const bytes = Buffer.from(dump([route], { takenAtS: 1, viewName: "v", peers: [one] })).toString("hex");
  const peers = ["0a000001", "0001", "76", "0002", "02", "0a000001", "00000000", "0000fc00"];
  const peerOne = ["02", "0a090901", "c0000201", "fa56ea01"];
  const rib = ["00000000", "08", "0a", "0001", "0001", "00000002", "00000005", "000e"];
  const attributes = ["40010100", "400200", "400304c0000201"];
  const record = (subtype: string, ...parts: readonly string[]): string => {
    const body = parts.join("");
    return `00000001000d${subtype}${(body.length / 2).toString(16).padStart(8, "0")}${body}`;
  };
  assert.equal(bytes, record("0001", ...peers, ...peerOne) + record("0008", ...rib, ...attributes));
});

test("more peers than can be numbered are refused", () => {
  const peers = Array.from({ length: maxDumpedPeers + 1 }, () => one);
  assert.throws(() => dump([], { peers }), RangeError);
});
