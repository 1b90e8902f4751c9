/**
 * Aim: a node that has come up again while its datastore is away lets the pods of before be deleted, and no others.
 * Method: a whole daemon on what an earlier one has left in its library directory, with nobody at the datastore's address; it waits
 * for that, and touches nothing of the host.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { controlRequest } from "@caracal/control";
import { eventually, requireRoot } from "@caracal/testbed";
import { runNode } from "../src/index.ts";
import { podCall } from "./cni-suite.ts";

test("pods of before a reboot can be deleted without a datastore", { skip: requireRoot() }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "caracal-node-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [runDir, libDir] = [join(directory, "run"), join(directory, "lib")];
  mkdirSync(libDir);
  writeFileSync(join(libDir, "nodename"), "n1");
  writeFileSync(join(libDir, "cni-pods"), '{"endpoints":["default/n1-k8s-nginx--7fc5-eth0"]}');
  const stop = new AbortController();
  const running = runNode({
    env: {
      CARACAL_RUN_DIR: runDir,
      CARACAL_LIB_DIR: libDir,
      NODENAME: "n1",
      ETCD_ENDPOINTS: `unix://${directory}/nobody.sock`,
      CALICO_STARTUP_LOGLEVEL: "fatal",
    },
    signal: stop.signal,
    stderr: { write: () => undefined },
  });
  try {
    const path = join(runDir, "control.sock");
    const call = (change: object): Promise<unknown> =>
      controlRequest(path, "cni", podCall("", { command: "DEL", ...change }));
    const ok = { exitCode: 0, stdout: "" };
    // Its first moment, in which it has yet to look at what was left.
    await eventually(async () => JSON.stringify(await call({})) === JSON.stringify(ok));
    assert.deepEqual(await call({}), ok, "again");
    const other = await call({ containerId: "other", args: "" });
    assert.match(JSON.stringify(other), /\\"code\\":11,/);
    assert.equal(readdirSync(join(libDir, "cni-deletions")).length, 1);
  } finally {
    stop.abort();
    assert.equal(await running, 0);
  }
});
