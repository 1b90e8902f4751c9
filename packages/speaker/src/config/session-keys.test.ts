/**
 * Aim: the keys about roles, AS sets, the send hold time and shutdowns reach the core, and wrong ones are told word for word. Method: one line of YAML
 * at a time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProblem, readConfiguration } from "./read-config.ts";

/** The neighbour in the core's words, or what is wrong. */
function read(keys: string, around = ""): readonly unknown[] {
  const outcome = readConfiguration(
    `routerId: 10.0.0.1\nasn: 65001\n${around}neighbors:\n  - {address: 10.0.0.2, ${keys}}\n`,
  );
  if (outcome.kind === "ok") return outcome.configuration.peers;
  return outcome.problems.map((problem) => formatProblem("f", problem));
}

test("a role, its strictness and the refusal of sets are settings of the core's", () => {
  assert.partialDeepStrictEqual(read("asn: 65002, role: rs-client, strictRole: true"), [
    { role: "rs-client", strictRole: true },
  ]);
  assert.partialDeepStrictEqual(read("asn: 65002", "refuseAsSets: true\n"), [{ refuseAsSets: true }]);
  const [plain] = read("asn: 65002");
  assert.ok(typeof plain === "object" && plain !== null);
  assert.ok(!("role" in plain) && !("refuseAsSets" in plain));
});

test("roles are of another AS, and strict only where there is one", () => {
  assert.deepEqual(read("asn: 65001, role: peer"), [
    "f:4: neighbors[0].role: expected a neighbor of another AS",
  ]);
  assert.deepEqual(read("asn: 65001, localAsn: 65009, role: peer").length, 1, "another AS to the neighbor");
  assert.deepEqual(read("asn: 65002, strictRole: true"), [
    "f:4: neighbors[0].strictRole: expected role beside it",
  ]);
  assert.deepEqual(read("asn: 65002, role: rs-server"), [
    'f:4: neighbors[0].role: expected provider, rs, rs-client, customer or peer, found "rs-server"',
  ]);
});

test("the send hold time is one of the timers, and longer than the hold time", () => {
  assert.partialDeepStrictEqual(read("asn: 65002, holdTimeMs: 9000, sendHoldTimeMs: 20000"), [
    { timers: { holdTimeMs: 9000, sendHoldMs: 20_000 } },
  ]);
  assert.partialDeepStrictEqual(read("asn: 65002, sendHoldTimeMs: 0"), [{ timers: { sendHoldMs: 0 } }]);
  assert.deepEqual(read("asn: 65002, holdTimeMs: 9000, sendHoldTimeMs: 9000"), [
    "f:4: neighbors[0].sendHoldTimeMs: expected more than the hold time of 9000",
  ]);
  assert.deepEqual(read("asn: 65002, sendHoldTimeMs: 10"), [
    'f:4: neighbors[0].sendHoldTimeMs: expected 0 (never) or milliseconds from 3000 to 65535000, found "10"',
  ]);
});

test("a shutdown may carry a message that fits", () => {
  assert.partialDeepStrictEqual(read("asn: 65002, shutdown: until noon"), [{ shutdown: "until noon" }]);
  assert.partialDeepStrictEqual(read("asn: 65002, shutdown: true"), [{ shutdown: "" }]);
  const [up] = read("asn: 65002, shutdown: false");
  assert.ok(typeof up === "object" && up !== null && !("shutdown" in up));
  const [problem] = read(`asn: 65002, shutdown: ${"ü".repeat(128)}`);
  assert.match(
    String(problem),
    /^f:4: neighbors\[0\]\.shutdown: expected true, false or a message of at most 255 bytes, found /,
  );
});

test("a neighbor is a host, in our AS if it is a client, with a key and families that a session can have", () => {
  const near = (keys: string): string => `routerId: 10.0.0.1\nasn: 65001\nneighbors: [{${keys}}]\n`;
  for (const [keys, problem] of [
    ...["0.0.0.0", "224.0.0.5", "255.255.255.255", '"::"', '"ff02::5"'].map((address) => [
      `asn: 1, address: ${address}`,
      `address: expected the IPv4 or IPv6 address of a host, found "${address.replaceAll('"', "")}"`,
    ]),
    [
      "address: 10.0.0.2, asn: 65002, routeReflectorClient: true",
      "routeReflectorClient: expected a neighbor of our AS 65001, this one is of 65002",
    ],
    [
      `address: 10.0.0.2, asn: 1, password: ${"x".repeat(81)}`,
      `password: expected a text of at most 80 bytes, found "${"x".repeat(81)}"`,
    ],
    ["address: 10.0.0.2, asn: 1, families: []", "families: expected ipv4, ipv6 or both, each once"],
    ["address: 10.0.0.2, asn: 1, families: [ipv6, ipv6]", "families: expected ipv4, ipv6 or both, each once"],
  ] as const) {
    const outcome = readConfiguration(near(keys ?? ""));
    assert.ok(outcome.kind === "problems", keys);
    assert.deepEqual(
      outcome.problems.map((one) => formatProblem("f", one)),
      [`f:3: neighbors[0].${problem}`],
    );
  }
  const own = "address: 10.0.0.2, asn: 65002, localAsn: 65002, routeReflectorClient: true";
  assert.equal(readConfiguration(near(own)).kind, "ok", "the AS that it knows us by counts");
});
