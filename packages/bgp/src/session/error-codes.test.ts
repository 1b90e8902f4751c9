/**
 * Every error that a session answers with a NOTIFICATION, with its code, subcode and data (RFC 4271 §6, 6608, 7313, 9234,
 * 9687). What an UPDATE's faults cost otherwise is RFC 7606's, tested beside its decoder.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionRig, peerOpen } from "../../test/session-rig.ts";
import { keepaliveBytes } from "../wire/message.ts";
import { decodeNotification } from "../wire/notification.ts";

const marker = "ff".repeat(16);

/** A message of a type with this body, and a length field that is right or not. */
function message(type: number, body = "", length = 19 + body.length / 2): Uint8Array {
  const head = `${length.toString(16).padStart(4, "0")}${type.toString(16).padStart(2, "0")}`;
  return Uint8Array.fromHex(`${marker}${head}${body}`);
}

/** The code, subcode and data that a message is answered with in a state. */
function answer(state: "OpenSent" | "OpenConfirm" | "Established", bytes: Uint8Array): string {
  const rig = new SessionRig({ peerAsn: 65001, role: "customer" });
  rig.on({ kind: "ManualStart" });
  rig.up("p>1");
  if (state !== "OpenSent")
    rig.bytes("p>1", peerOpen(9, { localAsn: 65001, peerAsn: 64512, role: "provider" }));
  if (state === "Established") rig.bytes("p>1", keepaliveBytes);
  assert.equal(rig.session.state, state);
  rig.bytes("p>1", bytes);
  const last = rig.sent.at(-1);
  assert.ok(last?.[18] === 3, "no NOTIFICATION");
  const { code, subcode, data } = decodeNotification(last);
  assert.equal(rig.session.state, "Idle");
  return `${code}.${subcode} ${data.toHex()}`.trimEnd();
}

/** An OPEN: version, AS, hold time, identifier, parameters. */
function open(parts: {
  version?: string;
  asn?: string;
  hold?: string;
  id?: string;
  parameters?: string;
}): Uint8Array {
  const { version = "04", asn = "fde9", hold = "005a", id = "0a000002", parameters = "" } = parts;
  const length = (parameters.length / 2).toString(16).padStart(2, "0");
  return message(1, `${version}${asn}${hold}${id}${length}${parameters}`);
}

test("message header errors (§6.1)", () => {
  const broken = message(4);
  broken[3] = 0;
  const rows: readonly (readonly [string, Uint8Array])[] = [
    ["1.1", broken],
    ["1.2 0012", message(4, "", 18)],
    ["1.2 1001", message(1, "", 4097)],
    ["1.2 001c", message(1, "", 28)],
    ["1.2 0014", message(3, "", 20)],
    ["1.2 0014", message(4, "", 20)],
    ["1.3 00", message(0)],
    ["1.3 06", message(6)],
    ["1.3 ff", message(255)],
  ];
  for (const [expected, bytes] of rows) assert.equal(answer("OpenSent", bytes), expected);
  assert.equal(answer("Established", message(2, "", 22)), "1.2 0016");
});

test("OPEN errors (§6.2)", () => {
  const rows: readonly (readonly [string, Uint8Array])[] = [
    ["2.1 0004", open({ version: "03" })],
    ["2.1 0004", open({ version: "05" })],
    ["2.2", open({ asn: "fdea" })],
    ["2.2", open({ asn: "0000" })],
    ["2.2", open({ parameters: "0206410400000000" })],
    ["2.3", open({ id: "00000000" })],
    ["2.4", open({ parameters: "0100" })],
    ["2.6", open({ hold: "0001" })],
    ["2.6", open({ hold: "0002" })],
    ["2.7 010400010001", open({ parameters: "0206010400020001" })],
    ["2.11", open({ parameters: "0203090103" })],
    ["2.0", open({ parameters: "0203090203" })],
  ];
  for (const [expected, bytes] of rows) assert.equal(answer("OpenSent", bytes), expected, bytes.toHex());
});

test("errors of an UPDATE that end the session (RFC 7606)", () => {
  const rows: readonly (readonly [string, Uint8Array])[] = [
    // Lengths that pass the end of the message.
    ["3.1", message(2, "ffff0000")],
    ["3.1", message(2, "00000009")],
    // A prefix of 33 bits.
    ["3.10", message(2, "0006210a000000000000")],
  ];
  for (const [expected, bytes] of rows)
    assert.equal(answer("Established", bytes).slice(0, 4).trim(), expected);
});

test("messages out of place (§6.6, RFC 6608)", () => {
  for (const type of [2, 5]) {
    const bytes = type === 2 ? message(2, "00000000") : message(5, "00010001");
    assert.equal(answer("OpenSent", bytes), "5.1");
    assert.equal(answer("OpenConfirm", bytes), "5.2");
  }
  assert.equal(answer("OpenSent", keepaliveBytes), "5.1");
  assert.equal(answer("OpenConfirm", open({})), "5.2");
  assert.equal(answer("Established", open({})), "5.3");
});

test("ROUTE-REFRESH errors (RFC 7313 §5)", () => {
  const bytes = message(5, "000100");
  assert.equal(answer("Established", bytes), `7.1 ${bytes.toHex()}`);
});
