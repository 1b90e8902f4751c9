/**
 * RFC 7606 as a table: each attribute and each fault with the action that the RFC requires, from an external and from an
 * internal peer, and what it does to the RIB and to what others hold. The peer first announces 10.0.0.0/8 properly; then
 * the malformed UPDATE names it again. From raw bytes, at once and byte by byte.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type PathAttributes } from "../src/wire/path-attributes.ts";
import { rawOpen, rawUpdate } from "./raw-message.ts";
import { Victim } from "./victim.ts";

/** "reset" goes with the NOTIFICATION's code, subcode and data. */
type Action = "accept" | "discard" | "withdraw" | `reset ${string}`;

interface Row {
  readonly what: string;
  /** Attributes in hexadecimal. */
  readonly update: readonly string[];
  /** From an external peer, and from an internal one. */
  readonly external: Action;
  readonly internal: Action;
  /** What a dropped attribute must not have left on the route that stays. */
  readonly without?: keyof PathAttributes;
  /** The plain prefixes; absent: 10.0.0.0/8. */
  readonly announced?: string;
}

const origin = "40010100";
const asPath = "40020602010000fde9";
const nextHop = "4003040a000001";
const localPref = "40050400000064";
const good = [origin, asPath, nextHop];
const reach4 = "800e0b 0001 01 04 0a000001 00 080a";

function row(what: string, update: readonly string[], action: Action, internal: Action = action): Row {
  return { what, update, external: action, internal };
}

/** The same with prefixes in MP_REACH_NLRI alone. */
function mpRow(what: string, update: readonly string[], action: Action): Row {
  return { ...row(what, update, action), announced: "" };
}

/** A NOTIFICATION of code 3 that quotes the attribute. */
function reset(subcode: number, attribute: string): Action {
  return `reset 3.${subcode} ${attribute.replaceAll(" ", "")}`;
}

/** A row whose attribute is dropped and the route kept. */
function dropped(what: string, attribute: string, without: keyof PathAttributes): Row {
  return { ...row(what, [...good, attribute], "discard"), without };
}

/** A row of an attribute that counts inside an AS only (RFC 7606 §7.5, §7.9, §7.10). */
function internalOnly(what: string, attribute: string, without: keyof PathAttributes, internal: Action): Row {
  return { ...row(what, [...good, attribute], "discard", internal), without };
}

const rows: Readonly<Record<string, readonly Row[]>> = {
  "ORIGIN (§7.1)": [
    row("length 0", ["400100", asPath, nextHop], "withdraw"),
    row("length 2", ["4001020000", asPath, nextHop], "withdraw"),
    row("value 3", ["40010103", asPath, nextHop], "withdraw"),
    row("flagged optional", ["c0010100", asPath, nextHop], "withdraw"),
    row("flagged non-transitive", ["00010100", asPath, nextHop], "withdraw"),
    row("flagged partial, which is not looked at", ["60010100", asPath, nextHop], "accept"),
    row("reserved flags, which are not looked at", ["4f010100", asPath, nextHop], "accept"),
    row("two-octet length", ["5001000100", asPath, nextHop], "accept"),
    row("missing", [asPath, nextHop], "withdraw"),
    row("twice: the first counts (§3 g)", [origin, "40010102", asPath, nextHop], "discard"),
  ],
  "AS_PATH (§7.2)": [
    row("a segment that overruns", [origin, "40020602020000fde9", nextHop], "withdraw"),
    row("one octet left over", [origin, "40020702010000fde900", nextHop], "withdraw"),
    row("a zero-length segment", [origin, "4002080200 02010000fde9", nextHop], "withdraw"),
    row("an unknown segment type", [origin, "40020605010000fde9", nextHop], "withdraw"),
    row("AS_CONFED_SEQUENCE from outside (RFC 5065 §5)", [origin, "40020603010000fde9", nextHop], "withdraw"),
    row("AS 0 (RFC 7607 §2)", [origin, "400206020100000000", nextHop], "withdraw"),
    row("two-octet numbers in a four-octet session", [origin, "4002040201fde9", nextHop], "withdraw"),
    row("flagged optional", [origin, "c0020602010000fde9", nextHop], "withdraw"),
    row("missing", [origin, nextHop], "withdraw"),
  ],
  "NEXT_HOP (§7.3)": [
    row("length 3", [origin, asPath, "4003030a0000"], "withdraw"),
    row("length 5", [origin, asPath, "4003050a00000100"], "withdraw"),
    row("length 0", [origin, asPath, "400300"], "withdraw"),
    row("length 16", [origin, asPath, `400310${"fd".padEnd(32, "0")}`], "withdraw"),
    row("0.0.0.0", [origin, asPath, "40030400000000"], "withdraw"),
    row("multicast", [origin, asPath, "400304e0000001"], "withdraw"),
    row("flagged optional", [origin, asPath, "8003040a000001"], "withdraw"),
    row("missing", [origin, asPath], "withdraw"),
  ],
  "MULTI_EXIT_DISC (§7.4)": [
    row("length 3", [...good, "800403000001"], "withdraw"),
    row("length 5", [...good, "8004050000000001"], "withdraw"),
    row("length 0", [...good, "800400"], "withdraw"),
    row("flagged transitive", [...good, "c0040400000001"], "withdraw"),
    row("flagged well-known", [...good, "40040400000001"], "withdraw"),
    row("twice", [...good, "80040400000001", "80040400000002"], "discard"),
  ],
  "LOCAL_PREF (§7.5)": [
    internalOnly("as it should be", localPref, "localPref", "accept"),
    internalOnly("length 3", "400503000064", "localPref", "withdraw"),
    internalOnly("length 5", "4005050000006400", "localPref", "withdraw"),
    internalOnly("flagged optional", "c0050400000064", "localPref", "withdraw"),
    row("twice", [...good, localPref, "40050400000065"], "discard"),
  ],
  "ATOMIC_AGGREGATE (§7.6)": [
    dropped("length 1", "40060100", "atomicAggregate"),
    row("flagged optional (§3 c)", [...good, "c00600"], "withdraw"),
  ],
  "AGGREGATOR (§7.7)": [
    dropped("length 6 in a four-octet session", "c00706fde90a000001", "aggregator"),
    dropped("length 7", "c007070000fde90a0000", "aggregator"),
    dropped("length 9", "c007090000fde90a00000100", "aggregator"),
    dropped("length 0", "c00700", "aggregator"),
    dropped("AS 0 (RFC 7607 §2)", "c00708000000000a000001", "aggregator"),
    row("flagged non-transitive (§3 c)", [...good, "8007080000fde90a000001"], "withdraw"),
  ],
  "COMMUNITIES (§7.8)": [
    row("length 0", [...good, "c00800"], "withdraw"),
    row("length 5", [...good, "c008050000000000"], "withdraw"),
    row("flagged non-transitive", [...good, "80080400000001"], "withdraw"),
    row("twice", [...good, "c0080400000001", "c0080400000002"], "discard"),
  ],
  "ORIGINATOR_ID (§7.9)": [
    internalOnly("as it should be", "8009040a000007", "originatorId", "accept"),
    internalOnly("length 3", "8009030a0000", "originatorId", "withdraw"),
    internalOnly("length 5", "8009050a00000700", "originatorId", "withdraw"),
    internalOnly("flagged transitive", "c009040a000007", "originatorId", "withdraw"),
  ],
  "CLUSTER_LIST (§7.10)": [
    internalOnly("as it should be", "800a040a000007", "clusterList", "accept"),
    internalOnly("length 0", "800a00", "clusterList", "withdraw"),
    internalOnly("length 6", "800a060a0000070a00", "clusterList", "withdraw"),
    internalOnly("flagged transitive", "c00a040a000007", "clusterList", "withdraw"),
  ],
  "MP_REACH_NLRI (§7.11, RFC 4760 §7)": [
    mpRow("as it should be", [origin, asPath, reach4], "accept"),
    ...[
      ["a next hop of 3 octets", "800e0a 0001 01 03 0a0000 00 080a"],
      ["a next hop of 0 octets", "800e07 0001 01 00 00 080a"],
      ["a next hop past the attribute", "800e06 0001 01 0a 0a00"],
      ["shorter than its fixed part", "800e03 000101"],
      ["empty", "800e00"],
      ["prefix length 33", "800e0f 0001 01 04 0a000001 00 210a00000000"],
      ["a prefix cut off", "800e0b 0001 01 04 0a000001 00 180a"],
    ].map(([what = "", attribute = ""]) => mpRow(what, [origin, asPath, attribute], reset(9, attribute))),
    mpRow("next hop 0.0.0.0", [origin, asPath, "800e0b 0001 01 04 00000000 00 080a"], "withdraw"),
    mpRow("flagged transitive (§3 c)", [origin, asPath, `c0${reach4.slice(2)}`], "withdraw"),
    mpRow("twice (§3 g)", [origin, asPath, reach4, reach4], "reset 3.1"),
    mpRow("without ORIGIN", [asPath, reach4], "withdraw"),
    mpRow(
      "a fault elsewhere, and no prefixes in it (§5.2)",
      ["40010103", asPath, "800e09 0001 01 04 0a000001 00"],
      "reset 3.1",
    ),
  ],
  "MP_UNREACH_NLRI (RFC 4760 §7)": [
    row("shorter than its fixed part", [...good, "800f020001"], reset(9, "800f020001")),
    row("prefix length 33", [...good, "800f09000101210a00000000"], reset(9, "800f09000101210a00000000")),
    row("flagged transitive (§3 c)", [...good, "c00f05 0001 01 080b"], "withdraw"),
    row("twice (§3 g)", [...good, "800f03000201", "800f03000201"], "reset 3.1"),
    row("a family that we do not carry", [...good, "800f04 0019 46 00"], "accept"),
  ],
  "EXTENDED COMMUNITIES (§7.14)": [
    row("length 0", [...good, "c01000"], "withdraw"),
    row("length 7", [...good, "c0100700000000000000"], "withdraw"),
    row("flagged non-transitive", [...good, "801008 0002fde900000001"], "withdraw"),
  ],
  "AS4_PATH (RFC 6793 §6)": [
    row("between four-octet speakers: dropped", [...good, "c0110602010000fde9"], "accept"),
    row("malformed", [...good, "c01103020200"], "discard"),
    row("empty", [...good, "c01100"], "discard"),
    row("flagged non-transitive (RFC 7606 §3 c)", [...good, "80110602010000fde9"], "withdraw"),
  ],
  "AS4_AGGREGATOR (RFC 6793 §6)": [
    dropped("length 7", "c0120700000000000000", "aggregator"),
    dropped("AS 0 (RFC 7607 §2)", "c01208000000000a000001", "aggregator"),
  ],
  "LARGE COMMUNITIES (RFC 8092 §6)": [
    row("length 0", [...good, "c02000"], "withdraw"),
    row("length 11", [...good, "c0200b0000000000000000000000"], "withdraw"),
    row("flagged well-known", [...good, "40200c000000010000000200000003"], "withdraw"),
  ],
  "OTC (RFC 9234 §5)": [
    row("as it should be", [...good, "c023040000fde9"], "accept"),
    row("length 3", [...good, "c0230300fde9"], "withdraw"),
    row("length 5", [...good, "c023050000fde900"], "withdraw"),
    row("length 0", [...good, "c02300"], "withdraw"),
    row("flagged non-transitive (RFC 7606 §3 c)", [...good, "8023040000fde9"], "withdraw"),
  ],
  "AIGP, which we do not know (RFC 7311): relayed or dropped like any other": [
    row("as it should be", [...good, "801a0b 01000b0000000000000001"], "accept"),
    row("cut off inside", [...good, "801a02 0100"], "accept"),
  ],
  "unknown attributes (RFC 4271 §6.3)": [
    row("well-known", [...good, "40ee0101"], reset(2, "40ee0101")),
    row("well-known, with a two-octet length", [...good, "50ee000101"], reset(2, "50ee000101")),
    row("optional transitive", [...good, "c0ee0101"], "accept"),
    row("optional non-transitive: dropped", [...good, "80ee0101"], "accept"),
    row("optional transitive, twice", [...good, "c0ee0101", "c0ee0102"], "discard"),
  ],
  "the list as a whole (§3, §4)": [
    row("ends inside a header", [...good, "c0"], "withdraw"),
    row("ends inside a two-octet length", [...good, "d00800"], "withdraw"),
    row("an attribute passes the end", [...good, "c0080800000001"], "withdraw"),
    mpRow("a fault, and nothing announced (§5.2)", ["40010103", asPath, nextHop], "reset 3.1"),
    mpRow("a fault that drops an attribute, and nothing announced (§5.2)", [...good, "40060100"], "discard"),
    row("two faults: the graver one counts", ["40010103", asPath, nextHop, "40060100"], "withdraw"),
    row(
      "a withdrawing fault, then one that resets",
      ["40010103", asPath, nextHop, "40ee0101"],
      reset(2, "40ee0101"),
    ),
  ],
};

const opens = {
  external: rawOpen(),
  internal: rawOpen({
    asn: 64512,
    capabilities: ["010400010001", "010400020001", "0200", "41040000fc00"],
  }),
} as const;

function victimOf(kind: "external" | "internal"): Victim {
  const victim = new Victim(kind === "internal" ? { asn: 64512 } : {}).upTo("Established", opens[kind]);
  const more = kind === "internal" ? [localPref] : [];
  assert.equal(victim.feed(rawUpdate([...good, ...more])), "");
  assert.deepEqual([victim.table, victim.told], [["10.0.0.0/8"], ["10.0.0.0/8"]]);
  return victim;
}

/** Checks the action and what it did to the tables. */
function assertAction(victim: Victim, notified: string, action: Action, { what, without }: Row): void {
  if (action.startsWith("reset")) {
    assert.equal(`reset ${notified}`, action, what);
    assert.notEqual(victim.state, "Established");
    assert.deepEqual([victim.table, victim.told], [[], []], `${what}: its routes go`);
    return;
  }
  assert.equal(notified, "", what);
  assert.equal(victim.state, "Established", what);
  const kept = action === "withdraw" ? [] : ["10.0.0.0/8"];
  assert.deepEqual([victim.table, victim.told], [kept, kept], what);
  const faults = victim.facts.flatMap((fact) => (fact.kind === "attributeFault" ? [fact.action] : []));
  const worst = faults.includes("withdraw") ? "withdraw" : (faults[0] ?? "accept");
  assert.equal(worst, action, `${what}: what the log is told`);
  if (without === undefined || action !== "discard") return;
  for (const route of victim.speaker.routes()) assert.equal(route.attributes[without], undefined, what);
}

for (const [attribute, list] of Object.entries(rows)) {
  for (const one of list) {
    for (const kind of ["external", "internal"] as const) {
      test(`${attribute}: ${one.what}, ${kind} → ${one[kind]}`, () => {
        const bytes = rawUpdate(one.update, one.announced);
        for (const isSlow of [false, true]) {
          const victim = victimOf(kind);
          const notified = isSlow ? victim.feedSlowly(bytes) : victim.feed(bytes);
          assertAction(victim, notified, one[kind], one);
        }
      });
    }
  }
}
