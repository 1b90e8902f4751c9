/**
 * Aim: calls are told of in the file that their configuration names, as far as it wants to know, and the file is turned over.
 * Method: virtual time, real files.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { VirtualClock } from "@caracal/dataplane";
import { memoryLog } from "../../test/node-fixtures.ts";
import { CniCallLog } from "./cni-call-log.ts";

const ok = { exitCode: 0, stdout: "" };
const bad = { exitCode: 1, stdout: '{"code":11,"msg":"later"}\n' };

function call(containerId: string, config: object): object {
  const rest = { netns: "/n", ifname: "eth0", args: "", path: "/p" };
  return { plugin: "calico", command: "DEL", containerId, stdin: JSON.stringify(config), ...rest };
}

function newWorld(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "caracal-cni-log-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const clock = new VirtualClock();
  const { log, lines } = memoryLog();
  let seconds = 0;
  const now = (): Date => new Date(Date.now() + (seconds += 1) * 1000);
  const calls = new CniCallLog({ clock, now, log });
  return { directory: join(directory, "cni"), clock, calls, told: lines };
}

test("each call is a line where its configuration wants it", async (t) => {
  const { directory, clock, calls } = newWorld(t);
  const log_file_path = join(directory, "cni.log");
  calls.note(call("a", { log_file_path }), ok);
  calls.note(call("b", { log_file_path, log_level: "ERROR" }), ok);
  calls.note(call("c", { log_file_path, log_level: "error" }), bad);
  calls.note(call("d", {}), bad);
  calls.note(call("e", { log_file_path: "relative" }), bad);
  calls.note("no call", bad);
  await clock.step();
  const lines = readFileSync(log_file_path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ level, containerID, command, answer }) => [level, containerID, command, answer]),
    [
      ["info", "a", "DEL", undefined],
      ["error", "c", "DEL", '{"code":11,"msg":"later"}'],
    ],
  );
});

test("a file that is full is turned over, and the oldest go", async (t) => {
  const { directory, clock, calls } = newWorld(t);
  const config = { log_file_path: join(directory, "cni.log"), log_file_max_size: 1, log_file_max_count: 2 };
  const long = { exitCode: 0, stdout: "x".repeat(700_000) };
  for (let count = 0; count < 6; count += 1) {
    calls.note(call(`c${count}`, config), long);
    await clock.step();
  }
  const names = readdirSync(directory).toSorted();
  assert.equal(names.length, 3);
  assert.match(names[0] ?? "", /^cni-\d{4}-.*Z\.log$/);
  assert.match(readFileSync(join(directory, "cni.log"), "utf8"), /"containerID":"c5"/);
});

test("a file that cannot be written is told of once", async (t) => {
  const { clock, calls, told } = newWorld(t);
  for (let count = 0; count < 3; count += 1) {
    calls.note(call("a", { log_file_path: "/dev/null/cni.log" }), ok);
    await clock.step();
  }
  assert.equal(told.length, 1);
});
