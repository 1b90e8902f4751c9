/** The node's files are written whole, and not at all where they say it already. Method: a directory in the place of what would be written. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readMtu, writeMtu, writeNodeName } from "./node-files.ts";

test("a file that says it already needs no write, and one that cannot be written is named", (context) => {
  const directory = mkdtempSync(join(tmpdir(), "caracal-node-files-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "lib/nodename");
  writeNodeName(path, "worker");
  // Nothing can be written any more.
  mkdirSync(join(`${path}.tmp`, "full"), { recursive: true });
  writeNodeName(path, "worker");
  assert.equal(readFileSync(path, "utf8"), "worker");
  assert.throws(() => writeNodeName(path, "other"), { code: "start-up", message: /lib\/nodename cannot be/ });
  assert.equal(readFileSync(path, "utf8"), "worker");
  writeMtu(join(directory, "mtu"), 1450);
  assert.equal(readMtu(join(directory, "mtu")), 1450);
});
