/** CNI calls before, while and after the daemon is up, and how often failures are told. Method: a handler by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLog, settle } from "../../test/node-fixtures.ts";
import { Metrics } from "../observe/metrics.ts";
import { CniService } from "./cni-service.ts";

const { signal } = new AbortController();
const fails = {
  exitCode: 1,
  stdout: '{"cniVersion":"1.0.0","code":11,"msg":"the datastore does not answer"}\n',
};

function service(
  now: () => number = () => 0,
  startPatienceMs = 0,
): {
  readonly cni: CniService;
  readonly lines: readonly Record<string, unknown>[];
  readonly metrics: Metrics;
} {
  const { log, lines } = memoryLog();
  const metrics = new Metrics();
  return { cni: new CniService({ log, metrics, now, startPatienceMs }), lines, metrics };
}

function codeIn(stdout: string): unknown {
  const answer: unknown = JSON.parse(stdout);
  return typeof answer === "object" && answer !== null && "code" in answer ? answer.code : undefined;
}

test("before the daemon has started the runtime is told to come back", async () => {
  const { cni } = service();
  const answer = await cni.handle({ command: "ADD" }, signal);
  assert.equal(answer.exitCode, 1);
  assert.equal(codeIn(answer.stdout), 11);
  const status = await cni.handle({ command: "STATUS" }, signal);
  assert.equal(codeIn(status.stdout), 50);
  cni.waitForStore("connection refused");
  const { msg, details } = JSON.parse((await cni.handle({ command: "ADD" }, signal)).stdout);
  assert.deepEqual([msg, details], ["the node daemon is waiting for the datastore", "connection refused"]);
});

test("an ADD waits for the daemon's start, for a while and as long as its plugin does", async () => {
  const { cni } = service(undefined, 60_000);
  const served = { exitCode: 0, stdout: "{}" };
  const gone = new AbortController();
  const dropped = cni.handle({ command: "ADD" }, gone.signal);
  gone.abort();
  assert.equal(codeIn((await dropped).stdout), 11);
  assert.equal(codeIn((await cni.handle({ command: "ADD" }, gone.signal)).stdout), 11, "gone before");
  const waiting = cni.handle({ command: "ADD" }, signal);
  assert.equal(codeIn((await cni.handle({ command: "CHECK" }, signal)).stdout), 11, "others do not");
  cni.open({ handle: () => Promise.resolve(served) });
  assert.deepEqual(await waiting, served);

  const { cni: stopping } = service(undefined, 60_000);
  const late = stopping.handle({ command: "ADD" }, signal);
  await settle();
  stopping.stop();
  assert.equal(JSON.parse((await late).stdout).msg, "the node daemon is stopping");
  const later = await stopping.handle({ command: "ADD" }, signal);
  assert.equal(JSON.parse(later.stdout).msg, "the node daemon is stopping");
});

test("what can be done early is done until the daemon has started", async () => {
  const { cni } = service();
  const done = { exitCode: 0, stdout: "early" };
  cni.openEarly({
    handle: (params) => Promise.resolve(JSON.stringify(params).includes("DEL") ? done : undefined),
  });
  assert.deepEqual(await cni.handle({ command: "DEL" }, signal), done);
  assert.equal(codeIn((await cni.handle({ command: "ADD" }, signal)).stdout), 11);
  cni.open({ handle: () => Promise.resolve({ exitCode: 0, stdout: "{}" }) });
  assert.equal((await cni.handle({ command: "DEL" }, signal)).stdout, "{}");
});

test("answers pass, and are counted by command and outcome", async () => {
  const { cni, metrics } = service();
  cni.open({ handle: () => Promise.resolve({ exitCode: 0, stdout: "{}" }) });
  assert.deepEqual(await cni.handle({ command: "ADD" }, signal), { exitCode: 0, stdout: "{}" });
  await cni.handle({ command: "no command at all" }, signal);
  const text = await metrics.text();
  assert.match(text, /caracal_cni_request_seconds_count\{command="ADD",outcome="ok"\} 1/);
  assert.match(text, /caracal_cni_request_seconds_count\{command="other",outcome="ok"\} 1/);
});

test("a storm of failures is one line, and later one that says how many were held back", async () => {
  let now = 0;
  const { cni, lines } = service(() => now);
  cni.open({ handle: () => Promise.resolve(fails) });
  for (let pod = 0; pod < 500; pod += 1) await cni.handle({ command: "DEL" }, signal);
  assert.equal(lines.length, 1);
  await cni.handle({ command: "ADD" }, signal);
  assert.equal(lines.length, 2, "another command is another failure");
  now = 60_000;
  await cni.handle({ command: "DEL" }, signal);
  assert.deepEqual(
    lines.map(({ command, heldBack }) => [command, heldBack]),
    [
      ["DEL", undefined],
      ["ADD", undefined],
      ["DEL", 499],
    ],
  );
});

test("stopping waits for calls under way and takes no more", async () => {
  const { cni } = service();
  const answer = Promise.withResolvers<{ exitCode: number; stdout: string }>();
  cni.open({ handle: () => answer.promise });
  const call = cni.handle({ command: "ADD" }, signal);
  let isDrained = false;
  const drained = cni.drain().then(() => (isDrained = true));
  await settle();
  assert.equal(isDrained, false);
  assert.equal(cni.isBusy, true);
  assert.equal(codeIn((await cni.handle({ command: "ADD" }, signal)).stdout), 11);
  answer.resolve({ exitCode: 0, stdout: "{}" });
  await drained;
  assert.deepEqual(await call, { exitCode: 0, stdout: "{}" });
});

test("a call that never ends does not keep the daemon from stopping", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { cni } = service();
  cni.open({ handle: () => new Promise(() => undefined) });
  void cni.handle({ command: "ADD" }, signal);
  const drained = cni.drain();
  t.mock.timers.tick(60_000);
  await drained;
});
