/**
 * Aim: pods reach each other through VXLAN as the topologies say, and go on doing so whatever is done to the tunnels. Method:
 * the built-in topologies with their captures; then one lab in which devices, addresses, entries, routes and settings are
 * altered one after another, with pings running that the alteration does not concern.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { controlRequest } from "@caracal/control";
import {
  birdPrograms,
  eventually,
  requireBird1,
  requireRoot,
  requireTool,
  run,
  Testbed,
} from "@caracal/testbed";
import { ContinuousPing } from "./continuous-ping.ts";
import { findTopology, type LabContext, type LabDirectory } from "../src/index.ts";
import { labScope, type LabScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "bridge", "ping", "tcpdump");
const program = [`${REPOSITORY}caracal`];

interface Cluster {
  readonly scope: LabScope;
  readonly name: string;
}

const stockBird = {
  CARACAL_BIRD: birdPrograms("1.6").daemon,
  CARACAL_BIRD6: birdPrograms("1.6 for IPv6").daemon,
};

async function up(t: TestContext, topology: string, changes: Partial<LabContext> = {}): Promise<Cluster> {
  const scope = await labScope(t, { program, ...changes });
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", topology, "--name", name, "--switches", "caracal"]);
  assert.equal(exitCode, 0, stderr);
  return { scope, name };
}

async function asExpected({ scope, name }: Cluster): Promise<void> {
  const { exitCode, stdout } = await scope.lab(["check", "--name", name]);
  assert.equal(exitCode, 0, stdout);
  assert.match(stdout, /\nall as expected\n$/);
}

/** A command of iproute2 in a node's namespace. */
async function on({ name }: Cluster, node: string, ...words: readonly string[]): Promise<string> {
  return (await run(["ip", "netns", "exec", `${name}-${node}.k8s.com`, ...words])).stdout;
}

async function onStore({ scope, name }: Cluster, ...words: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await scope.lab(["exec", "--name", name, "master1", "--", ...words]);
  assert.equal(exitCode, 0, `${words.join(" ")}: ${stderr}`);
}

/** What of a node's tunnel must come back, without what differs from run to run. */
async function tunnelOf(cluster: Cluster, node: string): Promise<string> {
  const shown = await Promise.all([
    on(cluster, node, "ip", "-d", "link", "show", "vxlan.calico").catch(() => "no device\n"),
    on(cluster, node, "ip", "-4", "address", "show", "vxlan.calico").catch(() => "no device\n"),
    on(cluster, node, "ip", "neighbour", "show", "dev", "vxlan.calico").catch(() => ""),
    on(cluster, node, "bridge", "fdb", "show", "dev", "vxlan.calico").catch(() => ""),
    on(cluster, node, "ip", "route", "show", "proto", "80"),
    on(cluster, node, "ip", "route", "show", "dev", "vxlan.calico").catch(() => ""),
  ]);
  return shown
    .map((text) =>
      text
        .replaceAll(/^[0-9]+: /gm, "")
        .split("\n")
        .toSorted()
        .join("\n"),
    )
    .join("\n");
}

function logOf(lab: LabDirectory, node: string): string {
  return readFileSync(lab.logFile({ node }), "utf8");
}

/** Does something while worker1's daemon cannot: it would be quicker. */
async function whileHeld(lab: LabDirectory, work: () => Promise<void>): Promise<void> {
  const pid = lab.daemon({ node: "worker1.k8s.com" })?.pid ?? assert.fail("no daemon");
  process.kill(pid, "SIGSTOP");
  try {
    await work();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

function statusCommand(lab: LabDirectory): string {
  return `CARACAL_RUN_DIR=${lab.runDirectory("worker1.k8s.com")} ${REPOSITORY}bin/calicoctl node status`;
}

/** What passes between two nodes of the clusters of both families. */
function familyCaptures(family: string): string {
  const [from, to] =
    family === "IPv4" ? ["172.18.0.3", "172.18.0.2"] : ["fc00:f853:ccd:e793::3", "fc00:f853:ccd:e793::2"];
  const device = family === "IPv4" ? "vxlan.calico" : "vxlan-v6.calico";
  return `    - from: app-worker
      to: app-worker2
      family: ${family}
      seen:
        - app-worker eth0 plain
        - calico-bgp-fullmesh-worker ${device} plain
        - calico-bgp-fullmesh-worker eth0 vxlan 4096 ${from} > ${to}
        - calico-bgp-fullmesh-worker2 eth0 vxlan 4096 ${from} > ${to}
        - calico-bgp-fullmesh-worker2 ${device} plain
`;
}

/** Half the time between two looks that nothing calls for: what is mended by then was noticed. */
const mendedMs = 45_000;

/** What others may do to a tunnel, as commands on worker1. */
const deeds: readonly (readonly string[])[] = [
  ["ip link delete vxlan.calico"],
  ["ip link set vxlan.calico down"],
  ["ip link set vxlan.calico down", "ip link set vxlan.calico name stray0"],
  ["ip link set vxlan.calico mtu 1200"],
  ["ip address flush dev vxlan.calico"],
  ["ip address add 192.0.2.1/24 dev vxlan.calico"],
  ["ip link delete vxlan.calico", "ip link add vxlan.calico type bridge", "ip link set vxlan.calico up"],
  ["ip link delete vxlan.calico", "ip link add vxlan.calico type vxlan id 7 dstport 8472 dev eth0"],
  ["ip neighbour flush dev vxlan.calico nud permanent"],
  ["ip neighbour replace GATEWAY lladdr 02:00:00:00:00:66 dev vxlan.calico nud permanent"],
  ["bridge fdb delete 66:0a:4a:c5:63:05 dev vxlan.calico"],
  ["bridge fdb replace 66:0a:4a:c5:63:05 dev vxlan.calico dst 10.0.0.99 self permanent"],
  ["bridge fdb append 00:00:00:00:00:00 dev vxlan.calico dst 10.0.0.99 self permanent"],
  ["ip route flush proto 80"],
  ["ip route flush dev vxlan.calico"],
  ["ip route replace 10.244.0.0/24 via 10.0.0.22 dev eth0 proto 80"],
  ["ip link set vxlan.calico type vxlan id 4096 ttl 1"],
  ["ip link set vxlan.calico type vxlan id 4096 dev eth0 learning"],
  ["ip link add br9 type bridge", "ip link set vxlan.calico master br9"],
  ["sysctl -q -w net.ipv4.conf.vxlan/calico.forwarding=0 net.ipv4.conf.eth0.forwarding=0"],
  ["sysctl -q -w net.ipv4.ip_forward=0"],
];

/** Settings that must come back, each 1. */
const forwarding = [
  "net.ipv4.ip_forward",
  "net.ipv4.conf.vxlan/calico.forwarding",
  "net.ipv4.conf.eth0.forwarding",
];

describe("vxlan", { concurrency: 2 }, () => {
  for (const topology of ["vxlan-cross-subnet", "vxlan-always"]) {
    test(`${topology} is as its file says, header by header`, { skip }, async (t) =>
      asExpected(await up(t, topology)),
    );
  }

  test("both families have a tunnel each, and IPv6 alone has its own", { skip }, async (t) => {
    const directory = Testbed.create(t).directory("families");
    for (const [title, base] of [
      ["both", "dual-stack"],
      ["six", "ipv6-only"],
    ] as const) {
      const { text } = findTopology(base).source;
      const file = join(directory, `${title}.yaml`);
      const body = text.slice(0, text.indexOf("\nchecks:")).replaceAll(/^ +(?:ipip|vxlan): .*\n/gm, "");
      const pools = body.replaceAll(/^( +)cidr: .*$/gm, (line, indent) => `${line}\n${indent}vxlan: Always`);
      const families = title === "both" ? ["IPv4", "IPv6"] : ["IPv6"];
      writeFileSync(
        file,
        `${pools}\nbackend: vxlan\nchecks:\n  captures:\n${families.map(familyCaptures).join("")}`,
      );
      await asExpected(await up(t, file));
    }
  });

  for (const [backend, missing, env, blackhole] of [
    ["caracal", false, {}, "bird"],
    ["bird", requireBird1(), stockBird, "80"],
  ] as const) {
    test(
      `beside the BGP speaker ${backend} VXLAN pools are the daemon's, across a restart too`,
      { skip: skip || missing },
      async (t) => {
        const file = join(Testbed.create(t).directory(backend), "beside.yaml");
        const { text } = findTopology("vxlan-cross-subnet").source;
        writeFileSync(
          file,
          text.slice(0, text.indexOf("\nchecks:")).replace("backend: vxlan", `backend: ${backend}`),
        );
        const cluster = await up(t, file, { env: { ...process.env, ...env } });
        const { scope, name } = cluster;
        const lab = scope.directory(name);
        const [to = ""] = lab.pods().find((pod) => pod.name === "testapp-worker3")?.addresses ?? [];
        const before = await on(cluster, "worker1", "ip", "route");
        assert.match(before, new RegExp(`^blackhole 10\\.244\\.[0-9]+\\.0/24 proto ${blackhole} *$`, "m"));
        assert.equal(before.match(/ dev eth0 proto 80 onlink/g)?.length, 2, before);
        assert.equal(before.match(/ dev vxlan\.calico onlink/g)?.length, 1, before);
        const ping = new ContinuousPing(lab, "testapp-worker1", to);
        try {
          const { exitCode, stderr } = await scope.lab(["restart", "worker1", "--name", name]);
          assert.equal(exitCode, 0, stderr);
          await eventually(async () => (await scope.lab(["check", "--name", name])).exitCode === 0);
        } finally {
          const { sent, lost } = await ping.stop();
          assert.ok(sent > 20);
          assert.deepEqual(lost, []);
        }
        assert.equal(await on(cluster, "worker1", "ip", "route"), before);
      },
    );
  }

  test("whatever is done to one tunnel is mended, and others do not notice", { skip }, async (t) => {
    const cluster = await up(t, "vxlan-cross-subnet");
    const lab = cluster.scope.directory(cluster.name);
    const addressOf = (pod: string): string => lab.pods().find((one) => one.name === pod)?.addresses[0] ?? "";
    const before = await tunnelOf(cluster, "worker1");
    const gateway = /^(\S+) .*66:0a:4a:c5:63:05/m.exec(
      await on(cluster, "worker1", "ip", "neighbour", "show", "dev", "vxlan.calico"),
    )?.[1];
    assert.ok(gateway !== undefined);
    const bystanders = [
      new ContinuousPing(lab, "testapp-worker2", addressOf("testapp-worker3")),
      new ContinuousPing(lab, "testapp-master1", addressOf("testapp-worker2")),
    ];
    try {
      for (const deed of deeds) {
        await whileHeld(lab, async () => {
          for (const line of deed)
            await on(cluster, "worker1", ...line.replace("GATEWAY", gateway).split(" "));
        });
        const isMended = async (): Promise<boolean> =>
          (await tunnelOf(cluster, "worker1")) === before &&
          (await on(cluster, "worker1", "sysctl", "-n", ...forwarding)) === "1\n1\n1\n";
        await eventually(isMended, { deadlineMs: mendedMs, what: `${deed.join("; ")} to be mended` });
        const ping = new ContinuousPing(lab, "testapp-worker1", addressOf("testapp-worker3"));
        await eventually(() => ping.answeredCount > 3, { what: `an answer after ${deed.join("; ")}` });
        await ping.stop();
      }
    } finally {
      for (const bystander of bystanders) {
        const { sent, lost } = await bystander.stop();
        assert.ok(sent > 20, bystander.title);
        assert.deepEqual(lost, [], bystander.title);
      }
    }
    await asExpected(cluster);
  });

  test("settings and nodes that change move the tunnels", { skip }, async (t) => {
    const cluster = await up(t, "vxlan-cross-subnet");
    const { scope, name } = cluster;
    const lab = scope.directory(name);
    const [from, to] = ["testapp-worker1", "testapp-worker3"].map((pod) =>
      lab.pods().find((one) => one.name === pod),
    );
    const answers = async (what: string): Promise<void> => {
      const ping = new ContinuousPing(lab, from?.name ?? "", to?.addresses[0] ?? "");
      await eventually(() => ping.answeredCount > 3, { what });
      await ping.stop();
    };
    const shows = (what: string, pattern: RegExp, ...words: readonly string[]): Promise<unknown> =>
      eventually(async () => pattern.test(await on(cluster, "worker1", ...words).catch(() => "")), {
        what,
      });
    const link = ["ip", "-d", "link", "show", "vxlan.calico"];
    const patch = (kind: string, object: string, spec: object): Promise<void> =>
      onStore(cluster, "calicoctl", "patch", kind, object, "-p", JSON.stringify({ spec }));

    const felix = {
      apiVersion: "projectcalico.org/v3",
      kind: "FelixConfiguration",
      metadata: { name: "default" },
    };
    const create = `echo '${JSON.stringify({ ...felix, spec: {} })}' | calicoctl apply -f -`;
    await onStore(cluster, "sh", "-c", create);
    await patch("felixconfiguration", "default", { vxlanVNI: 77, vxlanPort: 8472 });
    await shows("another VNI and port", /vxlan id 77 .* dstport 8472 /, ...link);
    await answers("an answer with another VNI and port");

    await patch("felixconfiguration", "default", { vxlanMTU: 1300 });
    await shows("another MTU", / mtu 1300 /, ...link);

    await patch("node", "worker3.k8s.com", { vxlanTunnelMACAddr: "02:aa:00:00:00:03" });
    await shows(
      "another MAC",
      /lladdr 02:aa:00:00:00:03 PERMANENT/,
      "ip",
      "neighbour",
      "show",
      "dev",
      "vxlan.calico",
    );
    await shows(
      "its node",
      /02:aa:00:00:00:03 dst 30\.0\.0\.23/,
      "bridge",
      "fdb",
      "show",
      "dev",
      "vxlan.calico",
    );
    await answers("an answer at another MAC");

    // Without VXLAN nothing leads to the other rack, and one line says so.
    await patch("felixconfiguration", "default", { vxlanEnabled: false });
    await shows("no device", /^$/, ...link);
    const log = await eventually(
      () => /.*IPPool.*vxlanEnabled forbids.*/.exec(logOf(lab, "worker1.k8s.com"))?.[0],
      { what: "the line that says why" },
    );
    assert.match(log, /its addresses on other nodes are not reached/);
    await patch("felixconfiguration", "default", { vxlanEnabled: true });
    await answers("an answer again");

    const removed = await scope.lab(["node", "del", "worker3.k8s.com", "--name", name]);
    assert.equal(removed.exitCode, 0, removed.stderr);
    const leftOver = async (): Promise<string> => await tunnelOf(cluster, "worker1");
    await eventually(async () => !/30\.0\.0\.23|02:aa:00:00:00:03/.test(await leftOver()), {
      what: "nothing of the node that is gone",
    });
  });

  test("what stands in the way is told in one line, by readiness too", { skip }, async (t) => {
    const cluster = await up(t, "vxlan-always");
    // Another program has the identifier and port that the tunnel needs.
    const { scope, name } = cluster;
    const lab = scope.directory(name);
    await whileHeld(lab, async () => {
      await on(cluster, "worker1", "ip", "link", "delete", "vxlan.calico");
      const other = "ip link add other0 type vxlan id 4096 dstport 4789 dev eth0";
      await on(cluster, "worker1", ...other.split(" "));
    });
    const taken =
      /vxlan\.calico.*VNI 4096 on UDP port 4789 is taken by other0: remove it, or choose another vxlanVNI/;
    await eventually(() => taken.test(logOf(lab, "worker1.k8s.com")), { what: "the line in the log" });
    const isUnready = async (): Promise<boolean> => {
      const health = await controlRequest(lab.controlSocket("worker1.k8s.com"), "health", {});
      return /calico\/node is not ready: tunnels: vxlan\.calico: VNI 4096/.test(JSON.stringify(health));
    };
    await eventually(isUnready, { what: "readiness to say so" });
    const status = await on(cluster, "worker1", "sh", "-c", `${statusCommand(lab)} 2>&1 >/dev/null`);
    assert.match(status, /^vxlan\.calico: VNI 4096 on UDP port 4789 is taken by other0: .*\n$/);
    await on(cluster, "worker1", "ip", "link", "delete", "other0");
    const isBack = async (): Promise<boolean> => (await scope.lab(["check", "--name", name])).exitCode === 0;
    await eventually(isBack, { what: "the tunnel to be back" });
    // Somebody's own route to another node's pods has the place of ours.
    const shown = await on(cluster, "worker1", "ip", "route", "show", "dev", "vxlan.calico");
    const [route = ""] = shown.split(" ");
    await whileHeld(lab, async () => {
      const own = `${route} via 10.0.0.254 proto static`;
      await on(cluster, "worker1", "ip", "route", "delete", route);
      await on(cluster, "worker1", "ip", "route", "add", ...own.split(" "));
    });
    const held = `route ${route} is not as it should be .* somebody else's stands in its place \\(${route} via 10.0.0.254 dev eth0 proto static\\); remove that one`;
    await eventually(
      async () =>
        new RegExp(held).test(await on(cluster, "worker1", "sh", "-c", `${statusCommand(lab)} 2>&1`)),
      { what: "node status to tell of the route" },
    );
    await eventually(() => /a route is not in the kernel/.test(logOf(lab, "worker1.k8s.com")), {
      what: "the line in the log about the route",
    });
    await on(cluster, "worker1", "ip", "route", "delete", route, "proto", "static");
    await eventually(isBack, { what: "the route to be back" });
  });
});
