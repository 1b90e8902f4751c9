/**
 * Aim: a file that is no text, or no resource, is one line and changes nothing. Method: files of such bytes, applied to a
 * store in memory that must stay empty.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import { run } from "../../test/test-context.ts";

test("bytes that are no UTF-8, or no resource, are refused whole", async () => {
  const directory = await mkdtemp(join(tmpdir(), "caracal-manifests-"));
  const good = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: good}\n---\n";
  try {
    for (const [bytes, expected] of [
      [Buffer.concat([Buffer.from(good), Buffer.from([0xff, 0xfe])]), /^open .*: it is not UTF-8 text\n$/],
      [Buffer.from(`${good}a: \u0001`), /^line 5: control characters are not allowed .*\n$/],
      [Buffer.from(`${good}${"[".repeat(100000)}`), /^line 5: .*\n$/],
      [Buffer.from(`${good}a: 1\na: 2\n`), /^line 6: Map keys must be unique .*\n$/],
    ] as const) {
      const path = join(directory, "file.yaml");
      await writeFile(path, bytes);
      const store = new MemoryStore();
      const { exitCode, stdout, stderr } = await run(["apply", "-f", path], { store });
      assert.deepEqual([exitCode, stdout], [1, ""]);
      assert.match(stderr, expected);
      assert.deepEqual((await store.list(keys.root)).entries, []);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
