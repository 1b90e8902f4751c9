/**
 * Malformed headers, OPENs, ROUTE-REFRESHes and NOTIFICATIONs, class by class, from raw bytes into a whole speaker. Each
 * names the code, subcode and data that the RFC demands; each is also delivered byte by byte; an end of file at every
 * offset leaves a speaker that the peer can come back to.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type PeerInput } from "../src/index.ts";
import { type RawOpen, message, rawKeepalive, rawOpen, rawUpdate, usualCapabilities } from "./raw-message.ts";
import { Victim } from "./victim.ts";

type State = "OpenSent" | "OpenConfirm" | "Established";
const states: readonly State[] = ["OpenSent", "OpenConfirm", "Established"];

/** A header with these three fields and a body of zeros to that length. */
function header(marker: string, length: number, type: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(19, Math.min(length, 5000)));
  bytes.set(Uint8Array.fromHex(marker));
  new DataView(bytes.buffer).setUint16(16, length);
  bytes[18] = type;
  return bytes;
}

const ones = "ff".repeat(16);

test("header: marker, length and type, in every state (RFC 4271 §6.1)", () => {
  const rows: readonly (readonly [string, Uint8Array, string])[] = [
    ["a marker with one bit off at its end", header(`${"ff".repeat(15)}fe`, 19, 4), "1.1"],
    ["a marker of zeros", header("00".repeat(16), 19, 4), "1.1"],
    ["no BGP at all", new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "1.1"],
    ["length 0", header(ones, 0, 4), "1.2 0000"],
    ["length 18", header(ones, 18, 4), "1.2 0012"],
    ["length 4097", header(ones, 4097, 2), "1.2 1001"],
    ["length 65535", header(ones, 65535, 2), "1.2 ffff"],
    ["an OPEN of 28 bytes", header(ones, 28, 1), "1.2 001c"],
    ["an UPDATE of 22 bytes", header(ones, 22, 2), "1.2 0016"],
    ["a NOTIFICATION of 20 bytes", header(ones, 20, 3), "1.2 0014"],
    ["a KEEPALIVE of 20 bytes", header(ones, 20, 4), "1.2 0014"],
    ["type 0", header(ones, 19, 0), "1.3 00"],
    ["type 6", header(ones, 19, 6), "1.3 06"],
    ["type 255", header(ones, 19, 255), "1.3 ff"],
  ];
  for (const state of states) {
    for (const [what, bytes, expected] of rows) {
      assert.equal(new Victim().upTo(state).feed(bytes), expected, `${what} in ${state}`);
      assert.equal(new Victim().upTo(state).feedSlowly(bytes), expected, `${what} in ${state}, slowly`);
    }
  }
});

const bigId = "0a000001";

interface OpenRow {
  readonly what: string;
  readonly open: RawOpen;
  readonly expected: string;
  readonly peer?: Partial<PeerInput>;
}

const openRows: readonly OpenRow[] = [
  { what: "all as it should be", open: {}, expected: "" },
  { what: "version 3", open: { version: 3 }, expected: "2.1 0004" },
  { what: "version 5", open: { version: 5 }, expected: "2.1 0004" },
  { what: "version 0", open: { version: 0 }, expected: "2.1 0004" },
  {
    what: "another AS in both fields",
    open: { asn: 65002, capabilities: ["41040000fdea"] },
    expected: "2.2",
  },
  { what: "another AS in the capability", open: { capabilities: ["41040000fdea"] }, expected: "2.2" },
  { what: "AS 0 without the capability", open: { asn: 0, capabilities: [] }, expected: "2.2" },
  { what: "AS 0 in the capability", open: { capabilities: ["410400000000"] }, expected: "2.2" },
  { what: "AS 0 beside a right capability", open: { asn: 0 }, expected: "2.2" },
  { what: "AS_TRANS beside a right capability", open: { asn: 23456 }, expected: "" },
  { what: "AS_TRANS alone", open: { asn: 23456, capabilities: [] }, expected: "2.2" },
  { what: "identifier 0.0.0.0", open: { id: "00000000" }, expected: "2.3" },
  { what: "our identifier from another AS (RFC 6286 §2.1)", open: { id: "0a000064" }, expected: "" },
  {
    what: "our identifier from our AS",
    open: { id: "0a000064", asn: 64512, capabilities: ["41040000fc00"] },
    expected: "2.3",
    peer: { asn: 64512 },
  },
  { what: "hold time 1 s", open: { holdTimeS: 1 }, expected: "2.6" },
  { what: "hold time 2 s", open: { holdTimeS: 2 }, expected: "2.6" },
  { what: "hold time 0", open: { holdTimeS: 0 }, expected: "" },
  { what: "hold time 3 s", open: { holdTimeS: 3 }, expected: "" },
  { what: "no optional parameters", open: { parameters: "00" }, expected: "" },
  { what: "parameters that pass the message's end", open: { parameters: "06" }, expected: "2.0" },
  { what: "bytes after the parameters", open: { parameters: "00aa" }, expected: "2.0" },
  { what: "a parameter that passes the parameters' end", open: { parameters: "02020a" }, expected: "2.0" },
  { what: "parameters that end in a parameter's header", open: { parameters: "0102" }, expected: "2.0" },
  { what: "a capability past its parameter's end", open: { parameters: "0402020104" }, expected: "2.0" },
  { what: "a capability cut off after its code", open: { parameters: "03020101" }, expected: "2.0" },
  { what: "an empty capabilities parameter", open: { parameters: "020200" }, expected: "" },
  { what: "the deprecated authentication parameter", open: { parameters: "03010100" }, expected: "2.4" },
  { what: "an unknown parameter", open: { parameters: "026300" }, expected: "2.4" },
  {
    what: "option 255 second",
    open: { parameters: "060202 0200 ff00".replaceAll(" ", "") },
    expected: "2.4",
  },
  {
    what: "capabilities in the long form (RFC 9072)",
    open: { parameters: "ffff0009020006010400010001" },
    expected: "",
  },
  { what: "the long form, empty", open: { parameters: "ffff0000" }, expected: "" },
  { what: "the long form, cut off in its length", open: { parameters: "ffff00" }, expected: "2.0" },
  { what: "the long form past the message's end", open: { parameters: "ffff0009020006" }, expected: "2.0" },
  {
    what: "the long form with a capability past its parameter's end",
    open: { parameters: "ffff0005020002 0109".replaceAll(" ", "") },
    expected: "2.0",
  },
  {
    what: "no family in common",
    open: { capabilities: ["010400010080", usualCapabilities[3] ?? ""] },
    expected: "2.7 010400010001010400020001",
  },
  {
    what: "an unknown capability",
    open: { capabilities: [...usualCapabilities, "c803010203"] },
    expected: "",
  },
  { what: "capability 0", open: { capabilities: [...usualCapabilities, "0000"] }, expected: "" },
  {
    what: "the same capability twice",
    open: { capabilities: [...usualCapabilities, ...usualCapabilities] },
    expected: "",
  },
  { what: "a family without value", open: { capabilities: ["0100", "41040000fde9"] }, expected: "2.0" },
  { what: "a four-octet AS without value", open: { capabilities: ["4100"] }, expected: "2.0" },
  { what: "a four-octet AS of 2 bytes", open: { capabilities: ["4102fde9"] }, expected: "2.0" },
  {
    what: "graceful restart without value",
    open: { capabilities: [...usualCapabilities, "4000"] },
    expected: "2.0",
  },
  {
    what: "graceful restart with half a family",
    open: { capabilities: [...usualCapabilities, "400400780001"] },
    expected: "2.0",
  },
  {
    what: "add-path with half a family",
    open: { capabilities: [...usualCapabilities, "45020001"] },
    expected: "2.0",
  },
  {
    what: "add-path, mode 9 (RFC 7911 §4: ignored)",
    open: { capabilities: [...usualCapabilities, "450400010109"] },
    expected: "",
  },
  {
    what: "route refresh with a value",
    open: { capabilities: [...usualCapabilities, "020100"] },
    expected: "2.0",
  },
];

for (const { what, open, expected, peer } of openRows) {
  test(`OPEN: ${what} → ${expected === "" ? "accepted" : expected}`, () => {
    for (const isSlow of [false, true]) {
      const victim = new Victim(peer).upTo("OpenSent");
      const bytes = rawOpen({ id: bigId, ...open });
      assert.equal(isSlow ? victim.feedSlowly(bytes) : victim.feed(bytes), expected);
      assert.equal(victim.state, expected === "" ? "OpenConfirm" : "Idle");
      assert.deepEqual(victim.told, []);
    }
  });
}

test("a peer refused for its OPEN is let in once it is right", () => {
  const victim = new Victim().upTo("OpenSent");
  assert.equal(victim.feed(rawOpen({ version: 3 })), "2.1 0004");
  victim.wait(10_000);
  victim.upTo("Established");
});

test("of several graceful restart capabilities the last one counts (RFC 4724 §3)", () => {
  const capabilities = [...usualCapabilities, "4006007800010180", "40020001"];
  const victim = new Victim().upTo("Established", rawOpen({ capabilities }));
  victim.feed(rawUpdate(["40010100", "40020602010000fde9", "4003040a000001"]));
  victim.endOfFile();
  assert.deepEqual(victim.table, [], "the last one keeps no family");
});

test("messages out of place cost the session, malformed or not (RFC 4271 §8.2.2, RFC 6608 §3)", () => {
  const keepalive = rawKeepalive;
  const rows: readonly (readonly [State, string, Uint8Array, string])[] = [
    ["OpenSent", "KEEPALIVE", keepalive, "5.1"],
    ["OpenSent", "UPDATE", rawUpdate(["40010100"]), "5.1"],
    ["OpenSent", "malformed UPDATE", message(2, "ffffffff"), "5.1"],
    ["OpenSent", "ROUTE-REFRESH", message(5, "00010001"), "5.1"],
    ["OpenConfirm", "OPEN", rawOpen(), "5.2"],
    ["OpenConfirm", "malformed OPEN", rawOpen({ version: 9 }), "5.2"],
    ["OpenConfirm", "UPDATE", rawUpdate(["40010100"]), "5.2"],
    ["OpenConfirm", "ROUTE-REFRESH", message(5, "00010001"), "5.2"],
    ["Established", "OPEN", rawOpen(), "5.3"],
    ["Established", "malformed OPEN", rawOpen({ holdTimeS: 1 }), "5.3"],
  ];
  for (const [state, what, bytes, expected] of rows) {
    assert.equal(new Victim().upTo(state).feed(bytes), expected, `${what} in ${state}`);
  }
});

test("ROUTE-REFRESH: lengths, unknown families and subtypes (RFC 2918 §4, RFC 7313 §5)", () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ["IPv4 unicast", "00010001", ""],
    ["a family that we do not carry", "00190046", ""],
    ["a family that was not agreed on", "00010080", ""],
    ["an unknown subtype", "00010901", ""],
    ["empty", "", `7.1 ${ones}001305`],
    ["three bytes", "000100", `7.1 ${ones}001605000100`],
    ["a begin mark with a tail", "00010101ff", `7.1 ${ones}00180500010101ff`],
    ["an end mark with a tail", "00010201ff", `7.1 ${ones}00180500010201ff`],
    ["a request with outbound filters (RFC 5291)", "00010001 01 80 0001 00".replaceAll(" ", ""), ""],
  ];
  for (const [what, body, expected] of rows) {
    assert.equal(new Victim().upTo("Established").feed(message(5, body)), expected, what);
    assert.equal(new Victim().upTo("Established").feedSlowly(message(5, body)), expected, what);
  }
});

test("NOTIFICATION in every state, with any text: the connection goes, nothing is answered", () => {
  const junk = [
    "",
    "ff",
    "05",
    "00",
    `80${"c3".repeat(127)}`,
    "0b1b5b324a1b5d303b785b",
    `ff${"41".repeat(255)}`,
  ];
  for (const state of states) {
    for (const codes of ["0602", "0604", "0000", "ffff", "0609", "0503", "0201"]) {
      for (const text of junk) {
        const victim = new Victim().upTo(state);
        assert.equal(victim.feed(message(3, codes + text)), "closed", `${codes}${text} in ${state}`);
        assert.doesNotMatch(victim.lastError ?? "", /\p{Cc}/u);
        assert.match(victim.lastError ?? "", /^Received: ./);
      }
    }
  }
  const long = new Victim().upTo("Established");
  assert.equal(long.feed(message(3, `0602${"ff".repeat(4000)}`)), "closed");
});

test("after a fault nothing else of the same bytes is looked at", () => {
  const victim = new Victim().upTo("Established");
  const update = rawUpdate(["40010100", "40020602010000fde9", "4003040a000001"]);
  const both = Uint8Array.from([...header(ones, 19, 9), ...update]);
  assert.equal(victim.feed(both), "1.3 09");
  assert.deepEqual([victim.table, victim.told], [[], []]);
});

test("an end of file at every offset of a whole session leaves nothing behind, and the peer may return", () => {
  const good = rawUpdate(["40010100", "40020602010000fde9", "4003040a000001"]);
  const whole = Uint8Array.from([...rawOpen(), ...rawKeepalive, ...good, ...rawKeepalive]);
  const updateEnd = rawOpen().length + rawKeepalive.length + good.length;
  for (let cut = 0; cut <= whole.length; cut += 1) {
    const victim = new Victim().connect();
    assert.equal(victim.feed(whole.subarray(0, cut)), "");
    assert.deepEqual(victim.table, cut >= updateEnd ? ["10.0.0.0/8"] : []);
    victim.endOfFile();
    assert.deepEqual([victim.table, victim.told], [[], []], `after ${cut} bytes`);
    victim.upTo("Established");
  }
});

test("a session delivered byte by byte is a session", () => {
  const good = rawUpdate(["40010100", "40020602010000fde9", "4003040a000001"]);
  const victim = new Victim().connect();
  assert.equal(victim.feedSlowly(Uint8Array.from([...rawOpen(), ...rawKeepalive, ...good])), "");
  assert.deepEqual([victim.table, victim.told], [["10.0.0.0/8"], ["10.0.0.0/8"]]);
});
