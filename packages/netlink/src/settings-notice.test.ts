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
  assert.deepEqual(notice("02000000080001000300000008000200010000000"), { family: 4, interfaceIndex: 3 });
  assert.deepEqual(notice("0a00000008000100ffffffff0800020001000000"), { family: 6 });
  assert.equal(notice("1c00000008000100030000000800070001000000"), undefined);
});
