/**
 * Aim: clusters with IPIP do what their files say, packets look on each hop as they should, and harm to tunnels is mended while
 * what needs none goes on. Method: `caracal lab up` and `check` on a kernel with the module; tcpdump on every hop; pings that run on.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { controlRequest } from "@caracal/control";
import { birdPrograms, eventually, requireBird1, requireMachine, run, Testbed } from "@caracal/testbed";
import type { LabDirectory } from "../src/index.ts";
import { capture, type Tap } from "./capture.ts";
import { ContinuousPing } from "./continuous-ping.ts";
import { labScope, type LabScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireMachine();
const program = [`${REPOSITORY}caracal`];
const worker1 = "worker1.k8s.com";
const worker2 = "worker2.k8s.com";
const worker3 = "worker3.k8s.com";
const deadline = { deadlineMs: 300_000, intervalMs: 200 };

class Cluster {
  readonly scope: LabScope;
  readonly lab: LabDirectory;

  private constructor(scope: LabScope, lab: LabDirectory) {
    this.scope = scope;
    this.lab = lab;
  }

  static async up(t: TestContext, topology: string, env = process.env): Promise<Cluster> {
    const scope = await labScope(t, { program, env });
    const name = scope.newName();
    const { exitCode, stderr } = await scope.lab(["up", topology, "--name", name]);
    assert.equal(exitCode, 0, stderr);
    return new Cluster(scope, scope.directory(name));
  }

  async isAsExpected(): Promise<void> {
    const { exitCode, stdout } = await this.scope.lab(["check", "--name", this.lab.name]);
    assert.equal(exitCode, 0, stdout);
  }

  /** A shell's command at a node, a switch or a pod. */
  async sh(place: string, command: string): Promise<string> {
    return (await run(["ip", "netns", "exec", this.lab.namespaceName(place), "sh", "-ec", command])).stdout;
  }

  pod(node: string): { readonly name: string; readonly address: string } {
    const pod = this.lab.pods().find((one) => one.node === node);
    assert.ok(pod !== undefined);
    return { name: pod.name, address: pod.addresses[0] ?? "" };
  }

  async cali(node: string): Promise<string> {
    const route = await this.sh(node, `ip -o route get ${this.pod(node).address}`);
    return /dev (cali\S+)/.exec(route)?.[1] ?? assert.fail(route);
  }

  async mac(place: string, device: string): Promise<string> {
    return (await this.sh(place, `cat /sys/class/net/${device}/address`)).trim();
  }

  /** The route from one node to the other's block. */
  async routeTo(node: string, other: string): Promise<string> {
    const block = this.pod(other).address.replace(/\.[0-9]+$/, ".0/24");
    return (await this.sh(node, `ip route show ${block}`)).trim();
  }

  /** One echo from pod to pod, and what passed at the taps. */
  async pingSeen(from: string, to: string, taps: readonly Tap[]): Promise<readonly string[]> {
    const command = ["ip", "netns", "exec", this.lab.namespaceName(this.pod(from).name)];
    const ping = [...command, "ping", "-n", "-c", "1", "-W", "10", this.pod(to).address];
    const seen = await capture(this.lab, taps, async () => void (await run(ping)), 2);
    return seen.map((lines) => lines.join("\n"));
  }

  /** The table that the daemon's health endpoints show. */
  async health(node: string): Promise<string> {
    const answer = await controlRequest(this.lab.controlSocket(node), "health", {}, { timeoutMs: 10_000 });
    const table: unknown = typeof answer === "object" && answer !== null ? Reflect.get(answer, "table") : "";
    return String(table);
  }

  /** `calicoctl node status`, both its streams. */
  async nodeStatus(node: string): Promise<string> {
    const file = `${this.lab.path}/status`;
    const words = [
      "exec",
      "--name",
      this.lab.name,
      node,
      "--",
      "sh",
      "-c",
      `calicoctl node status >${file} 2>&1`,
    ];
    const { exitCode, stderr } = await this.scope.lab(words);
    assert.equal(exitCode, 0, stderr);
    return readFileSync(file, "utf8");
  }

  async patchPool(spec: string): Promise<void> {
    const patch = [
      "sh",
      "-c",
      `calicoctl patch ippool default-ipv4-ippool -p '{"spec": ${spec}}' >/dev/null`,
    ];
    const { exitCode, stderr } = await this.scope.lab([
      "exec",
      "--name",
      this.lab.name,
      worker1,
      "--",
      ...patch,
    ]);
    assert.equal(exitCode, 0, stderr);
  }
}

const echo = "icmp[icmptype] == icmp-echo or icmp[icmptype] == icmp-echoreply";
const outer = "ip proto 4";
const either = `${outer} or ${echo}`;

/** On the wire the pods' packet, and nothing around it. */
function plain(from: string, to: string, macs = "\\S+ > \\S+"): RegExp {
  return new RegExp(`^\\S+ ${macs}, .* length 98: ${quoted(`${from} > ${to}: ICMP echo request`)}`, "m");
}

/** On the wire a packet of the nodes, and the pods' in it. */
function within(from: string, to: string, host: string, otherHost: string, macs = "\\S+ > \\S+"): RegExp {
  const packets = `${quoted(`${host} > ${otherHost}: `)}(IP )?${quoted(`${from} > ${to}: ICMP echo request`)}`;
  return new RegExp(`^\\S+ ${macs}, .* length 118: ${packets}`, "m");
}

function quoted(text: string): string {
  return text.replaceAll(".", "\\.");
}

test("ipip-cross-subnet", { skip }, async (t) => {
  const cluster = await Cluster.up(t, "ipip-cross-subnet");
  const { lab } = cluster;
  const [from, near, far] = [worker1, worker2, worker3].map((node) => cluster.pod(node).address);
  assert.ok(from !== undefined && near !== undefined && far !== undefined);

  await t.test("all that its file says is seen", () => cluster.isAsExpected());

  await t.test("inside a rack packets go as they are", async () => {
    const taps = [
      { place: worker1, device: "eth0", filter: either },
      { place: worker2, device: "eth0", filter: either },
    ];
    for (const lines of await cluster.pingSeen(worker1, worker2, taps)) {
      assert.match(lines, plain(from, near));
      assert.doesNotMatch(lines, /10\.0\.0\.21 > 10\.0\.0\.22/);
    }
  });

  await t.test("between racks they are in packets of the nodes on every hop", async () => {
    const taps = [
      { place: worker1, device: await cluster.cali(worker1), filter: either },
      ...[
        [worker1, "eth0"],
        ["leaf01", "swp1"],
        ["leaf01", "swp2"],
        ["spine", "swp1"],
        ["spine", "swp2"],
        ["leaf02", "swp2"],
        ["leaf02", "swp1"],
        [worker3, "eth0"],
      ].map(([place = "", device = ""]) => ({ place, device, filter: either })),
      { place: worker3, device: "tunl0", filter: "icmp" },
      { place: worker3, device: await cluster.cali(worker3), filter: either },
    ];
    const seen = await cluster.pingSeen(worker1, worker3, taps);
    const hops = seen.slice(1, -2);
    for (const [at, lines] of hops.entries()) {
      assert.match(lines, within(from, far, "10.0.0.21", "30.0.0.23"), `hop ${at}`);
      assert.doesNotMatch(lines, plain(from, far), `hop ${at}`);
    }
    // The pod's own gateway answers for every address with this MAC.
    const podMac = await cluster.mac(cluster.pod(worker1).name, "eth0");
    assert.match(seen[0] ?? "", plain(from, far, `${podMac} > ee:ee:ee:ee:ee:ee`));
    // The frame goes to the leaf, the packet in it to the other node.
    const macs = `${await cluster.mac(worker1, "eth0")} > ${await cluster.mac("leaf01", "swp1")}`;
    assert.match(hops[0] ?? "", within(from, far, "10.0.0.21", "30.0.0.23", macs));
    const last = `${await cluster.mac("leaf02", "swp1")} > ${await cluster.mac(worker3, "eth0")}`;
    assert.match(hops.at(-1) ?? "", within(from, far, "10.0.0.21", "30.0.0.23", last));
    assert.match(seen.at(-2) ?? "", new RegExp(`${from} > ${far}: ICMP echo request`));
    assert.match(seen.at(-1) ?? "", plain(from, far));
  });

  await t.test("whatever others do to the tunnel is mended, and what needs none goes on", async (t) => {
    const steady = new ContinuousPing(lab, cluster.pod(worker1).name, near);
    const mended = new ContinuousPing(lab, cluster.pod(worker1).name, far);
    t.after(() => Promise.all([steady.stop(), mended.stop()]));
    const deeds = [
      "ip link set tunl0 down",
      "ip address flush dev tunl0",
      "ip address add 10.244.157.77/24 dev tunl0",
      "ip link set tunl0 mtu 1200",
      rename("other0"),
      "ip link delete tunl0",
      // The daemon may be quicker every time: then it is one more renaming.
      `for attempt in 1 2 3; do if ${rename("other1")} && ip link add tunl0 type veth peer tunl0-peer; then break; fi; done`,
      "ip route flush dev tunl0",
    ];
    const wanted = await tunnelOf(cluster, worker1);
    for (const deed of deeds) {
      await cluster.sh(worker1, deed);
      await eventually(
        async () => {
          assert.deepEqual(await tunnelOf(cluster, worker1), wanted);
          return true;
        },
        { ...deadline, what: deed },
      );
      const answered = mended.answeredCount;
      await eventually(() => mended.answeredCount > answered, { ...deadline, what: `an echo after ${deed}` });
    }
    assert.deepEqual((await steady.stop()).lost, []);
    await mended.stop();
  });

  await t.test("a pool that changes its encapsulation loses no packet", async (t) => {
    const ping = new ContinuousPing(lab, cluster.pod(worker1).name, near);
    t.after(() => ping.stop());
    for (const [mode, hop] of [
      ["Always", "via 10.0.0.22 dev tunl0 proto bird onlink"],
      ["Never", "via 10.0.0.22 dev eth0 proto bird"],
      ["CrossSubnet", "via 10.0.0.22 dev eth0 proto bird"],
    ] as const) {
      await cluster.patchPool(`{"ipipMode": "${mode}"}`);
      const farHop =
        mode === "Never" ? "via 10.0.0.254 dev eth0 proto bird" : "via 30.0.0.23 dev tunl0 proto bird onlink";
      await eventually(
        async () => {
          assert.ok((await cluster.routeTo(worker1, worker2)).endsWith(hop));
          assert.ok((await cluster.routeTo(worker1, worker3)).endsWith(farHop));
          return true;
        },
        { ...deadline, what: mode },
      );
    }
    assert.deepEqual((await ping.stop()).lost, []);
  });

  await t.test("without the module it is told, nothing goes another way, and it heals", async (t) => {
    const modprobe = "/proc/sys/kernel/modprobe";
    const loader = readFileSync(modprobe, "utf8");
    t.after(() => writeFileSync(modprobe, loader));
    writeFileSync(modprobe, "/bin/false");
    await run(["rmmod", "ipip"]);
    const lack = /this kernel has no ipip module, so there is no such tunnel: load it \(modprobe ipip\)/;
    await eventually(async () => {
      assert.match(await cluster.health(worker1), /^tunnels +live not ready tunl0: /m);
      assert.match(await cluster.health(worker1), lack);
      return true;
    }, deadline);
    assert.match(await cluster.nodeStatus(worker1), lack);
    assert.equal(await cluster.routeTo(worker1, worker3), "");
    const log = readFileSync(`${lab.path}/nodes/${worker1}/daemon.log`, "utf8");
    assert.equal(log.split("\n").filter((line) => lack.test(line)).length, 1, log);
    writeFileSync(modprobe, loader);
    await eventually(async () => {
      assert.match(await cluster.health(worker1), /^tunnels +live ready tunl0$/m);
      assert.match(await cluster.routeTo(worker1, worker3), /via 30\.0\.0\.23 dev tunl0 proto bird onlink/);
      return true;
    }, deadline);
  });
});

/** Takes the device down and calls it otherwise, in spite of who sets it up again at once. */
function rename(name: string): string {
  return `until ip link set tunl0 down && ip link set tunl0 name ${name} 2>/dev/null; do :; done`;
}

/** The device and its routes, as people see them. */
async function tunnelOf(cluster: Cluster, node: string): Promise<readonly string[]> {
  const text = await cluster.sh(node, "ip -d address show dev tunl0; ip route show dev tunl0");
  return text
    .split("\n")
    .map((line) => line.trim().replace(/^[0-9]+: /, ""))
    .filter((line) => line !== "");
}

test("ipip-always", { skip }, async (t) => {
  const cluster = await Cluster.up(t, "ipip-always");
  await t.test("all that its file says is seen", () => cluster.isAsExpected());
  await t.test("inside a rack packets are in packets of the nodes, too", async () => {
    const [from, near] = [cluster.pod(worker1).address, cluster.pod(worker2).address];
    const taps = [
      { place: worker1, device: "eth0", filter: either },
      { place: worker2, device: "eth0", filter: either },
    ];
    for (const lines of await cluster.pingSeen(worker1, worker2, taps)) {
      assert.match(lines, within(from, near, "10.0.0.21", "10.0.0.22"));
      assert.doesNotMatch(lines, plain(from, near));
    }
  });
});

test("nodes whose BIRD knows no tunnels", { skip: skip || requireBird1() }, async (t) => {
  const file = join(Testbed.create(t).directory("topology"), "ipip-bird.yaml");
  const route = (address: string, other: string): string =>
    `<block ${other}> via ${address} dev tunl0 proto 80 onlink`;
  const topology = {
    name: "ipip-bird",
    backend: "bird",
    pool: { cidr: "10.244.0.0/16", ipip: "Always" },
    networks: [{ name: "lan", subnet: "10.0.0.0/24", gateway: "10.0.0.254" }],
    nodes: [
      { name: "a", address: "10.0.0.1", pods: ["pod-a"] },
      { name: "b", address: "10.0.0.2", pods: ["pod-b"] },
    ],
    checks: {
      routes: {
        a: ["blackhole <block a> proto bird", route("10.0.0.2", "b")],
        b: ["blackhole <block b> proto bird", route("10.0.0.1", "a")],
      },
    },
  };
  writeFileSync(file, JSON.stringify(topology));
  const programs = {
    CARACAL_BIRD: birdPrograms("1.6").daemon,
    CARACAL_BIRD6: birdPrograms("1.6 for IPv6").daemon,
  };
  const cluster = await Cluster.up(t, file, { ...process.env, ...programs });
  await t.test("have their daemon program the pool's routes", () => cluster.isAsExpected());
});
