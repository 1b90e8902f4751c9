/**
 * Aim: clusters of both families and of IPv6 alone are what a Calico cluster is with IPv4: sessions, blocks, routes, pods, and
 * nodes that come later; what decides about families is what Calico decides by.
 * Method: `caracal lab up` with the real daemons; the topologies' own checks, and what `ip` and `birdcl` show.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, requireRoot, requireTool, run } from "@caracal/testbed";
import { checkLab, openLab, placeOf } from "../src/index.ts";
import { ContinuousPing } from "./continuous-ping.ts";
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

test(
  "what is taken from a node stops what needs it and nothing else, is told, and comes back with it",
  { skip },
  async (t) => {
    const scope = await labScope(t, { program });
    const name = await up(scope, "dual-stack");
    const lab = scope.directory(name);
    const [address = "", address6 = ""] =
      lab.pods().find((pod) => pod.name === "app-worker2")?.addresses ?? [];
    const pings = [address, address6].map((to) => new ContinuousPing(lab, "app-worker", to));
    t.after(() => Promise.all(pings.map((one) => one.stop())));
    const [ping4, ping6] = pings;
    assert.ok(ping4 !== undefined && ping6 !== undefined);
    const answers = (ping: ContinuousPing): Promise<unknown> => {
      const before = ping.answeredCount;
      return eventually(() => ping.answeredCount > before + 5, { deadlineMs: 20_000 });
    };
    const worker = (...argv: readonly string[]): Promise<string> => inside(name, "worker", argv);
    const problem = (text: string): Promise<unknown> =>
      eventually(async () => (await scope.lab(["status", "--name", name])).stdout.includes(text));
    await Promise.all(pings.map(answers));

    await worker("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0");
    await Promise.all(pings.map(answers));
    await worker("ip", "address", "del", "172.18.0.3/16", "dev", "eth0");
    await problem("has the address 172.18.0.3, which is on none of its interfaces");
    await worker("ip", "address", "add", "172.18.0.3/16", "dev", "eth0");
    await answers(ping4);
    assert.deepEqual((await ping6.stop()).lost.length < 100, true, "only what the forwarding took");
    await worker("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1");
    await problem("has the address fc00:f853:ccd:e793::3, which is on none");
    await answers(ping4);
    await worker("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=0");
    await worker("ip", "address", "add", "fc00:f853:ccd:e793::3/64", "dev", "eth0", "nodad");
    const again = new ContinuousPing(lab, "app-worker", address6);
    t.after(() => again.stop());
    await answers(again);
    await worker("ip", "link", "set", "eth0", "name", "uplink0");
    await Promise.all([answers(ping4), answers(again)]);
    assert.match(await worker("ip", "route"), /via 172\.18\.0\.2 dev uplink0 proto bird/);
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
