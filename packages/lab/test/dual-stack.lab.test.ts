/**
 * Aim: clusters of both families and of IPv6 alone are what a Calico cluster is with IPv4: sessions, blocks, routes, pods, and
 * nodes that come later; what decides about families is what Calico decides by.
 * Method: `caracal lab up` with the real daemons; the topologies' own checks, and what `ip` and `birdcl` show.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, requireRoot, requireTool, run } from "@caracal/testbed";
import { checkLab, openLab, placeOf } from "../src/index.ts";
import { labContext, labScope, type LabScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ping");
const program = [`${REPOSITORY}caracal`];

async function up(scope: LabScope, topology: string): Promise<string> {
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", topology, "--name", name]);
  assert.equal(exitCode, 0, stderr);
  return name;
}

/** Runs a command in a node or pod and gives what it prints. */
async function inside(name: string, place: string, argv: readonly string[]): Promise<string> {
  const { namespace, env } = placeOf(openLab(name, labContext()), place, labContext());
  const texts = Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
  const variables: Record<string, string> = Object.fromEntries(texts);
  return (await run(["nsenter", `--net=${namespace}`, ...argv], { env: variables })).stdout;
}

async function asExpected(scope: LabScope, name: string): Promise<void> {
  const { exitCode, stdout } = await scope.lab(["check", "--name", name]);
  assert.equal(exitCode, 0, stdout);
}

test(
  "dual-stack: a session, a block and an address for each family, on a new node too",
  { skip },
  async (t) => {
    const scope = await labScope(t, { program });
    const name = await up(scope, "dual-stack");
    await asExpected(scope, name);
    const added = await scope.lab(["node", "add", "late", "--name", name]);
    assert.equal(added.stdout, "node late is up at 172.18.0.5 fc00:f853:ccd:e793::5\n", added.stderr);
    const pod = await scope.lab(["pod", "add", "late", "late-pod", "--name", name]);
    assert.match(pod.stdout, /^pod late-pod is on late with 10\.244\.[0-9.]+ fd00:10:244:[0-9a-f:]+\n$/);
    const open = openLab(name, labContext());
    await eventually(
      async () => {
        const { pings, findings } = await checkLab(open, labContext());
        assert.equal(pings.length, 7 * 6 * 2);
        const unanswered = pings.filter(({ found }) => found !== "reachable");
        assert.deepEqual(unanswered, []);
        // The file's table of sessions does not know the new node.
        const differing = findings.filter(({ ok, kind }) => !ok && kind !== "output");
        assert.deepEqual(differing, []);
        return true;
      },
      { deadlineMs: 30_000 },
    );
    // In a pod both families leave by an address that nobody but the host's end answers for.
    const routes = await inside(name, "late-pod", ["ip", "route"]);
    assert.match(routes, /^default via 169\.254\.1\.1 dev eth0 *$/m);
    const routes6 = await inside(name, "late-pod", ["ip", "-6", "route"]);
    assert.match(routes6, /^default via fe80::ecee:eeff:feee:eeee dev eth0 /m);
    assert.doesNotMatch(await inside(name, "late-pod", ["ip", "-6", "address"]), /tentative/);
    const birds = await inside(name, "late", ["birdcl", "-6", "show", "route", "protocol", "static1"]);
    assert.match(birds, /^fd00:10:244:[0-9a-f:]+\/122 +blackhole \[static1 /m);
  },
);

test(
  "a node with another MTU than the rest is named from anywhere, until it has theirs",
  { skip },
  async (t) => {
    const scope = await labScope(t, { program });
    const name = await up(scope, "dual-stack");
    const difference =
      /^Node\(calico-bgp-fullmesh-worker2\) has an MTU of 1400 for pods .* 2 node\(s\) have 1500: /m;
    const status = (): Promise<string> =>
      inside(name, "worker", ["sh", "-c", "calicoctl node status --all 2>&1 >/dev/null"]);
    assert.equal(await status(), "");
    await inside(name, "worker2", ["ip", "link", "set", "eth0", "mtu", "1400"]);
    await eventually(async () => difference.test(await status()), { deadlineMs: 30_000 });
    const added = await scope.lab(["pod", "add", "worker2", "small", "--name", name]);
    assert.equal(added.exitCode, 0, added.stderr);
    assert.match(await inside(name, "small", ["ip", "link", "show", "eth0"]), / mtu 1400 /);
    await inside(name, "worker2", ["ip", "link", "set", "eth0", "mtu", "1500"]);
    await eventually(async () => (await status()) === "", { deadlineMs: 30_000 });
  },
);

test("ipv6-only: a cluster that has no IPv4 address at all", { skip }, async (t) => {
  const scope = await labScope(t, { program });
  const name = await up(scope, "ipv6-only");
  await asExpected(scope, name);
  for (const place of ["worker", "app-worker"])
    assert.doesNotMatch(await inside(name, place, ["ip", "-4", "address", "show", "dev", "eth0"]), /inet/);
  assert.match(await inside(name, "worker", ["birdcl", "-6", "show", "status"]), /^Router ID is [0-9.]+$/m);
});
