/**
 * Aim: the demo sees all it expects, can be repeated on its own lab, and removes it.
 * Method: the script as `npm run demo` runs it, under a lab name of the test's own.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { requireRoot, requireTool, runAnyway } from "@caracal/testbed";
import { LabDirectory, tearDown } from "../src/index.ts";
import { REPOSITORY, traces } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ping", "tcpdump");
const TIMEOUT_MS = 600_000;

test("the demo runs twice on one lab, and goes", { skip }, async (t) => {
  const name = `t${process.pid}-demo`;
  const lab = new LabDirectory("/run/caracal/labs", name);
  t.after(() => tearDown(lab));
  const demo = (...args: readonly string[]): ReturnType<typeof runAnyway> =>
    runAnyway([process.execPath, `${REPOSITORY}scripts/demo.ts`, "--name", name, ...args], {
      timeoutMs: TIMEOUT_MS,
    });
  for (const beginning of [/\$ \.\/caracal lab up full-mesh/, /is already up and well/]) {
    const { exitCode, stdout, stderr } = await demo();
    assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, beginning);
    assert.match(stdout, /([0-9]+) of \1 expectations were seen\./);
  }
  assert.match((await demo("--down")).stdout, /is removed/);
  assert.deepEqual(traces(lab), []);
  assert.match((await demo("--down")).stdout, /nothing to remove/);
});
