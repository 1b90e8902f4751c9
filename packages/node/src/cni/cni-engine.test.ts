/**
 * Aim: the engine's decisions over any kernel, and what needs no kernel at all: bad input, a datastore that is away, GC.
 * Method: the shared suite on the fake kernel, then calls to an engine over fakes.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StoreError } from "@caracal/datastore";
import { Ipv4, Prefix } from "@caracal/net";
import { FakeKernel } from "../../test/cni-fakes.ts";
import { CniNode, cniSuite, netconf, podCall, result, type CniRig } from "../../test/cni-suite.ts";
import type { CniCall } from "./cni-call.ts";
import type { CniEngineOptions } from "./cni-engine.ts";
import { emptyResult } from "./cni-result.ts";

function fakeRig(): CniRig & { readonly kernel: FakeKernel } {
  const kernel = new FakeKernel();
  let count = 0;
  return {
    kernel,
    newNamespace: () => {
      const netns = `/run/netns/fake-${(count += 1)}`;
      kernel.namespaces.add(netns);
      return netns;
    },
    removeNamespace: (netns) => kernel.removeNamespace(netns),
    snapshot: () => [...kernel.pairs],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

for (const hasTransactions of [true, false]) {
  const title = `the engine on a fake kernel, ${hasTransactions ? "with" : "without"} transactions`;
  cniSuite(title, () => Promise.resolve(fakeRig()), { hasTransactions });
}

function newNode(): { readonly node: CniNode; readonly netns: string } {
  const node = new CniNode(fakeRig());
  return { node, netns: node.rig.newNamespace() };
}

/** What another IPAM plugin gives. */
const onlyAddress = { address: Ipv4.of(0x0a000005), prefixLength: 24 };
const onlyRoute = { destination: Prefix.of(Ipv4.of(0x0a000000), 8) };

async function refusal(change: Partial<CniCall>, config: object = {}): Promise<Record<string, unknown>> {
  const { node, netns } = newNode();
  const answer = await node.engine().answer(podCall(netns, change, config));
  assert.equal(answer.exitCode, 1, answer.stdout);
  const { details: _, ...told } = JSON.parse(answer.stdout);
  assert.deepEqual(await node.state(), { kernel: [], allocations: [], endpoints: [] });
  return told;
}

describe("bad input", () => {
  const cases: readonly (readonly [string, Partial<CniCall>, object, number, string])[] = [
    ["malformed stdin", { stdin: "{" }, {}, 6, "the network configuration on stdin is no JSON"],
    ["stdin that is a list", { stdin: "[]" }, {}, 6, "the network configuration on stdin is no JSON object"],
    ["an unknown version", {}, { cniVersion: "2.0.0" }, 1, "unsupported CNI version 2.0.0"],
    ["no network name", {}, { name: undefined }, 7, "name is missing"],
    ["a network name with a slash", {}, { name: "a/b" }, 7, "name must be letters, digits, '_', '.' and '-'"],
    ["no IPAM", {}, { ipam: {} }, 7, "ipam.type is missing"],
    ["an IPAM path", {}, { ipam: { type: "../x" } }, 7, "ipam.type must be a plugin's name"],
    ["a text for a number", {}, { mtu: "big" }, 7, "mtu must be a whole number from 0 to 65535"],
    ["a tiny MTU", {}, { mtu: 10 }, 7, "mtu must be 0 or 68 to 65535"],
    ["no container", { containerId: "" }, {}, 4, "CNI_CONTAINERID is not set"],
    [
      "a container with a slash",
      { containerId: "a/b" },
      {},
      4,
      "CNI_CONTAINERID must be letters, digits, '_', '.' and '-', at most 256",
    ],
    ["no interface", { ifname: "" }, {}, 4, "CNI_IFNAME is not set"],
    [
      "a long interface",
      { ifname: "x".repeat(16) },
      {},
      4,
      "CNI_IFNAME must be an interface name of 1 to 15 characters",
    ],
    ["no namespace", { netns: "" }, {}, 4, "CNI_NETNS is not set"],
    [
      "a namespace that is none",
      { netns: "/run/netns/none" },
      {},
      4,
      "CNI_NETNS leads to no network namespace of a container",
    ],
    ["arguments without =", { args: "a" }, {}, 4, "CNI_ARGS must be pairs KEY=value separated by ';'"],
    [
      "a pod with a slash",
      { args: "K8S_POD_NAME=a/b;K8S_POD_NAMESPACE=c" },
      {},
      4,
      "CNI_ARGS K8S_POD_NAME must be a Kubernetes name",
    ],
    ["an unknown command", { command: "EXPLODE" }, {}, 4, "CNI_COMMAND is none that this plugin knows"],
    [
      "STATUS before 1.1.0",
      { command: "STATUS" },
      {},
      1,
      "STATUS is of CNI 1.1.0 and later, and the configuration is of 1.0.0",
    ],
  ];
  for (const [name, change, config, code, msg] of cases) {
    it(`${name} is code ${code}`, async () => {
      const told = await refusal(change, config);
      assert.deepEqual({ code: told["code"], msg: told["msg"] }, { code, msg });
    });
  }

  it("params that are no call are an error, not an exception", async () => {
    const answer = await newNode().node.engine().handle({ command: "ADD" });
    assert.equal(JSON.parse(answer.stdout).code, 4);
  });
});

describe("a datastore that is away", () => {
  it("fails ADD with code 11 and leaves nothing; DEL still cuts the container off", async () => {
    const { node, netns } = newNode();
    result(await node.engine().answer(podCall(netns)));
    node.store.disconnect();
    const add = await node.engine().answer(podCall(node.rig.newNamespace(), { containerId: "other" }));
    assert.equal(JSON.parse(add.stdout).code, 11);
    const del = await node.engine().answer(podCall(netns, { command: "DEL" }));
    assert.equal(JSON.parse(del.stdout).code, 11);
    assert.deepEqual(node.rig.snapshot(), []);
    node.store.reconnect();
    assert.equal((await node.engine().answer(podCall(netns, { command: "DEL" }))).exitCode, 0);
    assert.deepEqual(await node.state(), { kernel: [], allocations: [], endpoints: [] });
  });

  it("that never answers ends the call at its deadline, and the pod's next call waits for the first", async () => {
    const { node, netns } = newNode();
    const { promise: stuck, resolve: unstick } = Promise.withResolvers<void>();
    const beforeStep = (step: string): Promise<void> | void =>
      step === "write the endpoint" ? stuck : undefined;
    const engine = node.engine({ deadlineMs: 20, beforeStep });
    const late = await engine.answer(podCall(netns));
    assert.equal(JSON.parse(late.stdout).code, 11);
    const del = engine.answer(podCall(netns, { command: "DEL" }));
    unstick();
    // The ADD's remaining step is not taken: what it did is taken back before DEL begins.
    assert.equal((await del).exitCode, 0);
    assert.deepEqual(await node.state(), { kernel: [], allocations: [], endpoints: [] });
  });

  it("that is locked refuses every command with code 11, STATUS with 50", async () => {
    const { node, netns } = newNode();
    const engine = node.engine({ isReady: () => false });
    for (const [command, code] of [
      ["ADD", 11],
      ["DEL", 11],
      ["CHECK", 11],
      ["STATUS", 50],
    ] as const) {
      const answer = await engine.answer(podCall(netns, { command }, { cniVersion: "1.1.0" }));
      assert.equal(JSON.parse(answer.stdout).code, code, command);
    }
  });
});

describe("the engine besides", () => {
  it("names the pools when there is no address", async () => {
    const { node, netns } = newNode();
    node.ipam.capacity = 0;
    const told = JSON.parse((await node.engine().answer(podCall(netns))).stdout);
    assert.deepEqual([told.code, told.msg], [101, "no address left in pools 10.244.0.0/16"]);
  });

  it("drops a call whose plugin was killed while it waited", async () => {
    const { node, netns } = newNode();
    const answer = await node.engine().answer(podCall(netns), AbortSignal.abort());
    assert.equal(JSON.parse(answer.stdout).code, 11);
    assert.deepEqual(await node.state(), { kernel: [], allocations: [], endpoints: [] });
  });

  it("an interface of that name that is not ours is left alone", async () => {
    const { node, netns } = newNode();
    result(await node.engine().answer(podCall(netns, { args: "" })));
    const answer = await node.engine().answer(podCall(netns, { containerId: "other" }));
    assert.equal(JSON.parse(answer.stdout).code, 102);
    assert.deepEqual([...node.ipam.allocations.keys()], ["k8s-pod-network.c0ffee0123456789"]);
  });

  it("200 pods at once all get an address of their own, and all go", async () => {
    const { node } = newNode();
    const engine = node.engine();
    const calls = Array.from({ length: 200 }, (_, index) =>
      podCall(node.rig.newNamespace(), {
        containerId: `c${index}`,
        args: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod-${index}`,
      }),
    );
    const made = await Promise.all(calls.map((call) => engine.answer(call)));
    assert.equal(new Set(made.map((answer) => result(answer).ips[0]?.address)).size, 200);
    await Promise.all(calls.map((call) => engine.answer({ ...call, command: "DEL" })));
    assert.deepEqual(await node.state(), { kernel: [], allocations: [], endpoints: [] });
  });

  it("GC removes what the runtime does not know, of this network only", async () => {
    const { node, netns } = newNode();
    const engine = node.engine();
    const other = { containerId: "other", args: "K8S_POD_NAMESPACE=default;K8S_POD_NAME=other" };
    const foreign = { containerId: "foreign", args: "" };
    result(await engine.answer(podCall(netns)));
    result(await engine.answer(podCall(node.rig.newNamespace(), other)));
    result(await engine.answer(podCall(node.rig.newNamespace(), foreign, { name: "another" })));
    const valid = [{ containerID: "c0ffee0123456789", ifname: "eth0" }];
    const config = { cniVersion: "1.1.0", "cni.dev/valid-attachments": valid };
    assert.deepEqual(await engine.answer(podCall("", { command: "GC" }, config)), {
      exitCode: 0,
      stdout: "",
    });
    assert.deepEqual(
      [...node.ipam.allocations.keys()],
      ["k8s-pod-network.c0ffee0123456789", "another.foreign"],
    );
    assert.equal(node.events.filter((event) => event.startsWith("removed")).length, 1);
  });

  it("GC and STATUS ask another IPAM plugin too, which GC's deletions go through", async () => {
    const { node, netns } = newNode();
    const asked: string[] = [];
    const engine = node.engine({
      runIpamPlugin: async (type, { containerId, ifname, args }, command) => {
        asked.push([type, command, containerId, ifname, args].join(" "));
        return command === "ADD" ? { ...emptyResult, ips: [onlyAddress] } : undefined;
      },
    });
    const delegated = { ipam: { type: "other" }, cniVersion: "1.1.0" };
    result(await engine.answer(podCall(netns, {}, delegated)));
    result(await engine.answer(podCall(node.rig.newNamespace(), { containerId: "own", args: "" })));
    asked.length = 0;
    const status = { command: "STATUS", containerId: "", ifname: "", args: "" };
    assert.equal((await engine.answer(podCall("", status, delegated))).exitCode, 0);
    const foreign = { ...delegated, name: "foreign", "cni.dev/valid-attachments": [] };
    assert.equal((await engine.answer(podCall("", { ...status, command: "GC" }, foreign))).exitCode, 0);
    // The name that the specification's first text has.
    const config = { ...delegated, "cni.dev/attachments": [] };
    assert.equal((await engine.answer(podCall("", { ...status, command: "GC" }, config))).exitCode, 0);
    const pod = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx-7fc5";
    assert.deepEqual(asked, [
      "other STATUS   ",
      "other GC   ",
      `other DEL c0ffee0123456789 eth0 ${pod}`,
      "other GC   ",
    ]);
    assert.equal(await node.endpoint("node--1-k8s-nginx--7fc5-eth0", "default"), undefined);
    assert.deepEqual([...node.ipam.allocations.keys()], ["k8s-pod-network.own"]);
  });

  it("another IPAM plugin is asked again when an attempt has given its address back and the endpoint stays", async () => {
    const { node, netns } = newNode();
    const held = new Map<string, number>();
    let given = 0;
    const runIpamPlugin: CniEngineOptions["runIpamPlugin"] = async (_type, { containerId }, command) => {
      if (command === "DEL") held.delete(containerId);
      if (command !== "ADD") return undefined;
      held.set(containerId, (given += 1));
      const address = Ipv4.of(0x0a000000 + given);
      return { ...emptyResult, ips: [{ address, prefixLength: 24 }], routes: [onlyRoute] };
    };
    const { store } = node;
    const create = store.create.bind(store);
    // Written, but the answer is lost, and with it the datastore for a moment.
    store.create = async (key, value) => {
      store.create = create;
      await create(key, value);
      store.disconnect();
      setTimeout(() => store.reconnect(), 20);
      return Promise.reject(new StoreError("unavailable", "the answer was lost"));
    };
    const engine = node.engine({ runIpamPlugin, storeWaitMs: 5_000 });
    const call = podCall(netns, {}, { ipam: { type: "other" } });
    const made = result(await engine.answer(call));
    assert.deepEqual([...held.values()], [2]);
    assert.equal(made.ips[0]?.address, "10.0.0.2/32");
    const spec = (await node.endpoint("node--1-k8s-nginx--7fc5-eth0", "default"))?.spec;
    assert.deepEqual(spec?.ipNetworks, ["10.0.0.2/32"]);
    assert.deepEqual(result(await engine.answer(call)).ips, made.ips, "and not once it works");
    assert.deepEqual([...held.values()], [2]);
  });

  it("host-local releases also where the node has no pod network any more", async () => {
    const { node, netns } = newNode();
    const subnets: unknown[] = [];
    const cidrs = ["10.3.0.0/24"];
    const engine = node.engine({
      podCidrs: () => cidrs,
      runIpamPlugin: async (_type, { stdin }, command) => {
        subnets.push(JSON.parse(stdin).ipam.subnet);
        return command === "ADD" ? { ...emptyResult, ips: [onlyAddress] } : undefined;
      },
    });
    const config = { ipam: { type: "host-local", subnet: "usePodCidr" } };
    result(await engine.answer(podCall(netns, {}, config)));
    cidrs.length = 0;
    const del = podCall(netns, { command: "DEL" }, config);
    assert.deepEqual(await engine.answer(del), { exitCode: 0, stdout: "" });
    assert.deepEqual(subnets, ["10.3.0.0/24", "0.0.0.0/0"]);
  });

  it("a mistake that came into the configuration keeps no pod from being deleted", async () => {
    const { node, netns } = newNode();
    const engine = node.engine();
    result(await engine.answer(podCall(netns)));
    const mistakes = { mtu: "1400", device_type: "netkit", runtimeConfig: 5, prevResult: [], policy: "k8s" };
    const ipam = { type: "calico-ipam", assign_ipv4: "no" };
    const config = { ...mistakes, ipam };
    assert.equal(JSON.parse((await engine.answer(podCall(netns, {}, config))).stdout).code, 7);
    const del = podCall(netns, { command: "DEL" }, config);
    assert.deepEqual(await engine.answer(del), { exitCode: 0, stdout: "" });
    assert.deepEqual(await node.state(), { kernel: [], allocations: [], endpoints: [] });
  });

  it("calico-ipam alone gives the same addresses until DEL", async () => {
    const { node } = newNode();
    const engine = node.engine();
    const call = podCall("", { plugin: "calico-ipam" }, { type: "bridge", cniVersion: "0.4.0" });
    const made = result(await engine.answer(call));
    assert.deepEqual(made, {
      cniVersion: "0.4.0",
      ips: [{ version: "4", address: "10.244.0.1/32" }],
      routes: [{ dst: "10.244.0.1/32" }],
      dns: {},
    });
    assert.deepEqual(result(await engine.answer(call)), made);
    const check = { ...call, command: "CHECK", stdin: JSON.stringify({ ...netconf, prevResult: made }) };
    assert.equal((await engine.answer(check)).exitCode, 0);
    assert.equal((await engine.answer({ ...call, command: "DEL" })).exitCode, 0);
    assert.equal((await engine.answer({ ...call, command: "DEL" })).exitCode, 0);
    assert.equal(JSON.parse((await engine.answer(check)).stdout).code, 103);
  });

  for (const plugin of ["calico", "calico-ipam"] as const) {
    it(`${plugin} gives the address that CNI_ARGS asks for, or none`, async () => {
      const { node, netns } = newNode();
      const engine = node.engine();
      const call = podCall(netns, { plugin, args: "IP=10.244.7.7" });
      const made = result(await engine.answer(call));
      assert.equal(made.ips[0]?.address, "10.244.7.7/32");
      assert.deepEqual(result(await engine.answer(call)), made);
      const other = { netns: node.rig.newNamespace(), containerId: "other" };
      assert.equal(JSON.parse((await engine.answer({ ...call, ...other })).stdout).code, 101);
      const malformed = await engine.answer({ ...call, ...other, args: "IP=10.244.7" });
      assert.equal(JSON.parse(malformed.stdout).code, 4);
      assert.equal((await engine.answer({ ...call, command: "DEL" })).exitCode, 0);
      assert.deepEqual(await node.state(), { kernel: [], allocations: [], endpoints: [] });
    });
  }

  for (const plugin of ["calico", "calico-ipam"] as const) {
    it(`${plugin} gives what the runtime asks for by its capabilities, or none`, async () => {
      const { node, netns } = newNode();
      const engine = node.engine();
      const asking = (...ips: readonly string[]): object => ({ runtimeConfig: { ips } });
      const call = podCall(netns, { plugin, args: "" }, asking("10.244.7.7/24", "fd00::7"));
      const made = result(await engine.answer(call));
      assert.deepEqual(
        made.ips.map(({ address }) => address),
        ["10.244.7.7/32", "fd00::7/128"],
      );
      assert.deepEqual(result(await engine.answer(call)), made);
      assert.equal((await engine.answer({ ...call, command: "DEL" })).exitCode, 0);
      for (const ips of [["10.244.7"], ["10.244.7.7", "10.244.7.8"]]) {
        const refused = await engine.answer(podCall(netns, { plugin, args: "" }, asking(...ips)));
        assert.equal(JSON.parse(refused.stdout).code, 7, ips.join());
      }
      assert.deepEqual(await node.state(), { kernel: [], allocations: [], endpoints: [] });
    });
  }

  it("the MAC is the one that the runtime asks for, by a capability or by CNI_ARGS; the pod's annotation wins", async () => {
    const annotation = { "cni.projectcalico.org/hwAddr": "1c:0c:0a:c0:ff:03" };
    const asking = { runtimeConfig: { mac: "1C-0C-0A-C0-FF-02" } };
    const args = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx;MAC=1c:0c:0a:c0:ff:01";
    for (const [config, mac] of [
      [{}, "1c:0c:0a:c0:ff:01"],
      [asking, "1c:0c:0a:c0:ff:02"],
      [
        { runtimeConfig: { ...asking.runtimeConfig, "io.kubernetes.cri.pod-annotations": annotation } },
        "1c:0c:0a:c0:ff:03",
      ],
    ] as const) {
      const { node, netns } = newNode();
      const made = result(await node.engine().answer(podCall(netns, { args }, config)));
      assert.equal(made.interfaces[1]?.mac, mac);
    }
    const { node, netns } = newNode();
    const refused = await node.engine().answer(podCall(netns, { args: "MAC=01:00:5e:00:00:01" }));
    assert.equal(JSON.parse(refused.stdout).code, 7);
  });

  it("another IPAM plugin is asked, given back after a failure, and asked once more after a kill", async () => {
    const { node, netns } = newNode();
    const asked: string[] = [];
    let isHeld = true;
    const engine = node.engine({
      runIpamPlugin: async (type, _call, command) => {
        asked.push(`${type} ${command}`);
        if (command === "DEL") isHeld = false;
        if (command !== "ADD") return undefined;
        if (isHeld) throw new Error("duplicate allocation is not allowed");
        isHeld = true;
        return {
          interfaces: [],
          ips: [{ address: Ipv4.of(0x0a000005), prefixLength: 24 }],
          routes: [],
          dns: undefined,
        };
      },
    });
    const call = podCall(netns, {}, { ipam: { type: "host-local" } });
    const made = result(await engine.answer(call));
    assert.equal(made.ips[0]?.address, "10.0.0.5/32");
    assert.deepEqual(asked, ["host-local ADD", "host-local DEL", "host-local ADD"]);
    assert.deepEqual(result(await engine.answer(call)), made, "the endpoint remembers");
    assert.equal(asked.length, 3);
  });
});
