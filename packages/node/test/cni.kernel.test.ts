/**
 * Aim: the CNI engine makes in the real kernel what Calico makes, and packets pass.
 * Method: the shared suite, and what only a kernel can show, on a node and pods that are namespaces of the test.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createNamespace, deleteNamespace, namespacePath, readSysctl, Rtnetlink } from "@caracal/linux";
import { IpAddress, Prefix } from "@caracal/net";
import { NeighbourState, RouteProtocol } from "@caracal/netlink";
import { type Namespace, requireRoot, run, Testbed } from "@caracal/testbed";
import { addSteps } from "../src/cni/add-pod.ts";
import { CniCode } from "../src/cni/cni-error.ts";
import { LinkRemover } from "../src/cni/link-remover.ts";
import { LinuxPodKernel } from "../src/cni/linux-pod-kernel.ts";
import { CniNode, type CniRig, cniSuite, hostEnd, netconf, podCall, result } from "./cni-suite.ts";

const skip = requireRoot();

/** A node with an uplink and a default route, without which the kernel answers no ARP for 169.254.1.1. */
interface KernelRig extends CniRig {
  readonly bed: Testbed;
  readonly node: Namespace;
  readonly rtnetlink: Rtnetlink;
}

async function kernelRig(): Promise<KernelRig> {
  const bed = Testbed.create();
  const node = await bed.namespace("node");
  await node.run([
    "sh",
    "-ec",
    `ip link add eth0 type veth peer name wire
     ip link set wire up
     ip address add 172.18.0.2/24 dev eth0
     ip address add fd12::2/64 dev eth0 nodad
     ip link set eth0 up
     ip route add default via 172.18.0.1
     ip -6 route add default via fd12::1
     sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`,
  ]);
  const rtnetlink = Rtnetlink.open(node.path);
  const remover = new LinkRemover(node.path);
  const kernel = new LinuxPodKernel(remover, node.path);
  const names = new Map<string, string>();
  const removeNamespace = (netns: string): void => {
    deleteNamespace(names.get(netns) ?? "");
    names.delete(netns);
  };
  return {
    bed,
    node,
    rtnetlink,
    kernel,
    newNamespace: () => {
      const name = `${bed.prefix}-pod${names.size}`;
      createNamespace(name);
      names.set(namespacePath(name), name);
      return namespacePath(name);
    },
    removeNamespace,
    snapshot: () => podTraces(rtnetlink),
    [Symbol.asyncDispose]: async () => {
      for (const netns of names.keys()) removeNamespace(netns);
      kernel.close();
      await remover.close();
      rtnetlink.close();
      await bed.close();
    },
  };
}

/** All that pods leave on a node. */
function podTraces(rtnetlink: Rtnetlink): unknown {
  const links = rtnetlink.links().filter(({ name }) => name.startsWith("cali"));
  const indexes = new Set(links.map(({ index }) => index));
  return {
    links: links.map(({ name }) => name),
    routes: rtnetlink
      .routes({ protocol: RouteProtocol.RTPROT_BOOT })
      .filter(({ destination }) => destination.length > 0)
      .map(({ destination, nextHops }) => [Prefix.format(destination), nextHops[0]?.interfaceIndex]),
    neighbours: rtnetlink
      .neighbours()
      .filter((entry) => entry.state === NeighbourState.NUD_PERMANENT && indexes.has(entry.interfaceIndex))
      .map(({ address }) => address && IpAddress.format(address)),
  };
}

cniSuite("the engine on real namespaces", kernelRig, { skip });

/** Runs a program in a pod and gives what it printed. */
async function inPod(netns: string, ...argv: readonly string[]): Promise<string> {
  return (await run(["nsenter", `--net=${netns}`, "--", ...argv])).stdout;
}

function lines(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

describe("a pod in the kernel", { skip }, () => {
  it("looks inside and outside as Calico's pods do", async () => {
    await using rig = await kernelRig();
    const netns = rig.newNamespace();
    const made = result(
      await new CniNode(rig).engine().answer(podCall(netns, {}, { mtu: 1450, num_queues: 2 })),
    );
    const host = hostEnd(made);
    const mac = made.interfaces[1]?.mac ?? "";
    const shown = await rig.node.ip("-o", "link", "show", host);
    const details = await inPod(netns, "ip", "-d", "-o", "link", "show", "eth0");
    assert.match(details, / numtxqueues 2 .*numrxqueues 2 /);
    assert.match(shown, / mtu 1450 .*state UP.*link\/ether ee:ee:ee:ee:ee:ee /);
    assert.deepEqual(lines(await rig.node.ip("-4", "route", "show", "dev", host)), ["10.244.0.1 scope link"]);
    const neighbours = await rig.node.ip("neigh", "show", "dev", host, "nud", "permanent");
    assert.deepEqual(lines(neighbours), [`10.244.0.1 lladdr ${mac} PERMANENT`]);
    assert.deepEqual(lines(await inPod(netns, "ip", "-4", "route")), [
      "default via 169.254.1.1 dev eth0",
      "169.254.1.1 dev eth0 scope link",
    ]);
    assert.match(await inPod(netns, "ip", "-4", "-o", "address", "show", "eth0"), /inet 10\.244\.0\.1\/32 /);
    const settings = ["route_localnet", "proxy_arp", "forwarding"].map((name) =>
      readSysctl(`net/ipv4/conf/${host}/${name}`, rig.node.path),
    );
    assert.deepEqual(settings, ["1", "1", "1"]);
    assert.equal(readSysctl(`net/ipv4/neigh/${host}/proxy_delay`, rig.node.path), "0");
    assert.equal(readSysctl("net/ipv4/ip_forward", netns), "0");
  });

  it("may forward when its configuration says so", async () => {
    await using rig = await kernelRig();
    const netns = rig.newNamespace();
    const config = { container_settings: { allow_ip_forwarding: true } };
    result(await new CniNode(rig).engine().answer(podCall(netns, {}, config)));
    assert.equal(readSysctl("net/ipv4/ip_forward", netns), "1");
  });

  it("has the MAC and the address that its annotations ask for, and leaves nothing when the address is refused", async () => {
    await using rig = await kernelRig();
    const netns = rig.newNamespace();
    const cni = new CniNode(rig);
    const asking = (address: string): object => ({
      feature_control: { ip_addrs_no_ipam: true },
      runtimeConfig: {
        "io.kubernetes.cri.pod-annotations": {
          "cni.projectcalico.org/hwAddr": "1c:0c:0a:c0:ff:ee",
          "cni.projectcalico.org/ipAddrsNoIpam": `["${address}"]`,
        },
      },
    });
    const before = await cni.state();
    const refused = await cni.engine().answer(podCall(netns, {}, asking("10.244.9.9")));
    assert.equal(JSON.parse(refused.stdout).code, 101);
    for (const [address, reason] of [
      ["172.18.0.2", "is of this node's own interfaces"],
      ["172.18.0.255", "is of this node's own interfaces"],
      ["fd12::2", "is of this node's own interfaces"],
      ["172.18.0.1", "is a gateway of this node"],
      ["fd12::1", "is a gateway of this node"],
    ] as const) {
      const taken = await cni.engine().answer(podCall(netns, {}, asking(address)));
      assert.equal(JSON.parse(taken.stdout).msg, `the address ${address} ${reason}`);
    }
    assert.deepEqual(await cni.state(), before);
    const call = podCall(netns, {}, asking("192.168.9.9"));
    const prevResult = result(await cni.engine().answer(call));
    const host = hostEnd(prevResult);
    assert.match(await inPod(netns, "ip", "-o", "link", "show", "eth0"), /link\/ether 1c:0c:0a:c0:ff:ee /);
    assert.match(await inPod(netns, "ip", "-4", "-o", "address", "show", "eth0"), /inet 192\.168\.9\.9\/32 /);
    const neighbours = await rig.node.ip("neigh", "show", "dev", host, "nud", "permanent");
    assert.deepEqual(lines(neighbours), ["192.168.9.9 lladdr 1c:0c:0a:c0:ff:ee PERMANENT"]);
    assert.deepEqual(result(await cni.engine().answer(call)), prevResult);
    const check = podCall(netns, { command: "CHECK" }, { ...asking("192.168.9.9"), prevResult });
    assert.equal((await cni.engine().answer(check)).exitCode, 0);
    assert.equal((await cni.engine().answer({ ...call, command: "DEL" })).exitCode, 0);
    assert.deepEqual(await cni.state(), before);
  });

  it("reaches another pod at once, in both families, its gateway answering as ee:ee:ee:ee:ee:ee", async () => {
    await using rig = await kernelRig();
    const engine = new CniNode(rig).engine();
    const config = { ipam: { type: "calico-ipam", assign_ipv6: "true" } };
    const pods = ["a", "b"].map((name) => {
      const args = `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}`;
      return podCall(rig.newNamespace(), { containerId: name, args }, config);
    });
    for (const call of pods) result(await engine.answer(call));
    const from = pods[0]?.netns ?? "";
    // One packet and one second each: a lost first packet would show.
    await inPod(from, "ping", "-c1", "-W1", "10.244.0.2");
    await inPod(from, "ping", "-6", "-c1", "-W1", "fd00::2");
    const gateway = await inPod(from, "ip", "-4", "neigh", "show", "169.254.1.1");
    assert.match(gateway, /lladdr ee:ee:ee:ee:ee:ee/);
    // As a repeated ADD and CHECK do: nothing above may have changed what they look at.
    for (const call of pods) {
      const prevResult = result(await engine.answer(call));
      const stdin = JSON.stringify({ ...netconf, ...config, prevResult });
      assert.equal((await engine.answer({ ...call, command: "CHECK", stdin })).exitCode, 0);
    }
  });

  it("whose namespace goes before any step gets a clear error, and DEL leaves nothing", async () => {
    await using rig = await kernelRig();
    const cni = new CniNode(rig);
    const before = await cni.state();
    for (const { name: step } of addSteps) {
      const netns = rig.newNamespace();
      const beforeStep = (at: string): void => {
        if (at === step) rig.removeNamespace(netns);
      };
      const answer = await cni.engine({ beforeStep }).answer(podCall(netns));
      if (answer.exitCode !== 0) {
        const { code } = JSON.parse(answer.stdout);
        assert.ok(
          [CniCode.invalidEnvironment, CniCode.ioFailure].includes(code),
          `${step}: ${answer.stdout}`,
        );
      }
      const del = await cni.engine().answer(podCall(netns, { command: "DEL" }));
      assert.deepEqual(del, { exitCode: 0, stdout: "" }, step);
      assert.deepEqual(await cni.state(), before, step);
    }
  });

  it("is in a namespace of its own: what is none, and the node's own, is refused, and waits for nobody", async () => {
    await using rig = await kernelRig();
    const cni = new CniNode(rig);
    const before = await cni.state();
    const routes = await rig.node.ip("route");
    const directory = rig.bed.directory();
    const pipe = join(directory, "pipe");
    const file = join(directory, "file");
    writeFileSync(file, "");
    await run(["mkfifo", pipe]);
    for (const netns of [rig.node.path, pipe, file, directory, "/dev/null", `/${"n".repeat(5000)}`]) {
      const answer = await cni.engine().answer(podCall(netns, { ifname: "pod0" }));
      const { code, msg } = JSON.parse(answer.stdout);
      assert.deepEqual([code, msg], [4, "CNI_NETNS leads to no network namespace of a container"]);
      const del = await cni.engine().answer(podCall(netns, { command: "DEL", ifname: "pod0" }));
      assert.deepEqual(del, { exitCode: 0, stdout: "" });
    }
    assert.deepEqual(await cni.state(), before);
    assert.equal(await rig.node.ip("route"), routes);
  });

  it("CHECK names each thing that somebody took away", async () => {
    await using rig = await kernelRig();
    const netns = rig.newNamespace();
    const engine = new CniNode(rig).engine();
    const prevResult = result(await engine.answer(podCall(netns)));
    const host = hostEnd(prevResult);
    const complaint = async (): Promise<string> => {
      const answer = await engine.answer(podCall(netns, { command: "CHECK" }, { prevResult }));
      return answer.stdout === "" ? "" : JSON.parse(answer.stdout).msg;
    };
    assert.equal(await complaint(), "");
    await rig.node.ip("route", "del", "10.244.0.1", "dev", host);
    assert.equal(await complaint(), `the host has no route to 10.244.0.1 through ${host}`);
    await rig.node.ip("route", "add", "10.244.0.1", "dev", host);
    await inPod(netns, "ip", "route", "del", "default");
    assert.equal(await complaint(), "the pod has no route to 0.0.0.0/0");
    await inPod(netns, "ip", "address", "flush", "dev", "eth0");
    assert.equal(await complaint(), "eth0 has no address 10.244.0.1");
    await rig.node.ip("link", "set", host, "down");
    assert.equal(await complaint(), `${host} is down`);
    // A repeated ADD is what repairs it.
    result(await engine.answer(podCall(netns)));
    assert.notEqual(await complaint(), `${host} is down`);
  });

  it("an interface of the same name that somebody else made stays, and ADD leaves nothing", async () => {
    await using rig = await kernelRig();
    const netns = rig.newNamespace();
    const cni = new CniNode(rig);
    const before = await cni.state();
    await inPod(netns, "ip", "link", "add", "eth0", "type", "bridge");
    assert.equal(JSON.parse((await cni.engine().answer(podCall(netns))).stdout).code, 102);
    assert.deepEqual(await cni.state(), before);
    assert.equal((await cni.engine().answer(podCall(netns, { command: "DEL" }))).exitCode, 0);
    assert.match(await inPod(netns, "ip", "-o", "link", "show", "eth0"), /eth0/);
  });

  it("a learned route to its address gives way, another pod's does not", async () => {
    await using rig = await kernelRig();
    const cni = new CniNode(rig);
    await rig.node.ip("route", "add", "10.244.0.1", "via", "172.18.0.9", "proto", "bird");
    const made = result(await cni.engine().answer(podCall(rig.newNamespace())));
    const host = hostEnd(made);
    assert.deepEqual(lines(await rig.node.ip("route", "show", "10.244.0.1")), [
      `10.244.0.1 dev ${host} scope link`,
    ]);
    cni.ipam.allocations.clear();
    const args = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=second";
    const second = await cni.engine().answer(podCall(rig.newNamespace(), { containerId: "second", args }));
    assert.match(JSON.parse(second.stdout).details, new RegExp(`10.244.0.1/32 leads to ${host} already`));
  });
});

describe("LinkRemover", { skip }, () => {
  it("removes interfaces beside other work, and takes one that is gone as removed", async (t) => {
    const bed = Testbed.create(t);
    const node = await bed.namespace("node");
    const names = Array.from({ length: 5 }, (_, index) => `veth${index}`);
    for (const name of names) await node.ip("link", "add", name, "type", "veth", "peer", "name", `${name}p`);
    await node.ip("link", "add", "bystander", "type", "bridge");
    await using remover = new LinkRemover(node.path);
    await Promise.all([...names, "veth0", "never-was"].map((name) => remover.remove(name)));
    const left = await node.ip("-o", "link");
    assert.doesNotMatch(left, /veth/);
    assert.match(left, /bystander/);
  });

  it("is done when both ends are gone: their names are free at once", async (t) => {
    const bed = Testbed.create(t);
    const [node, pod] = [await bed.namespace("node"), await bed.namespace("pod")];
    using host = Rtnetlink.open(node.path);
    using inside = Rtnetlink.open(pod.path);
    await using remover = new LinkRemover(node.path);
    for (let round = 0; round < 20; round += 1) {
      host.addVeth({ name: "own" }, { name: "eth0", namespace: pod.path });
      assert.equal(await remover.removePair("own", pod.path, "eth0"), "removed");
      assert.equal(host.link("own"), undefined);
      assert.equal(inside.link("eth0"), undefined);
    }
  });

  it("removes a pair only when its other end is where and what it should be", async (t) => {
    const bed = Testbed.create(t);
    const [node, pod] = [await bed.namespace("node"), await bed.namespace("pod")];
    for (const name of ["own", "other"]) {
      await node.ip("link", "add", name, "type", "veth", "peer", "name", `${name}p`, "netns", pod.name);
    }
    await node.ip("link", "add", "bridge", "type", "bridge");
    await using remover = new LinkRemover(node.path);
    const asked = [
      remover.removePair("own", pod.path, "ownp"),
      remover.removePair("other", pod.path, "eth0"),
      remover.removePair("other", "/run/netns/never-was", "otherp"),
      remover.removePair("bridge", pod.path, "eth0"),
      remover.removePair("never-was", pod.path, "eth0"),
    ];
    assert.deepEqual(await Promise.all(asked), ["removed", "another", "unseen", "unseen", "unseen"]);
    assert.equal(await remover.removePair("own", pod.path, "ownp"), "unseen", "again");
    const left = await node.ip("-o", "link");
    assert.match(left, /other/);
    assert.match(left, /bridge/);
    assert.doesNotMatch(left, /own@/);
  });

  it("after close it refuses instead of waiting", async (t) => {
    const bed = Testbed.create(t);
    const remover = new LinkRemover((await bed.namespace("node")).path);
    await remover.close();
    await assert.rejects(remover.remove("eth0"), /has ended/);
  });

  it("closes at any moment of its start, and does first what it was asked", async (t) => {
    const bed = Testbed.create(t);
    const node = await bed.namespace("node");
    for (let startedMs = 0; startedMs < 200; startedMs += 20) {
      await node.ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth0p");
      const remover = new LinkRemover(node.path);
      await delay(startedMs);
      const removed = remover.remove("veth0");
      await remover.close();
      await removed;
      assert.doesNotMatch(await node.ip("-o", "link"), /veth/);
    }
  });
});
