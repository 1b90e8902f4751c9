/** Aim: a daemon that cannot start says why in one line. Method: command lines that fail before anything is touched. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../test/test-context.ts";

test("node run needs root, no operands and a datastore", async () => {
  for (const [line, given, stderr] of [
    ["node run", { userId: 1000 }, /^Need super user privileges: Operation not permitted$/],
    ["node run fast", {}, /^node run takes no operands: unexpected "fast"$/],
    ["node run", { env: {} }, /^environment ETCD_ENDPOINTS is not set: .*$/],
    ["node run --backend=gobgp", {}, /^Invalid --backend 'gobgp'; it is bird or none$/],
  ] as const) {
    const outcome = await run(line, given);
    assert.equal(outcome.exitCode, 1);
    assert.equal(outcome.stdout, "");
    assert.match(outcome.stderr.trimEnd(), stderr);
  }
});

test("options stand for variables, and what is for containers is told of", async () => {
  assert.deepEqual(
    await run([
      "node",
      "run",
      "--dryrun",
      "--name=n1",
      "--ip",
      "10.0.0.1",
      "--as",
      "65001",
      "--no-default-ippools",
      "--ip-autodetection-method=cidr=10.0.0.0/8 x",
    ]),
    {
      exitCode: 0,
      stdout:
        "Use the following command to start the calico/node:\n\nNODENAME=n1 IP=10.0.0.1 AS=65001 IP_AUTODETECTION_METHOD='cidr=10.0.0.0/8 x' NO_DEFAULT_POOLS=true calicoctl node run\n",
      stderr: "",
    },
  );
  assert.match(
    (await run("node run --node-image=calico/node --init-system", { userId: 1000 })).stderr,
    /^--node-image is of no use: .*\n--init-system is of no use: .*\nNeed super user/,
  );
});
