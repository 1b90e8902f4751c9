/**
 * Aim: what a pod asks for by annotations is what it gets, or one clear error and nothing left behind.
 * Method: calls with the annotations that a runtime hands on, to the engine over the real IPAM on the memory store and a fake kernel.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import { IpAddress } from "@caracal/net";
import type { CniAnswer } from "../src/cni/cni-call.ts";
import { CniEngine, type CniEngineOptions } from "../src/cni/cni-engine.ts";
import { NodePodIpam } from "../src/endpoints/node-pod-ipam.ts";
import { WatchedNamespaces } from "../src/endpoints/watched-namespaces.ts";
import { FakeKernel } from "./cni-fakes.ts";
import { podCall, type PrintedResult, result } from "./cni-suite.ts";

const pools = {
  default: { cidr: "10.244.0.0/16" },
  off: { cidr: "10.9.0.0/16", disabled: true },
  other: { cidr: "10.7.0.0/16", assignmentMode: "Manual" },
  six: { cidr: "fd00::/112" },
  third: { cidr: "10.8.0.0/16", assignmentMode: "Manual" },
  tunnels: { cidr: "10.6.0.0/16", allowedUses: ["Tunnel"] },
};

type Annotations = Readonly<Record<string, string>>;

/** A node with six pools, and pods that ask. */
class Cluster {
  readonly store = new MemoryStore();
  readonly kernel = new FakeKernel();
  readonly ipam: Ipam;
  readonly engine: CniEngine;
  /** With nothing but pools and namespaces. */
  #before = "";

  private constructor(options: Partial<CniEngineOptions>) {
    const { store, kernel } = this;
    this.ipam = new Ipam({ store, node: "node-1", now: () => Nanos.fromSeconds(1_700_000_000) });
    const nothing = (): Promise<void> => Promise.resolve();
    const namespaces = new WatchedNamespaces(store);
    this.engine = new CniEngine({
      node: "node-1",
      store,
      ipam: new NodePodIpam(this.ipam, "node-1"),
      kernel,
      hooks: { blocksClaimed: nothing, endpointAdded: nothing, endpointRemoved: nothing },
      isReady: () => true,
      sources: { now: () => new Date(0), uuid: () => "uuid" },
      namespaceFacts: (namespace) => namespaces.get(namespace),
      nodeWith: (address) => (IpAddress.format(address) === "10.244.0.99" ? "node-2" : undefined),
      ...options,
    });
  }

  static async create(
    namespace: { readonly annotations?: Annotations; readonly labels?: Annotations } = {},
    options: Partial<CniEngineOptions> = {},
  ): Promise<Cluster> {
    const cluster = new Cluster(options);
    for (const [name, spec] of Object.entries(pools)) await cluster.putPool(name, spec);
    const value = { kind: "Namespace", apiVersion: "v1", metadata: { name: "default", ...namespace } };
    await cluster.store.create(keys.resource("kubernetesnamespaces", "default"), JSON.stringify(value));
    cluster.#before = JSON.stringify(await cluster.state());
    return cluster;
  }

  async putPool(name: string, spec: object): Promise<void> {
    const value = { kind: "IPPool", apiVersion: "projectcalico.org/v3", metadata: { name }, spec };
    await this.store.create(keys.resource("ippools", name), JSON.stringify(value));
    this.#before = JSON.stringify(await this.state());
  }

  call(annotations: Annotations, config: object = {}, pod = "a", command = "ADD"): Promise<CniAnswer> {
    const netns = `/run/netns/${pod}`;
    this.kernel.namespaces.add(netns);
    const named = Object.entries(annotations).map(([name, value]) => [
      `cni.projectcalico.org/${name}`,
      value,
    ]);
    const runtimeConfig = { "io.kubernetes.cri.pod-annotations": Object.fromEntries(named) };
    const args = `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod}`;
    const allowed = { ip_addrs_no_ipam: true, floating_ips: true };
    const whole = { runtimeConfig, feature_control: allowed, ...config };
    return this.engine.answer(podCall(netns, { command, args, containerId: `c-${pod}` }, whole));
  }

  async add(annotations: Annotations, config: object = {}, pod = "a"): Promise<PrintedResult> {
    return result(await this.call(annotations, config, pod));
  }

  async addresses(annotations: Annotations, config: object = {}, pod = "a"): Promise<string> {
    const made = await this.add(annotations, config, pod);
    return made.ips.map(({ address }) => address).join(" ");
  }

  /** The message of a refused ADD, which must have left nothing. */
  async refusal(annotations: Annotations, config: object = {}, pod = "a"): Promise<string> {
    const before = JSON.stringify(await this.state());
    const answer = await this.call(annotations, config, pod);
    assert.equal(answer.exitCode, 1, answer.stdout);
    assert.equal(JSON.stringify(await this.state()), before);
    const { code, msg } = JSON.parse(answer.stdout);
    return `${code} ${msg}`;
  }

  /** DEL leaves what was there before any pod. */
  async del(annotations: Annotations = {}, pod = "a"): Promise<void> {
    assert.deepEqual(await this.call(annotations, {}, pod, "DEL"), { exitCode: 0, stdout: "" });
    if (this.kernel.pairs.size === 0) assert.equal(JSON.stringify(await this.state()), this.#before);
    assert.deepEqual(await this.ipam.check(), []);
  }

  /** Pairs, handles and endpoints: blocks stay with a node. */
  async state(): Promise<unknown> {
    const { entries } = await this.store.list("");
    const kept = entries.map(({ key }) => key).filter((key) => !/\/ipam\/v2\/(assignment|host)\//.test(key));
    return [...this.kernel.pairs.keys(), ...kept];
  }

  async endpoint(pod = "a"): Promise<Record<string, unknown>> {
    const key = keys.resource("workloadendpoints", `node--1-k8s-${pod}-eth0`, "default");
    return JSON.parse((await this.store.get(key))?.value ?? "{}").spec;
  }
}

describe("ipAddrs", () => {
  it("gives these addresses through IPAM, of these families only, whatever a pool's mode, and again", async () => {
    const cluster = await Cluster.create();
    const asked = { ipAddrs: '["fd00::7", "10.7.3.4"]' };
    assert.equal(await cluster.addresses(asked), "10.7.3.4/32 fd00::7/128");
    assert.equal(await cluster.addresses(asked), "10.7.3.4/32 fd00::7/128");
    assert.equal(
      await cluster.refusal(asked, {}, "b").then((text) => text.slice(0, 30)),
      "101 resource already exists: 1",
    );
    const prevResult = await cluster.add(asked);
    assert.equal((await cluster.call(asked, { prevResult }, "a", "CHECK")).exitCode, 0);
    await cluster.del(asked);
  });

  it("refuses addresses outside of enabled pools, of pools for other uses, and a node's own", async () => {
    const cluster = await Cluster.create();
    const refusal = (address: string): Promise<string> => cluster.refusal({ ipAddrs: `["${address}"]` });
    assert.equal(
      await refusal("172.16.0.1"),
      "101 The provided IP address is not in a configured pool: 172.16.0.1",
    );
    assert.equal(
      await refusal("10.9.0.1"),
      "101 The provided IP address is not in a configured pool: 10.9.0.1",
    );
    assert.match(await refusal("10.6.0.1"), /^101 .* is in pool tunnels, which is not for Workload$/);
    assert.equal(await refusal("10.244.0.99"), "101 the address 10.244.0.99 is node node-2's own");
  });

  it("leaves nothing of one family when the other is refused", async () => {
    const cluster = await Cluster.create();
    await cluster.refusal({ ipAddrs: '["10.7.3.4", "fd01::1"]' });
    assert.deepEqual(await cluster.ipam.handlesOf(""), []);
  });
});

describe("ipAddrsNoIpam", () => {
  it("gives these addresses without IPAM, and DEL takes them away", async () => {
    const cluster = await Cluster.create();
    const asked = { ipAddrsNoIpam: '["172.16.0.9", "10.9.0.4"]' };
    assert.match(await cluster.refusal(asked), /at most one of each family/);
    const one = { ipAddrsNoIpam: '["10.9.0.4"]' };
    const prevResult = await cluster.add(one);
    assert.equal(prevResult.ips[0]?.address, "10.9.0.4/32");
    assert.deepEqual(await cluster.ipam.handlesOf(""), []);
    assert.deepEqual(await cluster.add(one), prevResult);
    assert.equal((await cluster.call(one, { prevResult }, "a", "CHECK")).exitCode, 0);
    assert.equal(await cluster.refusal(one, {}, "b"), "101 the address 10.9.0.4 is another pod's");
    await cluster.del();
  });

  it("is found by GC of its network, and by no other's", async () => {
    const cluster = await Cluster.create();
    await cluster.add({ ipAddrsNoIpam: '["10.9.0.4"]' });
    const collect = (config: object): Promise<CniAnswer> =>
      cluster.call({}, { cniVersion: "1.1.0", "cni.dev/valid-attachments": [], ...config }, "a", "GC");
    assert.equal((await collect({ name: "another" })).exitCode, 0);
    assert.equal(
      await cluster.refusal({ ipAddrsNoIpam: '["10.9.0.4"]' }, {}, "b"),
      "101 the address 10.9.0.4 is another pod's",
    );
    assert.equal((await collect({})).exitCode, 0);
    assert.equal(await cluster.addresses({ ipAddrsNoIpam: '["10.9.0.4"]' }, {}, "b"), "10.9.0.4/32");
  });

  it("refuses what IPAM has given or may give, and a node's own", async () => {
    const cluster = await Cluster.create();
    const refusal = (address: string): Promise<string> =>
      cluster.refusal({ ipAddrsNoIpam: `["${address}"]` }, {}, "b");
    const taken = (await cluster.addresses({})).replace("/32", "");
    assert.equal(await refusal(taken), `101 the address ${taken} is assigned already`);
    assert.equal(
      await refusal("10.244.77.7"),
      "101 the address 10.244.77.7 is of pool default, which gives it to others",
    );
    assert.equal(await refusal("10.244.0.99"), "101 the address 10.244.0.99 is node node-2's own");
    const gateway = IpAddress.parse("172.18.0.1");
    assert.ok(gateway !== undefined);
    cluster.kernel.hostUses.set(gateway, "gateway");
    assert.equal(await refusal("172.18.0.1"), "101 the address 172.18.0.1 is a gateway of this node");
    const reservation = {
      kind: "IPReservation",
      apiVersion: "projectcalico.org/v3",
      metadata: { name: "r" },
    };
    const value = JSON.stringify({ ...reservation, spec: { reservedCIDRs: ["10.244.77.0/24"] } });
    await cluster.store.create(keys.resource("ipreservations", "r"), value);
    assert.equal(await cluster.addresses({ ipAddrsNoIpam: '["10.244.77.7"]' }, {}, "b"), "10.244.77.7/32");
  });
});

describe("floatingIPs", () => {
  it("are written as NATs to the pod's own addresses", async () => {
    const cluster = await Cluster.create();
    const asked = { floatingIPs: '["10.7.9.9"]', ipAddrs: '["10.244.3.4"]' };
    await cluster.add(asked);
    assert.deepEqual((await cluster.endpoint())["ipNATs"], [
      { internalIP: "10.244.3.4", externalIP: "10.7.9.9" },
    ]);
    await cluster.del(asked);
  });

  it("are refused when they are another's, or of a family that the pod does not have", async () => {
    const cluster = await Cluster.create();
    await cluster.add({ ipAddrs: '["10.244.3.4"]' });
    const refusal = (address: string): Promise<string> =>
      cluster.refusal({ floatingIPs: `["${address}"]` }, {}, "b");
    assert.equal(await refusal("10.244.3.4"), "101 the address 10.244.3.4 is assigned already");
    assert.equal(await refusal("10.244.0.99"), "101 the address 10.244.0.99 is node node-2's own");
    assert.equal(await refusal("fd00::1"), "7 floatingIPs has fd00::1, and the pod has no IPv6 address");
  });
});

describe("pools", () => {
  const ipam = (ipv4: readonly string[]): object => ({ ipam: { type: "calico-ipam", ipv4_pools: ipv4 } });

  it("are the pod's before the namespace's before the configuration's before the selectors'", async () => {
    const annotated = { annotations: { "cni.projectcalico.org/ipv4pools": '["third"]' } };
    const [plain, namespaced] = [await Cluster.create(), await Cluster.create(annotated)];
    assert.match(await plain.addresses({}), /^10\.244\./);
    assert.match(await plain.addresses({}, ipam(["10.7.0.0/16"]), "b"), /^10\.7\./);
    assert.match(await namespaced.addresses({}, ipam(["10.7.0.0/16"])), /^10\.8\./);
    assert.match(await namespaced.addresses({ ipv4pools: '["other"]' }, ipam(["third"]), "b"), /^10\.7\./);
    // Without Kubernetes' policy annotations are not read.
    assert.match(await namespaced.addresses({ ipv4pools: '["other"]' }, { policy: {} }, "c"), /^10\.244\./);
  });

  it("may be told by the namespace's profile, and select by the namespace's labels", async () => {
    const cluster = await Cluster.create({ labels: { team: "blue" } });
    await cluster.putPool("blue", { cidr: "10.1.0.0/16", namespaceSelector: "team == 'blue'" });
    await cluster.putPool("kube", {
      cidr: "10.2.0.0/16",
      namespaceSelector: "kubernetes.io/metadata.name == 'default'",
      nodeSelector: "none == 'x'",
    });
    assert.match(await cluster.addresses({}), /^10\.1\./);
    const args = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=other";
    const alone = podCall("/run/netns/a", { plugin: "calico-ipam", args, containerId: "c-other" });
    assert.match(result(await cluster.engine.answer(alone)).ips[0]?.address ?? "", /^10\.1\./);
    const profile = {
      kind: "Profile",
      apiVersion: "projectcalico.org/v3",
      metadata: { name: "kns.default", annotations: { "cni.projectcalico.org/ipFamilies": '["IPv6"]' } },
      spec: { labelsToApply: { "pcns.team": "red" } },
    };
    await cluster.store.create(keys.resource("profiles", "kns.default"), JSON.stringify(profile));
    assert.match(await cluster.addresses({}, {}, "b"), /^fd00::/);
    assert.match(await cluster.addresses({ ipFamilies: '["IPv4"]' }, {}, "c"), /^10\.1\./);
  });

  it("that are unknown, disabled or not for pods are named", async () => {
    const cluster = await Cluster.create();
    const refusal = (pool: string): Promise<string> => cluster.refusal({ ipv4pools: `["${pool}"]` });
    assert.match(await refusal("none"), /^101 .*the given pool \(none\) does not exist, or is not enabled/);
    assert.match(await refusal("off"), /^101 .*the given pool \(off\) does not exist, or is not enabled/);
    assert.match(await refusal("tunnels"), /^101 .*tunnels: it is for Tunnel/);
  });
});

describe("hwAddr", () => {
  it("is the pod's MAC, also the second time, and a pair that has another is made anew", async () => {
    const cluster = await Cluster.create();
    const asked = { hwAddr: "1C:0c:0a:c0:ff:ee" };
    assert.equal((await cluster.add(asked)).interfaces[1]?.mac, "1c:0c:0a:c0:ff:ee");
    assert.equal((await cluster.endpoint())["mac"], "1c:0c:0a:c0:ff:ee");
    assert.equal(
      (await cluster.add({ hwAddr: "02:00:00:00:00:01" })).interfaces[1]?.mac,
      "02:00:00:00:00:01",
    );
    await cluster.del(asked);
    for (const hwAddr of ["1C-0C-0A-C0-FF-EE", "1c0c.0ac0.ffee"]) {
      assert.equal((await cluster.add({ hwAddr })).interfaces[1]?.mac, "1c:0c:0a:c0:ff:ee", hwAddr);
      await cluster.del({ hwAddr });
    }
  });
});

describe("what cannot be used is one error, and nothing is left", () => {
  const noFeatures = { feature_control: {} };
  const hostLocal = { ipam: { type: "host-local" } };
  const list = (name: string, of: string): RegExp =>
    new RegExp(`^7 annotation cni.projectcalico.org/${name} must be a JSON list of ${of}`);
  const cases: readonly (readonly [Annotations, object, RegExp])[] = [
    [{ ipAddrs: "10.244.0.1" }, {}, list("ipAddrs", "addresses")],
    [{ ipAddrs: "[]" }, {}, list("ipAddrs", "addresses, at most one of each family")],
    [{ ipAddrs: "[7]" }, {}, list("ipAddrs", "addresses")],
    [{ ipAddrs: '["10.244.0.256"]' }, {}, list("ipAddrs", "addresses")],
    [{ ipAddrs: '["10.244.0.1/32"]' }, {}, list("ipAddrs", "addresses")],
    [{ ipAddrs: '["10.244.0.1","10.244.0.2"]' }, {}, list("ipAddrs", "addresses, at most one")],
    [{ ipAddrs: '["127.0.0.1"]' }, {}, /^7 .*127\.0\.0\.1 is not one$/],
    [{ ipAddrs: '["ff02::1"]' }, {}, /^7 .*ff02::1 is not one$/],
    [{ ipAddrsNoIpam: '["169.254.1.1"]' }, {}, /^7 .*169\.254\.1\.1 is not one$/],
    [{ ipAddrs: '["10.244.0.1"]', ipAddrsNoIpam: '["10.0.0.1"]' }, {}, /^7 can't have both annotations: /],
    [
      { ipAddrs: '["10.244.0.1"]' },
      hostLocal,
      /^7 ipAddrs is not compatible with configured IPAM: host-local$/,
    ],
    [{ ipAddrsNoIpam: '["10.0.0.1"]' }, hostLocal, /^7 ipAddrsNoIpam is not compatible with configured/],
    [{ ipAddrsNoIpam: '["10.0.0.1"]' }, noFeatures, /^7 requested feature is not enabled: ip_addrs_no_ipam$/],
    [{ floatingIPs: '["10.0.0.1"]' }, noFeatures, /^7 requested feature is not enabled: floating_ips$/],
    [{ floatingIPs: "{}" }, {}, list("floatingIPs", "addresses")],
    [{ ipv4pools: "default" }, {}, list("ipv4pools", "pool names or CIDRs")],
    [{ ipv6pools: "[]" }, {}, list("ipv6pools", "pool names or CIDRs, not empty")],
    [{ ipFamilies: '["IPv5"]' }, {}, list("ipFamilies", '"IPv4" and "IPv6"')],
    [{ allowedSourcePrefixes: '["x"]' }, {}, list("allowedSourcePrefixes", "addresses or CIDRs")],
    [{ hwAddr: "1c:0c:0a" }, {}, /^7 annotation .*hwAddr must be the MAC address of one interface/],
    [{ hwAddr: "1c-0c-0a:c0:ff:ee" }, {}, /^7 annotation .*hwAddr must be/],
    [{ hwAddr: "1c0c0ac0ffee" }, {}, /^7 annotation .*hwAddr must be/],
    [{ hwAddr: "00:00:00:00:00:00" }, {}, /^7 annotation .*hwAddr must be/],
    [{ hwAddr: "01:00:5e:00:00:01" }, {}, /^7 annotation .*hwAddr must be/],
  ];
  for (const [annotations, config, expected] of cases) {
    it(`${JSON.stringify(annotations)} with ${JSON.stringify(config)}`, async () => {
      const cluster = await Cluster.create();
      assert.match(await cluster.refusal(annotations, config), expected);
      // The runtime's DEL of the failed ADD hands the same annotations on.
      await cluster.del(annotations);
    });
  }

  it("a namespace's annotation too", async () => {
    const cluster = await Cluster.create({ annotations: { "cni.projectcalico.org/ipv4pools": "x" } });
    assert.match(await cluster.refusal({}), /^7 namespace annotation .*ipv4pools must be a JSON list/);
  });

  it("annotations that are no texts", async () => {
    const runtimeConfig = { "io.kubernetes.cri.pod-annotations": { a: 1 } };
    const told = await (await Cluster.create()).refusal({}, { runtimeConfig });
    assert.equal(told, "7 runtimeConfig.io.kubernetes.cri.pod-annotations must be an object of texts");
  });
});

it("allowedSourcePrefixes go into the endpoint", async () => {
  const cluster = await Cluster.create();
  await cluster.add({ allowedSourcePrefixes: '["8.8.8.0/24", "9.9.9.9"]' });
  assert.deepEqual((await cluster.endpoint())["allowSpoofedSourcePrefixes"], ["8.8.8.0/24", "9.9.9.9/32"]);
});
