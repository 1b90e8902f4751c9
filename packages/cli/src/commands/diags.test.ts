/**
 * Aim: `node diags` and `cluster diags` leave one archive with what they say, whatever is missing. Method: whole command lines
 * in this process; the archive is listed with tar.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { pool, storeOf } from "../../test/resources-fixture.ts";
import { run } from "../../test/test-context.ts";
import { runProgram } from "../diagnostics/bundle.ts";

async function filesOf(t: TestContext, stdout: string): Promise<readonly string[]> {
  const path = /^Diags saved to (\S+)$/m.exec(stdout)?.[1] ?? assert.fail(stdout);
  t.after(() => rm(dirname(path), { recursive: true, force: true }));
  assert.match(path, /\/diags-20240108_031211\.tar\.gz$/);
  return (await runProgram("tar", ["-tzf", path])).output.split("\n");
}

test("a node's archive has its logs and every probe's output", async (t) => {
  const logs = await mkdtemp(join(tmpdir(), "caracal-logs-"));
  t.after(() => rm(logs, { recursive: true, force: true }));
  await writeFile(join(logs, "felix.log"), "line\n");
  const { exitCode, stdout } = await run(["node", "diags", "--log-dir", logs]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /^Collecting diagnostics\nUsing temp dir: \/\S+\n/);
  assert.match(stdout, /^Copying Calico logs$/m);
  const files = await filesOf(t, stdout);
  for (const name of ["date", "ipv4_route", "ipv6_addr", "nftables", "logs/felix.log"]) {
    assert.ok(files.includes(`diagnostics/${name}`), name);
  }
  const none = await run("node diags --log-dir /nowhere");
  await filesOf(t, none.stdout);
  assert.match(none.stdout, /^No logs found in \/nowhere; skipping log copying$/m);
});

test("only root may", async () => {
  const stderr = "Need super user privileges: Operation not permitted\n";
  for (const line of ["node diags", "node checksystem"]) {
    assert.deepEqual(await run(line, { userId: 1000 }), { exitCode: 1, stdout: "", stderr });
  }
});

test("a cluster's archive has every kind, also without ClusterInformation", async (t) => {
  const store = await storeOf({ "ippools/p": pool });
  const { exitCode, stdout, stderr } = await run("cluster diags --since 1h", { store });
  assert.equal(exitCode, 0);
  assert.equal(stderr, "--since is of no use without Kubernetes: no logs are collected\n");
  const files = await filesOf(t, stdout);
  for (const name of ["ippools.yaml", "nodes.yaml", "ipam-check", "ipam-show", "keys", "version"]) {
    assert.ok(files.includes(`diagnostics/${name}`), name);
  }
});
