/**
 * Aim: a store whose disk is full reads, refuses writes in etcd's words, tells those who ask whether it could write, and goes
 * on when there is room again. Method: a server process with a small file system of its own, filled and emptied.
 */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Revision } from "@caracal/datastore";
import { EtcdStore } from "@caracal/store-etcd";
import { requireRoot, Testbed } from "@caracal/testbed";

const full = { code: "unavailable", isFull: true, message: /the store has no room left to write to$/ };

test("a full disk", { skip: requireRoot() }, async (t) => {
  const bed = Testbed.create(t);
  const dataDir = bed.directory();
  const socket = join(bed.directory(), "store.sock");
  const script = join(import.meta.dirname, "server-process.ts");
  const mountAndServe = 'mount -t tmpfs -o size=4m none "$1" && exec "$2" "$3" "$1" "$4"';
  const shell = ["unshare", "--mount", "sh", "-c", mountAndServe, "sh"];
  const server = await bed.start([...shell, dataDir, process.execPath, script, socket]);
  await server.waitForOutput(/ready/, 20_000);
  const store = new EtcdStore({ endpoints: [`unix://${socket}`] });
  t.after(() => store.close());
  await store.create("/a", "1");
  // The server's own file system is seen through its process.
  const filler = join(`/proc/${server.pid}/root`, dataDir, "filler");
  assert.throws(() => writeFileSync(filler, Buffer.alloc(8 << 20)), { code: "ENOSPC" });

  await assert.rejects(store.create("/b", "x".repeat(100_000)), full);
  const neverHolds = Revision.of("0");
  await assert.rejects(
    store.update("/a", "2", neverHolds),
    full,
    "nothing would be written, but could it be?",
  );
  assert.equal((await store.get("/a"))?.value, "1");

  rmSync(filler);
  assert.equal((await store.update("/a", "2", neverHolds)).kind, "conflict");
  assert.equal((await store.create("/b", "x".repeat(100_000))).kind, "ok");
});
