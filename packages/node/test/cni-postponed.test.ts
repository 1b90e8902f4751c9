/**
 * Aim: a pod that the daemon knows can be deleted while the datastore is away: its interface goes at once, the rest when the
 * datastore is back, also through the next daemon, and never to what comes after it. Method: an engine over fakes and a
 * memory store that goes away; the backlog in a real directory.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { DeletionBacklog } from "../src/cni/deletion-backlog.ts";
import type { CniEngine } from "../src/cni/cni-engine.ts";
import { EarlyCalls } from "../src/cni/early-calls.ts";
import { StoreError } from "@caracal/datastore";
import type { FakeKernel } from "./cni-fakes.ts";
import { type CniNode, netconf, podCall, result } from "./cni-suite.ts";
import { fakeCniNode, netns } from "./fake-cni-node.ts";

const nothing = { kernel: [], allocations: [], endpoints: [] };
const deletion = podCall(netns, { command: "DEL" });
const ok = { exitCode: 0, stdout: "" };

interface World {
  readonly node: CniNode;
  readonly kernel: FakeKernel;
  readonly directory: string;
  /** A new daemon's engine. */
  readonly engine: () => CniEngine;
}

function newWorld(t: TestContext): World {
  const directory = mkdtempSync(join(tmpdir(), "caracal-backlog-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const { node, kernel } = fakeCniNode();
  const backlog = join(directory, "deletions");
  return {
    node,
    kernel,
    directory: backlog,
    engine: () => node.engine({ deletions: new DeletionBacklog(backlog) }),
  };
}

/** The fake IPAM keeps its records in the store's stead: it goes away with it. */
function disconnect(node: CniNode): void {
  node.store.disconnect();
}

test("a known pod goes at once, and the rest when the datastore is back", async (t) => {
  const { node, kernel, engine, directory } = newWorld(t);
  const daemon = engine();
  result(await daemon.answer(podCall(netns)));
  disconnect(node);
  assert.deepEqual(await daemon.answer(deletion), ok);
  assert.deepEqual([...kernel.pairs], []);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.deepEqual(await daemon.answer(deletion), ok, "again");
  assert.equal(await daemon.finishDeletions(), false);
  node.store.reconnect();
  assert.equal(await daemon.finishDeletions(), true);
  assert.deepEqual(await node.state(), nothing);
  assert.deepEqual(readdirSync(directory), []);
});

test("the next daemon finishes what its predecessor answered", async (t) => {
  const { node, engine } = newWorld(t);
  const former = engine();
  result(await former.answer(podCall(netns)));
  disconnect(node);
  assert.deepEqual(await former.answer(deletion), ok);
  node.store.reconnect();
  assert.equal(await engine().finishDeletions(), true);
  assert.deepEqual(await node.state(), nothing);
});

test("a pod that is not known is to be deleted later", async (t) => {
  const { node, engine } = newWorld(t);
  disconnect(node);
  const answer = await engine().answer(deletion);
  assert.equal(JSON.parse(answer.stdout).code, 11);
});

test("a pod whose interface alone tells of it is known", async (t) => {
  const { node, engine } = newWorld(t);
  result(await engine().answer(podCall(netns)));
  disconnect(node);
  assert.deepEqual(await engine().answer(deletion), ok);
});

test("an ADD of the same container comes after the deletion that waits for it, not before", async (t) => {
  const { node, engine } = newWorld(t);
  const daemon = engine();
  result(await daemon.answer(podCall(netns)));
  disconnect(node);
  assert.deepEqual(await daemon.answer(deletion), ok);
  node.store.reconnect();
  const made = result(await daemon.answer(podCall(netns)));
  assert.equal(await daemon.finishDeletions(), true);
  const check = podCall(netns, { command: "CHECK" }, { prevResult: made });
  assert.deepEqual(await daemon.answer(check), ok);
});

test("the pod's next container keeps what is its own", async (t) => {
  const { node, kernel, engine } = newWorld(t);
  const daemon = engine();
  result(await daemon.answer(podCall(netns)));
  disconnect(node);
  assert.deepEqual(await daemon.answer(deletion), ok);
  node.store.reconnect();
  kernel.namespaces.add("/run/netns/next");
  const next = { containerId: "next" };
  const made = result(await daemon.answer(podCall("/run/netns/next", next)));
  assert.equal(await daemon.finishDeletions(), true);
  const check = podCall("/run/netns/next", { command: "CHECK", ...next }, { prevResult: made });
  assert.deepEqual(await daemon.answer(check), ok);
  assert.deepEqual([...node.ipam.allocations.keys()], ["k8s-pod-network.next"]);
});

test("a locked datastore is not written to", async (t) => {
  const { node, directory, engine } = newWorld(t);
  result(await engine().answer(podCall(netns)));
  disconnect(node);
  assert.deepEqual(await engine().answer(deletion), ok);
  node.store.reconnect();
  const locked = node.engine({ deletions: new DeletionBacklog(directory), isReady: () => false });
  assert.equal(await locked.finishDeletions(), false);
  assert.equal((await node.store.list("")).entries.length, 1);
});

test("strange files are passed over, and the backlog is bounded", (t) => {
  const { directory } = newWorld(t);
  // Each is flushed to the disk: a bound to be reached soon.
  const most = 8;
  const backlog = new DeletionBacklog(directory, most);
  writeFileSync(join(directory, "strange.json"), "{");
  writeFileSync(join(directory, "other.json"), JSON.stringify(deletion));
  writeFileSync(join(directory, "half.json.new"), "");
  for (let index = 0; index < 3; index += 1) backlog.add({ ...deletion, containerId: `c${index}` });
  assert.deepEqual(new DeletionBacklog(directory).calls.map(({ containerId }) => containerId).toSorted(), [
    "c0",
    "c1",
    "c2",
  ]);
  for (let index = 3; index < most; index += 1) {
    const call = { ...deletion, containerId: `c${index}` };
    assert.equal(backlog.add(call), true);
  }
  assert.equal(backlog.add({ ...deletion, containerId: "one-more" }), false);
  const refusal = { code: 11, message: /cannot be kept for later$/, details: "8 are kept already" };
  assert.throws(() => backlog.keep({ ...deletion, containerId: "one-more" }, "it is away"), refusal);
  assert.equal(new DeletionBacklog(directory, most - 1).calls.length, most - 1);
});

test("without room on the disk the runtime must ask again", async (t) => {
  const { node, directory, engine } = newWorld(t);
  const daemon = engine();
  result(await daemon.answer(podCall(netns)));
  disconnect(node);
  rmSync(directory, { recursive: true });
  const { code, msg, details } = JSON.parse((await daemon.answer(deletion)).stdout);
  assert.equal(code, 11);
  assert.equal(msg, "the datastore does not answer, and the deletion cannot be kept for later");
  assert.match(details, /^ENOENT/);
});

test("addresses given to another plugin are given back when the datastore is back, before an ADD of the same container", async (t) => {
  const { node, directory, engine } = newWorld(t);
  const ipam = { plugin: "calico-ipam" } as const;
  const daemon = engine();
  result(await daemon.answer(podCall(netns, ipam)));
  disconnect(node);
  // The fake IPAM is not the store: its release has to fail with it.
  const released: string[] = [];
  const release = node.ipam.release.bind(node.ipam);
  node.ipam.release = async (handle) => {
    await node.store.get("/");
    released.push(handle);
    return release(handle);
  };
  const del = { ...deletion, ...ipam };
  assert.deepEqual(await daemon.answer(del), ok);
  assert.deepEqual(await engine().answer({ ...del, containerId: "never-seen" }), ok);
  assert.equal(readdirSync(directory).length, 2);
  node.store.reconnect();
  result(await engine().answer(podCall(netns, ipam)));
  assert.deepEqual(released, ["k8s-pod-network.c0ffee0123456789"]);
  const next = engine();
  assert.equal(await next.finishDeletions(), true);
  assert.deepEqual(
    released.slice(1),
    ["k8s-pod-network.never-seen", "default.nginx-7fc5"],
    "the older name too",
  );
  assert.equal([...node.ipam.allocations.values()].flat().length, 1, "the new one's");
});

test("a deletion that is kept already is known to the next daemon, whose pod has no interface any more", async (t) => {
  const { node, engine } = newWorld(t);
  result(await engine().answer(podCall(netns)));
  disconnect(node);
  assert.deepEqual(await engine().answer(deletion), ok);
  assert.deepEqual(await engine().answer(deletion), ok);
});

test("a daemon that has yet to hear from the datastore deletes what it sees, and leaves the rest for later", async (t) => {
  const { node, kernel, directory, engine } = newWorld(t);
  result(await engine().answer(podCall(netns)));
  disconnect(node);
  const deletions = new DeletionBacklog(directory);
  const known = new Set<string>();
  const knowsEndpoint = (namespace: string, name: string): boolean => known.has(`${namespace}/${name}`);
  const place = { node: "node-1", interfacePrefix: "cali" };
  const early = new EarlyCalls({ ...place, kernel, deletions, knowsEndpoint });
  assert.equal(await early.handle(podCall(netns)), undefined, "an ADD");
  assert.equal(JSON.parse((await early.handle(podCall(netns, { stdin: "[" })))?.stdout ?? "").code, 6);
  assert.equal(await early.handle({ ...deletion, containerId: "other", netns: "" }), undefined, "not known");
  assert.equal(JSON.parse((await early.handle({ ...deletion, ifname: "" }))?.stdout ?? "").code, 4);
  assert.deepEqual(await early.handle(deletion), ok);
  assert.deepEqual([...kernel.pairs], []);
  assert.deepEqual(await early.handle(deletion), ok, "again");
  assert.deepEqual(await early.handle({ ...deletion, plugin: "calico-ipam" }), ok);
  const rebooted = { ...deletion, containerId: "other", netns: "" };
  known.add("default/node--1-k8s-nginx--7fc5-eth0");
  assert.deepEqual(await early.handle(rebooted), ok, "known from before");
  node.store.reconnect();
  const next = node.engine({ deletions });
  assert.equal(await next.finishDeletions(), true);
  assert.deepEqual(await node.state(), nothing);
  rmSync(directory, { recursive: true });
  const lost = JSON.parse((await early.handle({ ...deletion, plugin: "calico-ipam" }))?.stdout ?? "");
  assert.equal(lost.code, 11);
  assert.match(lost.msg, /waiting for the datastore, and the deletion cannot be kept for later$/);
});

test("a full datastore is told of at once, by STATUS too, and DEL of a known pod is kept", async (t) => {
  const { node, engine } = newWorld(t);
  const daemon = engine();
  result(await daemon.answer(podCall(netns)));
  const refuse = (): Promise<never> =>
    Promise.reject(new StoreError("unavailable", "no room", { isFull: true }));
  const { store } = node;
  Object.assign(store, { create: refuse, update: refuse, delete: refuse, transact: refuse });
  const status = podCall("", {
    command: "STATUS",
    stdin: JSON.stringify({ ...netconf, cniVersion: "1.1.0" }),
  });
  const add = podCall(netns, { containerId: "other", args: "" });
  for (const [call, code] of [
    [status, 50],
    [add, 11],
  ] as const) {
    const error = JSON.parse((await node.engine({ storeWaitMs: 60_000 }).answer(call)).stdout);
    assert.deepEqual([error.code, error.msg], [code, "the datastore is full: it takes no writes"]);
  }
  assert.deepEqual(await daemon.answer(deletion), ok);
});
