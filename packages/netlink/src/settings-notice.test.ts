// Aim: notices of changed settings name their family and interface. Method: bodies as Linux 6.18 sends them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Reader } from "@caracal/net";
import { decodeSettingsNotice } from "./settings-notice.ts";

function notice(hex: string): unknown {
  return decodeSettingsNotice(
    new Reader(Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))),
  );
}

test("a setting of one interface, of all, and of another family", () => {
  assert.deepEqual(notice("02000000080001000300000008000200010000000"), {
    family: 4,
    interfaceIndex: 3,
    isNew: false,
  });
  assert.deepEqual(notice("0a00000008000100ffffffff0800020001000000"), { family: 6, isNew: false });
  assert.equal(notice("1c00000008000100030000000800070001000000"), undefined);
});

test("a new interface's notice has all its settings", () => {
  const body =
    "020000000800010002000000080002000000000008000300000000000800040000000000080008000000000008000500000000000800060000000000";
  assert.deepEqual(notice(body), { family: 4, interfaceIndex: 2, isNew: true });
  const ipv6 = "0a00000008000100020000000800020000000000080004000000000008000500000000000800060000000000";
  assert.deepEqual(notice(ipv6), { family: 6, interfaceIndex: 2, isNew: true });
  assert.deepEqual(
    notice("020000000800010003000000"),
    { family: 4, interfaceIndex: 3, isNew: false },
    "gone",
  );
});
