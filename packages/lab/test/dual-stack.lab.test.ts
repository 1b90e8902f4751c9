/**
 * Aim: clusters of both families and of IPv6 alone are what a Calico cluster is with IPv4: sessions, blocks, routes, pods, and
 * nodes that come later; what decides about families is what Calico decides by.
 * Method: `caracal lab up` with the real daemons; the topologies' own checks, and what `ip` and `birdcl` show.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  birdPrograms,
  eventually,
  frrBgpd,
  requireBird1,
  requireRoot,
  requireTool,
  run,
  Testbed,
} from "@caracal/testbed";
import { checkLab, findTopology, type LabContext, openLab, placeOf } from "../src/index.ts";
import { ContinuousPing } from "./continuous-ping.ts";
import { labContext, labScope, type LabScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ping");
const program = [`${REPOSITORY}caracal`];

/** Brings up a built-in topology, or a file. */
async function up(scope: LabScope, topology: string, changes: Partial<LabContext> = {}): Promise<string> {
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", topology, "--name", name], changes);
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
    await eventually(async () => {
      const { pings, findings } = await checkLab(open, labContext());
      assert.equal(pings.length, 7 * 6 * 2);
      const unanswered = pings.filter(({ found }) => found !== "reachable");
      assert.deepEqual(unanswered, []);
      // The file's table of sessions does not know the new node.
      const differing = findings.filter(({ ok, kind }) => !ok && kind !== "output");
      assert.deepEqual(differing, []);
      return true;
    });
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
    await eventually(async () => difference.test(await status()));
    const added = await scope.lab(["pod", "add", "worker2", "small", "--name", name]);
    assert.equal(added.exitCode, 0, added.stderr);
    assert.match(await inside(name, "small", ["ip", "link", "show", "eth0"]), / mtu 1400 /);
    await inside(name, "worker2", ["ip", "link", "set", "eth0", "mtu", "1500"]);
    await eventually(async () => (await status()) === "");
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
      return eventually(() => ping.answeredCount > before + 5);
    };
    const worker = (...argv: readonly string[]): Promise<string> => inside(name, "worker", argv);
    const problem = (text: string): Promise<unknown> =>
      eventually(async () => (await scope.lab(["status", "--name", name])).stdout.includes(text));
    await Promise.all(pings.map(answers));

    await worker("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0");
    await Promise.all(pings.map(answers));
    const forwarded6 = ping6.newest;
    await worker("ip", "address", "del", "172.18.0.3/16", "dev", "eth0");
    await problem("has the address 172.18.0.3, which is on none of its interfaces");
    await worker("ip", "address", "add", "172.18.0.3/16", "dev", "eth0");
    await answers(ping4);
    const { lost } = await ping6.stop();
    assert.deepEqual(
      lost.filter((sequence) => sequence > forwarded6),
      [],
      "only what the forwarding took",
    );
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

test(
  "a stock BIRD in the middle of a cluster of both families",
  { skip: skip || requireBird1() },
  async (t) => {
    const scope = await labScope(t, { program });
    const file = join(Testbed.create(t).directory("mixed"), "mixed.yaml");
    const { text } = findTopology("dual-stack").source;
    const last = "  - name: calico-bgp-fullmesh-worker2\n";
    assert.ok(text.includes(last));
    writeFileSync(file, text.replace(last, `${last}    backend: bird\n`));
    const [bird, bird6] = (["1.6", "1.6 for IPv6"] as const).map((edition) => birdPrograms(edition).daemon);
    const env = { ...process.env, CARACAL_BIRD: bird, CARACAL_BIRD6: bird6 };
    const name = await up(scope, file, { env });
    await asExpected(scope, name);
    assert.match(
      await inside(name, "worker2", ["ip", "-6", "route"]),
      /via fc00:f853:ccd:e793::3 dev eth0 proto bird /,
    );
  },
);

const overIpv6 = `
resources:
  - apiVersion: projectcalico.org/v3
    kind: BGPConfiguration
    metadata: { name: default }
    spec: { nodeToNodeMeshEnabled: false }
  - apiVersion: projectcalico.org/v3
    kind: BGPPeer
    metadata: { name: both, annotations: { caracal/ipv4-over-ipv6: "true" } }
    spec: { nodeSelector: all(), peerSelector: all() }
  - apiVersion: projectcalico.org/v3
    kind: IPPool
    metadata: { name: v4 }
    spec: { cidr: 10.244.0.0/16, nodeSelector: all() }
  - apiVersion: projectcalico.org/v3
    kind: IPPool
    metadata: { name: v6 }
    spec: { cidr: "fd00:10:244::/56", nodeSelector: all() }
`;

test("IPv4 pods reach each other across nodes that have IPv6 alone", { skip }, async (t) => {
  const scope = await labScope(t, { program });
  const file = join(Testbed.create(t).directory("over"), "over.yaml");
  const { text } = findTopology("ipv6-only").source;
  writeFileSync(file, `${text.slice(0, text.indexOf("\nchecks:"))}${overIpv6}`);
  const name = await up(scope, file);
  const families = ["--annotation", 'cni.projectcalico.org/ipFamilies=["IPv4","IPv6"]'];
  for (const node of ["worker", "worker2"]) {
    const added = await scope.lab(["pod", "add", node, `both-${node}`, "--name", name, ...families]);
    assert.equal(added.exitCode, 0, added.stderr);
    // Proxy ARP answers for what the host has a route to, and these hosts have no IPv4 route of their own.
    await inside(name, node, ["ip", "route", "add", "169.254.1.1", "dev", "eth0"]);
  }
  const block = /^10\.244\.[0-9.]+\/26 via inet6 fc00:f853:ccd:e793::2 dev eth0 proto bird/m;
  await eventually(async () => block.test(await inside(name, "worker", ["ip", "route"])));
  const lab = scope.directory(name);
  const there = lab.pods().find((pod) => pod.name === "both-worker2")?.addresses ?? [];
  assert.equal(there.length, 2);
  for (const address of there)
    await inside(name, "both-worker", ["ping", "-n", "-q", "-c", "2", "-W", "2", address]);
  const shown = await inside(name, "worker", ["birdcl", "show", "route"]);
  assert.match(shown, /via fc00:f853:ccd:e793::2 on eth0 \[Node_fc00_f853_ccd_e793__2 /);
  const why = await inside(name, "worker", [
    "caracal",
    "explain",
    "route",
    there.find((one) => one.includes(".")) ?? "",
  ]);
  assert.match(why, /fc00:f853:ccd:e793::2/);
});

test(
  "ipv6-only without a router ID: no node is ready, and each says what is missing",
  { skip },
  async (t) => {
    const scope = await labScope(t, { program });
    const file = join(Testbed.create(t).directory("no-id"), "no-id.yaml");
    const { text } = findTopology("ipv6-only").source;
    const one = text
      .slice(0, text.indexOf("  - name: calico-bgp-fullmesh-worker\n"))
      .replace("nodes:", 'environment: { CALICO_ROUTER_ID: "" }\nnodes:');
    writeFileSync(file, one);
    const name = scope.newName();
    // Alone it has nobody to speak to, so the lab is up all the same.
    const { exitCode, stderr } = await scope.lab(["up", file, "--name", name]);
    assert.equal(exitCode, 0, stderr);
    const { stdout } = await scope.lab(["status", "--name", name]);
    assert.match(stdout, /control-plane +fc00:f853:ccd:e793::4 +running \([0-9]+\) +no /);
    assert.match(
      stdout,
      /has no IPv4 address to take a router ID from: set CALICO_ROUTER_ID to hash or to an address/,
    );
  },
);

for (const [daemon, tools] of [
  ["caracal", ["ip"]],
  ["bird", ["bird", "birdc"]],
  ["frr", [frrBgpd, "vtysh"]],
] as const) {
  test(
    `dual-stack-racks on ${daemon}: VXLAN between racks in both families`,
    { skip: skip || requireTool(...tools) },
    async (t) => {
      const scope = await labScope(t, { program });
      const name = scope.newName();
      const { exitCode, stderr } = await scope.lab([
        "up",
        "dual-stack-racks",
        "--name",
        name,
        "--switches",
        daemon,
      ]);
      assert.equal(exitCode, 0, stderr);
      await asExpected(scope, name);
    },
  );
}

test("nodes and their racks' switches speak in both families", { skip }, async (t) => {
  const scope = await labScope(t, { program });
  const file = join(Testbed.create(t).directory("racks"), "racks.yaml");
  const { text } = findTopology("dual-stack-racks").source;
  const peer = (name: string, rack: string, peerIP: string, asNumber: number): string =>
    `  - { apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: { name: ${name} }, spec: { nodeSelector: "rack == '${rack}'", peerIP: "${peerIP}", asNumber: ${asNumber} } }\n`;
  const labelled = (name: string, rack: string, asNumber: number): string =>
    `  - { apiVersion: projectcalico.org/v3, kind: Node, metadata: { name: ${name}, labels: { rack: ${rack} } }, spec: { bgp: { asNumber: ${asNumber} } } }\n`;
  const resources = `resources:
  - { apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: { name: default }, spec: { nodeToNodeMeshEnabled: false } }
${labelled("worker1.k8s.com", "rack1", 65001)}${labelled("worker2.k8s.com", "rack1", 65001)}${labelled("worker3.k8s.com", "rack2", 65002)}${peer("leaf01", "rack1", "10.0.0.254", 65001)}${peer("leaf01-v6", "rack1", "fd00:10::254", 65001)}${peer("leaf02", "rack2", "30.0.0.254", 65002)}${peer("leaf02-v6", "rack2", "fd00:30::254", 65002)}`;
  const routed = text
    .slice(0, text.indexOf("\nchecks:"))
    .replace("backend: vxlan\n", "")
    .replaceAll("  vxlan: CrossSubnet\n", "")
    .replaceAll("}\n  - { name: leaf02", ", servers: internal }\n  - { name: leaf02")
    .replace("asNumber: 65002 }", "asNumber: 65002, servers: internal }");
  writeFileSync(file, `${routed}\n${resources}`);
  const name = await up(scope, file);
  await asExpected(scope, name);
  const status = await inside(name, "worker1.k8s.com", ["calicoctl", "node", "status"]);
  assert.match(status, /\| fd00:10::254 \| node specific \| up /);
  const routes = await inside(name, "worker1.k8s.com", ["ip", "-6", "route"]);
  assert.match(routes, /^fd00:10:244:[0-9a-f:]+\/122 via fd00:10::254 dev eth0 proto bird /m);
});
