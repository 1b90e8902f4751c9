/**
 * Aim: the built-in clusters are what the scenarios say: sessions, routes, blocks, reachability, who connects to whom.
 * Method: `caracal lab up` with the real daemons and store; then only what stock tools see: `ip`, `ss`, `ping`.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, requireRoot, requireTool, run, startEtcd, Testbed } from "@caracal/testbed";
import { isRunning } from "../src/process-identity.ts";
import { labScope, type LabScope, REPOSITORY, traces } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ss", "ping");
const program = [`${REPOSITORY}caracal`];

/** Brings a built-in topology up with the real program; gives the lab's name. */
async function up(scope: LabScope, topology: string): Promise<string> {
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", topology, "--name", name]);
  assert.equal(exitCode, 0, stderr);
  return name;
}

async function ip(name: string, part: string, ...args: readonly string[]): Promise<string> {
  return (await run(["ip", "-n", `${name}-${part}`, ...args])).stdout;
}

test("full-mesh: routes, blackholes, pods and reachability are as in the scenario", { skip }, async (t) => {
  const scope = await labScope(t, { program });
  const name = await up(scope, "full-mesh");
  const lab = scope.directory(name);
  const nodes = lab.nodes();

  const blocks = new Map<string, string>();
  for (const node of nodes) {
    const routes = await ip(name, node.name, "route");
    const own = /^blackhole (10\.244\.[0-9.]+\/26) proto bird/m.exec(routes)?.[1];
    assert.ok(own !== undefined, routes);
    blocks.set(node.address, own);
    for (const pod of lab.pods().filter((candidate) => candidate.node === node.name)) {
      assert.match(routes, new RegExp(`^${pod.addresses[0]} dev cali[0-9a-f]{11} .*scope link`, "m"));
    }
  }
  assert.equal(new Set(blocks.values()).size, 3);
  for (const node of nodes) {
    const routes = await ip(name, node.name, "route");
    for (const [address, block] of blocks) {
      if (address === node.address) continue;
      assert.ok(routes.includes(`${block} via ${address} dev eth0 proto bird`), routes);
    }
  }
  const inPod = await ip(name, "app-worker", "route");
  assert.match(inPod, /^default via 169\.254\.1\.1 dev eth0/m);
  assert.match(await ip(name, "app-worker", "address", "show", "eth0"), /inet 10\.244\.[0-9.]+\/32 /);

  const checked = await scope.lab(["check", "--name", name]);
  assert.equal(checked.exitCode, 0, checked.stdout);
  assert.match(
    (await scope.lab(["status", "--name", name])).stdout,
    /worker2 +172\.18\.0\.2 +running \([0-9]+\) +yes +2\/2 +3 +2\n/,
  );

  assert.equal((await scope.lab(["down", "--name", name])).exitCode, 0);
  assert.deepEqual(traces(lab), []);
});

test("mesh-sockets: one TCP session a pair, opened by the larger address", { skip }, async (t) => {
  const scope = await labScope(t, { program });
  const name = await up(scope, "mesh-sockets");
  // Of two connections that crossed, one is still closing for a moment.
  const sockets = (node: string): Promise<readonly string[]> =>
    run(["ip", "netns", "exec", `${name}-${node}`, "ss", "-Htn", "state", "established"]).then(({ stdout }) =>
      stdout
        .trimEnd()
        .split("\n")
        .map((line) =>
          line
            .trim()
            .split(/\s+/)
            .slice(2)
            .join(" ")
            .replaceAll(/:(?!179\b)[0-9]+/g, ":*"),
        )
        .toSorted(),
    );
  const [km01, kw01, kw02] = ["192.168.80.121", "192.168.80.124", "192.168.80.125"];
  await eventually(async () => {
    assert.deepEqual(await sockets("km01"), [`${km01}:179 ${kw01}:*`, `${km01}:179 ${kw02}:*`]);
    assert.deepEqual(await sockets("kw01"), [`${kw01}:* ${km01}:179`, `${kw01}:179 ${kw02}:*`]);
    assert.deepEqual(await sockets("kw02"), [`${kw02}:* ${km01}:179`, `${kw02}:* ${kw01}:179`]);
    return true;
  });
});

test("a killed daemon and a killed store lose no ping, and come back", { skip }, async (t) => {
  const scope = await labScope(t, { program });
  const name = await up(scope, "full-mesh");
  const lab = scope.directory(name);
  const daemon = lab.daemon({ node: lab.nodes()[0]?.name ?? "" });
  for (const killed of [daemon, lab.daemon("store")])
    process.kill(killed?.pid ?? assert.fail("no such process"), "SIGKILL");
  await eventually(() => !isRunning(daemon));
  // The kernel forwards on what was programmed; only sessions are missed.
  const checked = await scope.lab(["check", "--json", "--name", name]);
  assert.equal(checked.exitCode, 1);
  assert.doesNotMatch(checked.stdout, /"found": "(lossy|unreachable)"/);
  for (const word of ["store", "control-plane"]) {
    const { exitCode, stderr } = await scope.lab(["restart", word, "--name", name]);
    assert.equal(exitCode, 0, stderr);
  }
  await eventually(async () => (await scope.lab(["check", "--name", name])).exitCode === 0);
});

test("nodes and pods come to a running cluster and go, and peers follow", { skip }, async (t) => {
  const scope = await labScope(t, { program });
  const name = await up(scope, "mesh-sockets");
  const inLab = ["--name", name];
  const added = await scope.lab(["node", "add", "kw03", ...inLab]);
  assert.equal(added.stdout, "node kw03 is up at 192.168.80.126\n", added.stderr);
  const pods = Array.from({ length: 30 }, (_, index) => `pod-${index}`);
  const made = await Promise.all(pods.map((pod) => scope.lab(["pod", "add", "kw03", pod, ...inLab])));
  assert.deepEqual(
    made.filter((outcome) => outcome.exitCode !== 0),
    [],
  );
  const addresses = scope
    .directory(name)
    .pods()
    .flatMap((pod) => pod.addresses);
  assert.equal(new Set(addresses).size, 33);
  const gone = await Promise.all(pods.slice(1).map((pod) => scope.lab(["pod", "del", pod, ...inLab])));
  assert.deepEqual(
    gone.filter((outcome) => outcome.exitCode !== 0),
    [],
  );
  const checked = await scope.lab(["check", ...inLab]);
  assert.equal(checked.exitCode, 0, checked.stdout);
  const removed = await scope.lab(["node", "del", "kw03", ...inLab]);
  assert.equal(removed.exitCode, 0, removed.stderr);
  await eventually(async () => (await scope.lab(["check", ...inLab])).exitCode === 0);
  assert.doesNotMatch(await ip(name, "km01", "route"), /192\.168\.80\.126/);
});

test("a cluster runs on an etcd elsewhere", { skip: skip || requireTool("etcd", "etcdctl") }, async (t) => {
  const [scope, etcd] = [await labScope(t, { program }), await startEtcd(Testbed.create(t))];
  const name = scope.newName();
  const store = etcd.endpoint.replace("http:", "etcd:");
  const { exitCode, stderr } = await scope.lab(["up", "mesh-sockets", "--name", name, "--store", store]);
  assert.equal(exitCode, 0, stderr);
  const keys = (
    await etcd.etcdctl("get", "--prefix", "--keys-only", "/calico/resources/v3/projectcalico.org/nodes/")
  ).stdout;
  assert.deepEqual(
    keys
      .trim()
      .split(/\n+/)
      .map((key) => key.split("/").at(-1)),
    ["km01", "kw01", "kw02"],
  );
  assert.match((await scope.lab(["down", "--name", name])).stderr, /its data stays in etcd at 127\.0\.0\.1:/);
});
