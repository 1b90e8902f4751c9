/**
 * Aim: a node's tunnel addresses are Calico's allocations, one for each encapsulation in use, and nobody else's. Method: the
 * real IPAM and client, on the store in memory and on Debian's etcd; pools and the Node are changed under them.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { keys, MemoryStore, ResourceClient, type Store } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import { IpAddress } from "@caracal/net";
import type { IpPool, Node } from "@caracal/resources";
import { EtcdStore } from "@caracal/store-etcd";
import { requireTool, startEtcd, Testbed } from "@caracal/testbed";
import { TunnelAddresses } from "../src/tunnel-addresses/tunnel-addresses.ts";
import { address, memoryLog } from "./node-fixtures.ts";

const apiVersion = "projectcalico.org/v3";
const now = (): Nanos => Nanos.fromSeconds(1_700_000_000);
const ipipType = "ipipTunnelAddress";

/** A cluster in an empty store, and the daemon's part of each node that is asked for. */
class Cluster {
  readonly store: Store;
  readonly client: ResourceClient;
  readonly log = memoryLog();
  readonly claimed: string[] = [];

  constructor(store: Store) {
    this.store = store;
    let count = 0;
    const uuid = () => `00000000-0000-4000-8000-${String((count += 1)).padStart(12, "0")}`;
    this.client = new ResourceClient(store, { now: () => "2026-01-02T03:04:05Z", uuid });
  }

  async pool(name: string, spec: IpPool["spec"]): Promise<void> {
    const outcome = await this.client.apply({ kind: "IPPool", apiVersion, metadata: { name }, spec });
    assert.equal(outcome.kind, "ok", JSON.stringify(outcome));
  }

  async node(name: string, spec: Node["spec"] = {}, labels = {}, status: Node["status"] = {}): Promise<void> {
    const node: Node = { kind: "Node", apiVersion, metadata: { name, labels }, spec, status };
    const outcome = await this.client.apply(node);
    assert.equal(outcome.kind, "ok", JSON.stringify(outcome));
  }

  async spec(name = "n1"): Promise<Node["spec"]> {
    const found = await this.client.get("Node", name);
    assert.ok(found.kind === "ok");
    return found.resource.spec;
  }

  ipam(node = "n1"): Ipam {
    return new Ipam({ store: this.store, node, now });
  }

  tunnels(node = "n1", client = this.client, lingering = {}): TunnelAddresses {
    return new TunnelAddresses({
      ...lingering,
      node,
      client,
      ipam: this.ipam(node),
      log: this.log.log,
      onBlocksClaimed: async (blocks) => void this.claimed.push(...blocks.map((one) => String(one.length))),
    });
  }

  async held(handle: string): Promise<readonly string[]> {
    return (await this.ipam().addressesOf(handle)).map(IpAddress.format);
  }

  warnings(): readonly unknown[] {
    return this.log.lines
      .filter(({ level }) => level !== "info")
      .map(({ because, reason }) => because ?? reason);
  }
}

const ipip = { cidr: "10.244.0.0/16", blockSize: 24, ipipMode: "Always" } as const;

function cases(open: () => Promise<Cluster>): void {
  test("each encapsulation in use has one address of a pool for it, with Calico's handle and attributes", async () => {
    const cluster = await open();
    await cluster.node("n1", { bgp: { ipv4Address: "10.0.0.11/24" } });
    await cluster.pool("a-plain", { cidr: "10.1.0.0/16" });
    await cluster.pool("b-ipip", { ...ipip, ipipMode: "CrossSubnet" });
    await cluster.pool("c-vxlan", { cidr: "10.3.0.0/16", vxlanMode: "Always" });
    await cluster.pool("d-vxlan6", { cidr: "fd00:3::/112", vxlanMode: "CrossSubnet" });
    await cluster.tunnels().ensure();
    const { bgp, ipv4VXLANTunnelAddr = "", ipv6VXLANTunnelAddr = "", wireguard } = await cluster.spec();
    assert.equal(bgp?.ipv4Address, "10.0.0.11/24");
    assert.equal(wireguard, undefined);
    for (const [handle, text, type, range] of [
      ["ipip-tunnel-addr-n1", bgp?.ipv4IPIPTunnelAddr ?? "", ipipType, "10.244."],
      ["vxlan-tunnel-addr-n1", ipv4VXLANTunnelAddr, "vxlanTunnelAddress", "10.3."],
      ["vxlan-v6-tunnel-addr-n1", ipv6VXLANTunnelAddr, "vxlanV6TunnelAddress", "fd00:3::"],
    ] as const) {
      assert.ok(text.startsWith(range), text);
      assert.deepEqual(await cluster.held(handle), [text]);
      const state = await cluster.ipam().lookup(address(text));
      assert.ok(state.kind === "allocated");
      assert.deepEqual([state.handle, state.attributes], [handle, { node: "n1", type }]);
    }
    assert.deepEqual(cluster.claimed, ["24", "26", "122"]);
    const before = await cluster.store.list(keys.root);
    await cluster.tunnels().ensure();
    assert.deepEqual((await cluster.store.list(keys.root)).entries, before.entries);
    assert.deepEqual(await cluster.ipam().check(), []);
  });

  test("WireGuard has an address of any pool while the node publishes a key, unless hosts are encrypted too", async () => {
    const cluster = await open();
    await cluster.pool("plain", { cidr: "10.1.0.0/16" });
    await cluster.pool("plain6", { cidr: "fd00:3::/112" });
    await cluster.node("n1", {}, {}, { wireguardPublicKey: "k4", wireguardPublicKeyV6: "k6" });
    await cluster.tunnels().ensure();
    const { wireguard } = await cluster.spec();
    const { interfaceIPv4Address: ipv4 = "", interfaceIPv6Address: ipv6 = "" } = wireguard ?? {};
    assert.deepEqual(await cluster.held("wireguard-tunnel-addr-n1"), [ipv4]);
    assert.deepEqual(await cluster.held("wireguard-v6-tunnel-addr-n1"), [ipv6]);
    const state = await cluster.ipam().lookup(address(ipv6));
    assert.ok(state.kind === "allocated");
    assert.deepEqual(state.attributes, { node: "n1", type: "wireguardV6TunnelAddress" });
    await cluster.tunnels("n1", cluster.client, { encryptsHosts: true }).ensure();
    assert.equal((await cluster.spec()).wireguard, undefined);
    assert.deepEqual(await cluster.held("wireguard-tunnel-addr-n1"), []);
    await cluster.tunnels().ensure();
    assert.equal((await cluster.held("wireguard-tunnel-addr-n1")).length, 1);
    // The key is gone, as after a change to a dataplane without WireGuard.
    await cluster.node("n1", await cluster.spec());
    await cluster.tunnels().ensure();
    assert.equal((await cluster.spec()).wireguard, undefined);
    assert.deepEqual(await cluster.held("wireguard-v6-tunnel-addr-n1"), []);
  });

  test("an address that no pool asks for any more stays a while, as others may still send to it", async () => {
    const cluster = await open();
    await cluster.node("n1", { bgp: { ipv4Address: "10.0.0.11/24" } });
    await cluster.pool("a", ipip);
    let nowMs = 1000;
    const tunnels = cluster.tunnels("n1", cluster.client, { lingerMs: 60_000, now: () => nowMs });
    await tunnels.ensure();
    const held = await cluster.held("ipip-tunnel-addr-n1");
    assert.equal(held.length, 1);
    await cluster.pool("a", { ...ipip, ipipMode: "Never" });
    await tunnels.ensure();
    nowMs += 59_999;
    await tunnels.ensure();
    assert.deepEqual(await cluster.held("ipip-tunnel-addr-n1"), held);
    assert.equal((await cluster.spec()).bgp?.ipv4IPIPTunnelAddr, held[0]);
    nowMs += 1;
    await tunnels.ensure();
    assert.deepEqual(await cluster.held("ipip-tunnel-addr-n1"), []);
    assert.deepEqual((await cluster.spec()).bgp, { ipv4Address: "10.0.0.11/24" });
  });

  test("pools that are disabled, for other nodes or not for tunnels give none, and the Node has no empty parts", async () => {
    const cluster = await open();
    await cluster.node("n1", {}, { rack: "a" });
    await cluster.pool("disabled", { ...ipip, disabled: true });
    await cluster.pool("other", { ...ipip, cidr: "10.245.0.0/16", nodeSelector: "rack == 'b'" });
    await cluster.pool("pods", { ...ipip, cidr: "10.246.0.0/16", allowedUses: ["Workload"] });
    await cluster.tunnels().ensure();
    assert.deepEqual([await cluster.spec(), await cluster.held("ipip-tunnel-addr-n1")], [{}, []]);
  });

  test("when no pool is encapsulated any more, the address goes back and the Node forgets it", async () => {
    const cluster = await open();
    await cluster.node("n1");
    await cluster.pool("pool", ipip);
    const tunnels = cluster.tunnels();
    await tunnels.ensure();
    assert.notEqual((await cluster.spec()).bgp, undefined);
    await cluster.pool("pool", { ...ipip, ipipMode: "Never", vxlanMode: "Always" });
    await tunnels.ensure();
    const spec = await cluster.spec();
    assert.equal(spec.bgp, undefined);
    assert.notEqual(spec.ipv4VXLANTunnelAddr, undefined);
    assert.deepEqual(await cluster.held("ipip-tunnel-addr-n1"), []);
  });

  test("an address stays while its pool is disabled, and moves when the pool is gone", async () => {
    const cluster = await open();
    await cluster.node("n1");
    await cluster.pool("a", ipip);
    const tunnels = cluster.tunnels();
    await tunnels.ensure();
    const first = (await cluster.spec()).bgp?.ipv4IPIPTunnelAddr;
    await cluster.pool("a", { ...ipip, disabled: true });
    await cluster.pool("b", { ...ipip, cidr: "10.245.0.0/16" });
    await tunnels.ensure();
    assert.equal((await cluster.spec()).bgp?.ipv4IPIPTunnelAddr, first);
    await cluster.store.delete(keys.resource("ippools", "a"));
    await tunnels.ensure();
    const second = (await cluster.spec()).bgp?.ipv4IPIPTunnelAddr ?? "";
    assert.match(second, /^10\.245\./);
    assert.deepEqual(await cluster.held("ipip-tunnel-addr-n1"), [second]);
  });

  test("an address that nobody has is taken again; one that a pod has is left to it, with one line", async () => {
    const cluster = await open();
    await cluster.node("n1");
    await cluster.pool("pool", ipip);
    const tunnels = cluster.tunnels();
    await tunnels.ensure();
    const text = (await cluster.spec()).bgp?.ipv4IPIPTunnelAddr ?? "";
    await cluster.ipam().releaseHandle("ipip-tunnel-addr-n1");
    await tunnels.ensure();
    assert.deepEqual(await cluster.held("ipip-tunnel-addr-n1"), [text]);
    assert.deepEqual(cluster.warnings(), []);
    await cluster.ipam().releaseHandle("ipip-tunnel-addr-n1");
    const attributes = { pod: "web", namespace: "default", node: "n2" };
    const taken = await cluster
      .ipam("n2")
      .assignAddress({ address: address(text), handle: "net.c", attributes });
    assert.equal(taken.kind, "assigned");
    await tunnels.ensure();
    await tunnels.ensure();
    const moved = (await cluster.spec()).bgp?.ipv4IPIPTunnelAddr ?? "";
    assert.notEqual(moved, text);
    assert.deepEqual(await cluster.held("ipip-tunnel-addr-n1"), [moved]);
    assert.deepEqual(await cluster.held("net.c"), [text]);
    assert.deepEqual(cluster.warnings(), ["the pod default/web on n2 has it"]);
  });

  test("what an interrupted run has taken is used, and what is too many goes back", async () => {
    const cluster = await open();
    await cluster.node("n1");
    await cluster.pool("pool", ipip);
    const handle = "ipip-tunnel-addr-n1";
    const request = { family: 4, count: 2, handle, attributes: { node: "n1", type: ipipType } } as const;
    const taken = await cluster.ipam().assign({ ...request, use: "Tunnel" });
    assert.ok(taken.kind === "assigned");
    await cluster.tunnels().ensure();
    const text = (await cluster.spec()).bgp?.ipv4IPIPTunnelAddr ?? "";
    assert.ok(taken.addresses.map(IpAddress.format).includes(text));
    assert.deepEqual(await cluster.held(handle), [text]);
  });

  test("an exhausted pool is told once, leaves the Node without address, and is tried again", async () => {
    const cluster = await open();
    await cluster.node("n1");
    await cluster.pool("pool", { ...ipip, cidr: "10.244.0.0/32", blockSize: 32 });
    await cluster.ipam().assignAddress({ address: address("10.244.0.0"), handle: "net.c", attributes: {} });
    const tunnels = cluster.tunnels();
    await tunnels.ensure();
    await tunnels.ensure();
    assert.deepEqual([(await cluster.spec()).bgp, cluster.warnings().length], [undefined, 1]);
    await cluster.ipam().releaseHandle("net.c");
    await tunnels.ensure();
    assert.equal((await cluster.spec()).bgp?.ipv4IPIPTunnelAddr, "10.244.0.0");
  });

  test("writers of the Node at the same time lose nothing", async () => {
    const cluster = await open();
    await cluster.node("n1");
    await cluster.pool("pool", ipip);
    await cluster.pool("pool6", { cidr: "fd00:3::/112", vxlanMode: "Always" });
    const label = async (name: string): Promise<void> => {
      for (;;) {
        const found = await cluster.client.get("Node", "n1");
        assert.ok(found.kind === "ok");
        const { metadata } = found.resource;
        const labels = { ...metadata.labels, [name]: "yes" };
        const outcome = await cluster.client.update({ ...found.resource, metadata: { ...metadata, labels } });
        if (outcome.kind === "ok") return;
      }
    };
    await Promise.all([cluster.tunnels().ensure(), ...["a", "b", "c", "d"].map(label)]);
    const found = await cluster.client.get("Node", "n1");
    assert.ok(found.kind === "ok");
    assert.deepEqual(Object.keys(found.resource.metadata.labels ?? {}).toSorted(), ["a", "b", "c", "d"]);
    assert.ok(found.resource.spec.bgp?.ipv4IPIPTunnelAddr !== undefined);
    assert.ok(found.resource.spec.ipv6VXLANTunnelAddr !== undefined);
  });

  test("a hundred nodes at once have a hundred different addresses", async () => {
    const cluster = await open();
    const names = Array.from({ length: 100 }, (_one, index) => `n${index}`);
    await cluster.pool("pool", { ...ipip, blockSize: 26 });
    await Promise.all(names.map((name) => cluster.node(name)));
    await Promise.all(names.map((name) => cluster.tunnels(name).ensure()));
    const texts = await Promise.all(
      names.map(async (name) => (await cluster.spec(name)).bgp?.ipv4IPIPTunnelAddr),
    );
    assert.equal(new Set(texts).size, 100);
    assert.deepEqual(await cluster.ipam().check(), []);
  });
}

describe("on the store in memory", () => cases(async () => new Cluster(new MemoryStore())));

describe("on a real etcd", { skip: requireTool("etcd") }, () => {
  const bed = Testbed.create();
  let store: EtcdStore | undefined;
  before(async () => {
    const { endpoint } = await startEtcd(bed);
    store = new EtcdStore({ endpoints: [endpoint] });
  });
  after(async () => {
    await store?.close();
    await bed.close();
  });
  cases(async () => {
    const opened = store;
    assert.ok(opened !== undefined);
    const { entries } = await opened.list(keys.root);
    await Promise.all(entries.map(({ key }) => opened.delete(key)));
    return new Cluster(opened);
  });
});
