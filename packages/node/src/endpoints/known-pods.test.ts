/**
 * Aim: the next daemon knows the pods that the last one knew, also after a sudden end, until it has heard of its own from the
 * datastore. Method: endpoints by hand, virtual time, a real directory.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { VirtualClock } from "@caracal/dataplane";
import { apiVersion, type WorkloadEndpoint } from "@caracal/resources";
import { eventually } from "@caracal/testbed";
import { memoryLog } from "../../test/node-fixtures.ts";
import { KnownPods, knownPodsMost } from "./known-pods.ts";

function endpoint(name: string): WorkloadEndpoint {
  return {
    kind: "WorkloadEndpoint",
    apiVersion,
    metadata: { name, namespace: "default" },
    spec: { node: "n1" },
  };
}

interface World {
  readonly directory: string;
  readonly path: string;
  readonly clock: VirtualClock;
  readonly lines: readonly Record<string, unknown>[];
  /** A new daemon's. */
  readonly open: () => KnownPods;
}

function newWorld(t: TestContext): World {
  const directory = mkdtempSync(join(tmpdir(), "caracal-pods-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "cni-pods");
  const clock = new VirtualClock();
  const { log, lines } = memoryLog();
  return { directory, path, clock, lines, open: () => new KnownPods({ path, clock, log }) };
}

test("what the datastore showed is known to the next daemon until that has heard of it", async (t) => {
  const { clock, directory, path, open } = newWorld(t);
  const former = open();
  former.set([endpoint("a")]);
  former.set([endpoint("a"), endpoint("b")]);
  assert.equal(former.has("default", "b"), true);
  assert.deepEqual(readdirSync(directory), [], "changes are gathered");
  await clock.advance(1_000);
  await former[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(directory), ["cni-pods"]);
  assert.equal(statSync(path).mode & 0o777, 0o600);

  const next = open();
  assert.equal(next.has("default", "a"), true);
  assert.equal(next.has("other", "a"), false);
  next.set([endpoint("b")]);
  assert.equal(next.has("default", "a"), false, "the datastore's word is later");
});

test("what is yet to be written is written at the end", async (t) => {
  const { open } = newWorld(t);
  const former = open();
  former.set([endpoint("a")]);
  await former[Symbol.asyncDispose]();
  assert.equal(open().has("default", "a"), true);
});

test("nothing is written where nothing has changed", async (t) => {
  const { path, clock, open } = newWorld(t);
  const former = open();
  former.set([endpoint("a")]);
  await former[Symbol.asyncDispose]();
  const { ino } = statSync(path);
  const next = open();
  next.set([endpoint("a")]);
  await clock.advance(1_000);
  await next[Symbol.asyncDispose]();
  assert.equal(statSync(path).ino, ino);
});

test("strange files say nothing, and names are bounded", async (t) => {
  const { path, open } = newWorld(t);
  for (const text of ["", "{", "[]", '{"endpoints":5}', '{"endpoints":[5,null]}']) {
    writeFileSync(path, text);
    assert.equal(open().has("default", "a"), false, text);
  }
  const pods = open();
  pods.set(Array.from({ length: knownPodsMost + 1 }, (_, index) => endpoint(`p${index}`)));
  await pods[Symbol.asyncDispose]();
  assert.equal(open().has("default", `p${knownPodsMost - 1}`), true);
  assert.equal(open().has("default", `p${knownPodsMost}`), false);
});

test("a disk that takes nothing is told of once, and tried again", async (t) => {
  const { directory, clock, lines, open } = newWorld(t);
  rmSync(directory, { recursive: true });
  const pods = open();
  pods.set([endpoint("a")]);
  await clock.advance(1_000);
  await eventually(() => lines.length > 0);
  await clock.advance(30_000);
  pods.set([endpoint("b")]);
  mkdirSync(directory);
  await pods[Symbol.asyncDispose]();
  assert.equal(lines.length, 1);
  assert.equal(open().has("default", "b"), true);
});
