/** Aim: a daemon that cannot start says why in one line. Method: command lines that fail before anything is touched. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../test/test-context.ts";

test("node run needs root, no operands and a datastore", async () => {
  for (const [line, given, stderr] of [
    ["node run", { userId: 1000 }, /^Need super user privileges: Operation not permitted$/],
    ["node run fast", {}, /^node run takes no operands: unexpected "fast"$/],
    ["node run", { env: {} }, /^environment ETCD_ENDPOINTS is not set: .*$/],
    ["node run --ip 10.0.0.1", {}, /^unknown flag: --ip$/],
  ] as const) {
    const outcome = await run(line, given);
    assert.equal(outcome.exitCode, 1);
    assert.equal(outcome.stdout, "");
    assert.match(outcome.stderr.trimEnd(), stderr);
  }
});
