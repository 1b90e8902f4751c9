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

test("with Kubernetes, kubectl gives objects and logs of the pods that were asked for", async (t) => {
  const tools = await mkdtemp(join(tmpdir(), "caracal-kubectl-"));
  t.after(() => rm(tools, { recursive: true, force: true }));
  const pod = (namespace: string, name: string, generateName: string, nodeName: string) => ({
    metadata: { namespace, name, generateName },
    spec: { nodeName },
  });
  const items = [
    pod("kube-system", "calico-node-a", "calico-node-", "n1"),
    pod("kube-system", "calico-node-b", "calico-node-", "n2"),
    pod("kube-system", "calico-node-c", "calico-node-", "n3"),
    pod("calico-system", "calico-typha-x", "calico-typha-", "n1"),
    pod("kube-system", "coredns-1", "coredns-", "n1"),
    pod("default", "calico-mine", "calico-mine-", "n1"),
  ];
  await writeFile(join(tools, "pods.json"), JSON.stringify({ items }));
  const script = `#!/bin/sh\ncase "$*" in *"get pods"*json) cat ${tools}/pods.json ;; *) echo "$@" ;; esac\n`;
  await writeFile(join(tools, "kubectl"), script, { mode: 0o755 });
  const store = await storeOf({ "ippools/p": pool });
  const env = {
    DATASTORE_TYPE: "kubernetes",
    KUBECONFIG: "/k",
    PATH: `${tools}:/usr/local/bin:/usr/bin:/bin`,
  };
  const line = "cluster diags --since 1h --max-logs 2 --focus-nodes n3 --max-parallelism 3 --context c";
  const { exitCode, stdout, stderr } = await run(line, { store, env });
  assert.deepEqual([exitCode, stderr], [0, ""]);
  const files = await filesOf(t, stdout);
  const logs = files.filter((name) => name.endsWith(".log") && !name.includes("previous"));
  assert.deepEqual(logs.toSorted(), [
    "diagnostics/calico-system.calico-typha-x.log",
    "diagnostics/kube-system.calico-node-a.log",
    "diagnostics/kube-system.calico-node-c.log",
  ]);
  assert.ok(files.includes("diagnostics/kubernetes-nodes.yaml"));
  const archive = /^Diags saved to (\S+)$/m.exec(stdout)?.[1] ?? "";
  const log = await runProgram("tar", ["-xzOf", archive, "diagnostics/kube-system.calico-node-c.log"]);
  assert.equal(
    log.output,
    "--kubeconfig=/k --context=c logs -n kube-system calico-node-c --all-containers --prefix --since=1h\n",
  );

  const without = await run("cluster diags", { store, env: { ...env, PATH: "/nowhere" } });
  assert.equal(without.exitCode, 0);
  assert.match(without.stderr, /^pods and their logs are not collected: [^\n]*kubectl[^\n]*\n$/);
  await filesOf(t, without.stdout);
  for (const [option, why] of [
    ["--since soon", "--since: soon is not a duration such as 30m or 1h30m\n"],
    ["--max-logs 0", "--max-logs: 0 is not a number from 1 on\n"],
  ] as const) {
    assert.equal((await run(`cluster diags ${option}`, { store, env })).stderr, why);
  }
});
