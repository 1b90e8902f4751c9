/**
 * Aim: `ipam split` and `ipam release` that are interrupted, or come late, harm nobody and can be repeated. Method: whole
 * command lines over a store in memory that fails from its nth write on, for every n.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { keys, type Store, StoreError } from "@caracal/datastore";
import { checkConsistency, readSnapshot } from "@caracal/ipam";
import { IpAddress } from "@caracal/net";
import { addWorkload, assign, ipamOf, leakyWorld } from "../../test/leaky-world.ts";
import { run } from "../../test/test-context.ts";

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "caracal-interrupted-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** The store of a process that dies after some writes, or one more that it never hears of. */
function dyingStore(store: Store, writesLeft: number, isLastHeard: boolean): Store {
  let left = writesLeft;
  const dying = async <T>(write: () => Promise<T>): Promise<T> => {
    left -= 1;
    if (left === -1 && !isLastHeard) await write();
    if (left < 0) throw new StoreError("unavailable", "the process is dead");
    return write();
  };
  return {
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    create: (key, value) => dying(() => store.create(key, value)),
    update: (key, value, revision) => dying(() => store.update(key, value, revision)),
    delete: (key, revision) => dying(() => store.delete(key, revision)),
    watch: (prefix, after, signal) => store.watch(prefix, after, signal),
    close: async () => undefined,
  };
}

test("a split that dies at any write is finished by the same command", async () => {
  for (let writes = 0, isDone = false; !isDone; writes += 1) {
    for (const isLastHeard of [true, false]) {
      const { store, used } = await leakyWorld();
      const first = await run("ipam split 4 --name=p", { store: dyingStore(store, writes, isLastHeard) });
      isDone = first.exitCode === 0;
      // Who does not heed the lock is served by whichever pools there are, from the same blocks.
      await assign(store, "h-meanwhile");
      const records = readSnapshot((await store.list(keys.root)).entries);
      assert.deepEqual(checkConsistency(records), []);
      assert.equal(records.blocks.length, 1);
      const again = await run("ipam split 4 --name=p", { store });
      const { entries } = await store.list(keys.resources("ippools"));
      const names = entries.map(({ key }) => key.replace(/.*\//, ""));
      assert.deepEqual(names, ["split-p-0", "split-p-1", "split-p-2", "split-p-3"], `${writes} writes`);
      assert.doesNotMatch(entries.map(({ value }) => value).join(""), /"disabled":true/);
      // Only the answer to the last write was lost: there is no pool left to split.
      if (again.exitCode !== 0) assert.match(again.stderr, /unable to find IP pool with name p/);
      const state = await ipamOf(store, "n").lookup(IpAddress.parse(used) ?? assert.fail(used));
      assert.equal(state.kind === "allocated" && state.affinity, "host:node1.whale.com");
    }
  }
});

test("a pool that is disabled is split into disabled ones", async () => {
  const { store } = await leakyWorld();
  await run(["patch", "ippool", "p", "-p", '{"spec":{"disabled":true}}'], { store });
  assert.equal((await run("ipam split 2 --name=p", { store })).exitCode, 0);
  const { entries } = await store.list(keys.resources("ippools"));
  assert.ok(entries.length === 2 && entries.every(({ value }) => value.includes('"disabled":true')));
});

test("a release from a report that dies at any write is finished by the same command", async (t) => {
  const report = join(await directory(t), "report.json");
  for (let writes = 0, isDone = false; !isDone; writes += 1) {
    for (const isLastHeard of [true, false]) {
      const { store, used } = await leakyWorld();
      await store.create(keys.handle("h-idle"), '{"block":{},"deleted":false}');
      await run(["ipam", "check", "-o", report], { store });
      const command = ["ipam", "release", "--from-report", report];
      isDone = (await run(command, { store: dyingStore(store, writes, isLastHeard) })).exitCode === 0;
      const repeated = await run(command, { store });
      assert.equal(repeated.exitCode, 0, repeated.stderr);
      const { entries } = await store.list(keys.root);
      assert.deepEqual(
        checkConsistency(readSnapshot(entries)).filter(({ severity }) => severity === "unsafe"),
        [],
      );
      // What the first attempt left of a handle is found by the next report.
      await run(["ipam", "check", "-o", report], { store });
      await run(command, { store });
      assert.match((await run("ipam check", { store })).stdout, /found 0 problems/, `${writes} writes`);
      const ipam = ipamOf(store, "n");
      assert.equal((await ipam.lookup(IpAddress.parse(used) ?? assert.fail(used))).kind, "allocated");
    }
  }
});

test("of several reports, only what all of them mean is released", async (t) => {
  const path = await directory(t);
  const { store, leaked } = await leakyWorld();
  const other = await assign(store, "h-other", { pod: "other", namespace: "default" });
  const reports = [join(path, "1.json"), join(path, "2.json")];
  const release = ["ipam", "release", ...reports.flatMap((one) => ["--from-report", one])];
  await run(["ipam", "check", "-o", reports[0] ?? ""], { store });
  // The same address, for the same owner's name, but another time.
  const ipam = ipamOf(store, "node1.whale.com");
  const address = IpAddress.parse(leaked) ?? assert.fail(leaked);
  await ipam.release({ address });
  await ipam.assignAddress({ address, handle: "h-leaked", attributes: {} });
  await run(["ipam", "check", "-o", reports[1] ?? ""], { store });
  const { stdout } = await run(release, { store });
  assert.match(stdout, /^Releasing 1 old IPs\.\.\.\nReleased 1 IPs successfully\n/);
  assert.equal((await ipam.lookup(address)).kind, "allocated");
  assert.equal((await ipam.lookup(IpAddress.parse(other) ?? assert.fail(other))).kind, "free");
});

test("an address that somebody has by the time of the release stays", async (t) => {
  const { store, leaked } = await leakyWorld(true);
  const report = join(await directory(t), "report.json");
  await run(["ipam", "check", "-o", report], { store });
  await addWorkload(store, "late", leaked);
  const { stdout } = await run(["ipam", "release", "--force", "--from-report", report], { store });
  assert.match(stdout, /^Released 0 IPs successfully\n1 addresses .* are in use by now and were kept\.$/m);
  const ipam = ipamOf(store, "n");
  assert.equal((await ipam.lookup(IpAddress.parse(leaked) ?? assert.fail(leaked))).kind, "allocated");
});

test("a handle that an assignment counts by the time of the release stays", async (t) => {
  const { store } = await leakyWorld();
  const report = join(await directory(t), "report.json");
  await store.create(keys.handle("h-idle"), '{"block":{},"deleted":false}');
  await run(["ipam", "check", "-o", report], { store });
  await assign(store, "h-idle");
  const { stdout } = await run(["ipam", "release", "--from-report", report], { store });
  assert.match(stdout, /^Released 0 handles; 1 skipped; 0 errors\.$/m);
  assert.ok((await store.get(keys.handle("h-idle"))) !== undefined);
});
