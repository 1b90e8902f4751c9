/** Aim: pods get Calico's allocations from the real IPAM, whole or not at all. Method: the engine's port over `Ipam` on the memory store. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import { IpAddress } from "@caracal/net";
import { CniEngine } from "../src/cni/cni-engine.ts";
import { NodePodIpam } from "../src/endpoints/node-pod-ipam.ts";
import { FakeKernel } from "./cni-fakes.ts";
import { podCall, result } from "./cni-suite.ts";

const now = (): Nanos => Nanos.fromSeconds(1_700_000_000);

async function newPort(
  pools: Readonly<Record<string, object>>,
): Promise<{ store: MemoryStore; ipam: Ipam; port: NodePodIpam }> {
  const store = new MemoryStore();
  for (const [name, spec] of Object.entries(pools)) {
    const pool = { kind: "IPPool", apiVersion: "projectcalico.org/v3", metadata: { name }, spec };
    await store.create(keys.resource("ippools", name), JSON.stringify(pool));
  }
  const node = { kind: "Node", apiVersion: "projectcalico.org/v3", metadata: { name: "node-1" }, spec: {} };
  await store.create(keys.resource("nodes", "node-1"), JSON.stringify(node));
  const ipam = new Ipam({ store, node: "node-1", now });
  return { store, ipam, port: new NodePodIpam(ipam, "node-1") };
}

const v4 = { cidr: "10.244.0.0/16", blockSize: 26, nodeSelector: "all()" };
const v6 = { cidr: "fd00::/112", blockSize: 122, nodeSelector: "all()" };
const request = {
  handle: "net.c1",
  families: [4],
  pools: { 4: [], 6: [] },
  attributes: { node: "node-1", pod: "a", namespace: "b" },
} as const;

describe("NodePodIpam", () => {
  it("assigns with the attributes given, tells the block, and finds and releases by handle", async () => {
    const { store, ipam, port } = await newPort({ pool4: v4 });
    const outcome = await port.assign(request);
    assert.ok(outcome.kind === "assigned");
    assert.equal(outcome.claimed.length, 1);
    assert.deepEqual(await port.addressesOf("net.c1"), outcome.addresses);
    assert.deepEqual(await port.handlesOf("net."), ["net.c1"]);
    const { entries } = await store.list(keys.blocks());
    assert.deepEqual(JSON.parse(entries[0]?.value ?? "").attributes, [
      {
        handle_id: "net.c1",
        secondary: { namespace: "b", node: "node-1", pod: "a" },
      },
    ]);
    await port.release("net.c1");
    await port.release("net.c1");
    assert.deepEqual(await port.addressesOf("net.c1"), []);
    assert.deepEqual(await ipam.check(), []);
  });

  it("gives both families or none", async () => {
    const { ipam, port } = await newPort({ pool4: v4 });
    const outcome = await port.assign({ ...request, families: [4, 6] });
    assert.ok(outcome.kind === "refused");
    assert.match(outcome.reason, /^failed to request IPv6 addresses: /);
    assert.deepEqual(await port.addressesOf("net.c1"), []);
    assert.deepEqual(await ipam.check(), []);
    const both = await (
      await newPort({ pool4: v4, pool6: v6 })
    ).port.assign({ ...request, families: [4, 6] });
    assert.equal(both.kind === "assigned" && both.addresses.map(IpAddress.family).join(), "4,6");
  });

  it("refused, takes back what it took, and leaves what an earlier call was given", async () => {
    const { ipam, port } = await newPort({ pool4: v4 });
    const earlier = await port.assign(request);
    assert.ok(earlier.kind === "assigned");
    assert.equal((await port.assign({ ...request, families: [4, 6] })).kind, "refused");
    assert.deepEqual(await port.addressesOf("net.c1"), earlier.addresses);
    assert.deepEqual(await ipam.check(), []);
  });

  it("gives the address asked for, once", async () => {
    const { port } = await newPort({ pool4: v4 });
    const address = IpAddress.parse("10.244.3.7");
    assert.ok(address !== undefined);
    const outcome = await port.assign({ ...request, certain: [address] });
    assert.ok(outcome.kind === "assigned" && outcome.claimed.length === 1);
    const second = await port.assign({ ...request, handle: "net.c2", certain: [address] });
    assert.equal(second.kind, "refused");
  });

  it("names the pools to a runtime when none gives an address", async () => {
    const { store, port } = await newPort({ pool4: { ...v4, nodeSelector: "rack == 'r1'" } });
    const kernel = new FakeKernel();
    kernel.namespaces.add("/run/netns/a");
    const nothing = (): Promise<void> => Promise.resolve();
    const hooks = { blocksClaimed: nothing, endpointAdded: nothing, endpointRemoved: nothing };
    const sources = { now: () => new Date(0), uuid: () => "uuid" };
    const engine = new CniEngine({
      node: "node-1",
      store,
      ipam: port,
      kernel,
      hooks,
      isReady: () => true,
      sources,
    });
    const told = JSON.parse((await engine.answer(podCall("/run/netns/a"))).stdout);
    assert.equal(told.code, 101);
    assert.match(told.msg, /no configured Calico pools for node node-1.*pool4/);
  });

  it("ADD records Calico's attributes", async () => {
    const { store, port } = await newPort({ pool4: v4 });
    const kernel = new FakeKernel();
    kernel.namespaces.add("/run/netns/a");
    const nothing = (): Promise<void> => Promise.resolve();
    const hooks = { blocksClaimed: nothing, endpointAdded: nothing, endpointRemoved: nothing };
    const sources = { now: () => new Date(1_700_000_000_000), uuid: () => "uuid" };
    const engine = new CniEngine({
      node: "node-1",
      store,
      ipam: port,
      kernel,
      hooks,
      isReady: () => true,
      sources,
    });
    result(await engine.answer(podCall("/run/netns/a")));
    const { entries } = await store.list(keys.blocks());
    assert.deepEqual(JSON.parse(entries[0]?.value ?? "").attributes, [
      {
        handle_id: "k8s-pod-network.c0ffee0123456789",
        secondary: {
          namespace: "default",
          node: "node-1",
          pod: "nginx-7fc5",
          timestamp: "2023-11-14 22:13:20 +0000 UTC",
        },
      },
    ]);
  });

  it("serves 200 pods at once, each with its own address, and takes all back", async () => {
    const { store, ipam, port } = await newPort({ pool4: v4 });
    const kernel = new FakeKernel();
    const nothing = (): Promise<void> => Promise.resolve();
    const hooks = { blocksClaimed: nothing, endpointAdded: nothing, endpointRemoved: nothing };
    const sources = { now: () => new Date(0), uuid: () => crypto.randomUUID() };
    const engine = new CniEngine({
      node: "node-1",
      store,
      ipam: port,
      kernel,
      hooks,
      isReady: () => true,
      sources,
    });
    const calls = Array.from({ length: 200 }, (_, index) => {
      const netns = `/run/netns/${index}`;
      kernel.namespaces.add(netns);
      return podCall(netns, { containerId: `c${index}`, args: `K8S_POD_NAMESPACE=d;K8S_POD_NAME=p${index}` });
    });
    const answers = await Promise.all(calls.map((call) => engine.answer(call)));
    assert.equal(new Set(answers.map((answer) => result(answer).ips[0]?.address)).size, 200);
    assert.deepEqual(await ipam.check(), []);
    await Promise.all(calls.map((call) => engine.answer({ ...call, command: "DEL" })));
    assert.deepEqual(await port.handlesOf(""), []);
    assert.deepEqual(await ipam.check(), []);
  });
});
