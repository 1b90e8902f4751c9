/**
 * Aim: every built-in topology shows what its file says must be seen, whatever its switches run, and a difference is told.
 * Method: `caracal lab up` and `caracal lab check` with the real programs; for differences, a route too many on a leaf.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { eventually, frrBgpd, requireRoot, requireTool, run, Testbed } from "@caracal/testbed";
import { checkLab, findTopology, openLab } from "../src/index.ts";
import { isRunning } from "../src/process-identity.ts";
import { labContext, labScope, type LabScope, REPOSITORY, traces } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ss", "ping", "nft");
const frr = skip || requireTool(frrBgpd, "vtysh");
const bird = skip || requireTool("bird", "birdc");
const program = [`${REPOSITORY}caracal`];

interface Cluster {
  readonly scope: LabScope;
  readonly name: string;
  /** `caracal lab check`. */
  readonly check: () => Promise<{ readonly exitCode: number; readonly stdout: string }>;
  /** `caracal lab exec`, by a shell, its output read by way of a file. */
  readonly exec: (place: string, command: string) => Promise<string>;
}

async function up(t: TestContext, topology: string, ...options: readonly string[]): Promise<Cluster> {
  const scope = await labScope(t, { program });
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", topology, "--name", name, ...options]);
  assert.equal(exitCode, 0, stderr);
  const file = join(Testbed.create(t).directory("exec"), "out");
  return {
    scope,
    name,
    check: () => scope.lab(["check", "--name", name]),
    exec: async (place, command) => {
      const words = ["exec", "--name", name, place, "--", "sh", "-c", `${command} > ${file}`];
      const outcome = await scope.lab(words);
      assert.equal(outcome.exitCode, 0, `${command}: ${outcome.stderr}`);
      return (await run(["cat", file])).stdout;
    },
  };
}

async function asExpected({ check }: Cluster): Promise<void> {
  const { exitCode, stdout } = await check();
  assert.equal(exitCode, 0, stdout);
  assert.match(stdout, /\nall as expected\n$/);
}

describe("topologies", { concurrency: 2 }, () => {
  for (const topology of ["mesh-off", "route-reflector", "reflector-by-ip", "nat"]) {
    test(`${topology} is as its file says`, { skip }, async (t) => asExpected(await up(t, topology)));
  }

  test("two reflectors by their addresses do what those by a selector do", { skip }, async (t) => {
    const file = join(Testbed.create(t).directory("by-ip"), "by-ip.yaml");
    const { text } = findTopology("route-reflector").source;
    const peers = ["192.168.49.4", "192.168.49.5"].map(
      (peerIP, index) => `  - apiVersion: projectcalico.org/v3
    kind: BGPPeer
    metadata: { name: rr-${index} }
    spec: { peerIP: ${peerIP}, asNumber: 63400 }
`,
    );
    const bySelector = text.lastIndexOf("  - apiVersion:");
    writeFileSync(file, `${text.slice(0, bySelector)}${peers.join("")}`);
    const cluster = await up(t, file);
    await asExpected(cluster);
    const status = await cluster.exec("minikube-m02", "calicoctl node status");
    assert.equal(
      status.match(/192\.168\.49\.[45] \| global +\| up +\| [0-9:]+ +\| Established/g)?.length,
      2,
      status,
    );
  });

  test("leaf-spine: what its file forbids is told once it happens", { skip: frr }, async (t) => {
    const cluster = await up(t, "leaf-spine");
    await asExpected(cluster);
    const { name, scope } = cluster;
    // With routes for both directions on the fabric, worker1 and worker3 reach each other.
    const lab = scope.directory(name);
    const address = (pod: string): string => lab.pods().find((one) => one.name === pod)?.addresses[0] ?? "";
    const [here, there] = [address("testapp-worker1"), address("testapp-worker3")];
    for (const [place, destination, gateway] of [
      ["leaf01", here, "10.0.0.21"],
      ["spine", here, "10.1.1.1"],
      ["leaf02", here, "10.1.2.2"],
      ["leaf01", there, "10.1.1.2"],
      ["spine", there, "10.1.2.1"],
      ["leaf02", there, "30.0.0.23"],
    ] as const) {
      await run(["ip", "-n", `${name}-${place}`, "route", "add", destination, "via", gateway]);
    }
    const { exitCode, stdout } = await cluster.check();
    assert.equal(exitCode, 1);
    const lines = stdout.split("\n");
    for (const line of [
      `testapp-worker1: expected testapp-worker3 (${there}) unreachable; found it reachable`,
      `worker1.k8s.com: expected no way to testapp-worker3 (${there} on worker3.k8s.com), packets ending at leaf01; found worker1.k8s.com → leaf01 → spine → leaf02 → worker3.k8s.com`,
      `spine: expected no 10.244.0.0/16; found ${[here, there]
        .toSorted()
        .map((one) =>
          one === here
            ? `${one}/32 via 10.1.1.1 dev swp1 proto boot`
            : `${one}/32 via 10.1.2.1 dev swp2 proto boot`,
        )
        .join(", ")}`,
    ]) {
      assert.ok(lines.includes(line), `${line}\nis not in\n${stdout}`);
    }
    assert.match(stdout, /[0-9]+ of [0-9]+ expectations differ\n$/);
  });

  test("as-per-rack on FRR: vtysh finds the switch's own bgpd", { skip: frr }, async (t) => {
    const cluster = await up(t, "as-per-rack");
    await asExpected(cluster);
    const summary = await cluster.exec("leaf01", "vtysh -c 'show bgp summary'");
    assert.match(summary, /local AS number 65001/);
    assert.match(summary, /^10\.0\.0\.21 +4 +65001 .* worker1\.k8s\.com\s*$/m);
    const status = (await cluster.scope.lab(["status", "--name", cluster.name])).stdout;
    assert.match(status, /leaf01 +AS 65001 +10\.0\.0\.254 10\.1\.1\.1 +zebra running, bgpd running +4\/4 +/);
    const lab = cluster.scope.directory(cluster.name);
    assert.equal((await cluster.scope.lab(["down", "--name", cluster.name])).exitCode, 0);
    assert.deepEqual(traces(lab), []);
  });

  test(
    "from an AS per rack to an AS per server, live, with Cumulus's own words",
    { skip: frr },
    async (t) => {
      const cluster = await up(t, "as-per-rack");
      const { scope, name } = cluster;
      const target = findTopology("as-per-server");
      const file = join(Testbed.create(t).directory("resources"), "servers.json");
      writeFileSync(file, JSON.stringify(target.resources.map(({ value }) => value)));
      await cluster.exec("master1", `calicoctl apply -f ${file}`);
      for (const leaf of ["leaf01", "leaf02"]) {
        assert.match(
          await cluster.exec(leaf, "net show configuration bgp"),
          /^ neighbor servers remote-as internal$/m,
        );
        await cluster.exec(leaf, "net add bgp neighbor servers remote-as external");
        await cluster.exec(leaf, "net del bgp neighbor servers remote-as internal");
        await cluster.exec(leaf, "net commit");
      }
      const open = openLab(name, labContext());
      await eventually(
        async () => {
          const { differences } = await checkLab({ ...open, topology: target }, labContext());
          assert.deepEqual(differences, []);
          return true;
        },
        { what: "an AS per server" },
      );
      assert.match(await cluster.exec("leaf01", "net show bgp summary"), /^10\.0\.0\.22 +4 +65022 /m);
      // The file that the lab was made of asked for something else.
      assert.equal((await scope.lab(["check", "--name", name])).exitCode, 1);
    },
  );

  test("as-per-server on BIRD: birdc finds the switch's own BIRD", { skip: bird }, async (t) => {
    const cluster = await up(t, "as-per-server", "--switches", "bird");
    await asExpected(cluster);
    assert.match(
      await cluster.exec("leaf02", "birdc show protocols"),
      /^worker3_k8s_com +BGP .*Established/m,
    );
  });

  test("as-per-rack on Caracal: a switch started anew routes again", { skip }, async (t) => {
    const cluster = await up(t, "as-per-rack", "--switches", "caracal");
    await asExpected(cluster);
    const shown = await cluster.exec("leaf01", "caracal bgp show");
    assert.match(shown, /^master1_k8s_com +10\.0\.0\.11 +65001 +Established/m);
    assert.match(shown, / routes, 0 failed, 0 in conflict$/m);
    const { scope, name } = cluster;
    const speaker = scope.directory(name).daemon({ switch: "leaf01", program: "speaker" });
    process.kill(speaker?.pid ?? assert.fail("no such process"), "SIGKILL");
    await eventually(() => !isRunning(speaker));
    assert.match((await scope.lab(["status", "--name", name])).stdout, /leaf01 .* speaker gone +0\/4 +/);
    const checked = await cluster.check();
    assert.equal(checked.exitCode, 1);
    assert.match(checked.stdout, /^leaf01: expected an answer of its daemon; found none$/m);
    const { exitCode, stdout, stderr } = await scope.lab(["restart", "leaf01", "--name", name]);
    assert.equal(exitCode, 0, stderr);
    assert.equal(stdout, "leaf01 runs again\n");
    await eventually(async () => (await cluster.check()).exitCode === 0);
  });

  test("as-per-server on one of each, two spines and all", { skip: frr || bird }, async (t) => {
    const file = join(Testbed.create(t).directory("mixed"), "mixed.yaml");
    const { text } = findTopology("as-per-server").source;
    const mixed = text
      .replace(
        "{ name: leaf01, asNumber: 65001, daemon: frr",
        "{ name: spine2, asNumber: 65000, daemon: bird}\n  - { name: leaf01, asNumber: 65001, daemon: bird",
      )
      .replace(
        "{ name: leaf02, asNumber: 65002, daemon: frr",
        "{ name: leaf02, asNumber: 65002, daemon: caracal",
      )
      .replace(
        "nodes:",
        "  - {switches: [leaf01, spine2], subnet: 10.1.3.0/30}\n  - {switches: [leaf02, spine2], subnet: 10.1.4.0/30}\n\nnodes:",
      );
    writeFileSync(file, mixed.slice(0, mixed.indexOf("\nchecks:")));
    await asExpected(await up(t, file));
  });
});
