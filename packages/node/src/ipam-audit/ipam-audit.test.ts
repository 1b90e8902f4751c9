/**
 * Aim: the audit names an address that nobody has, with proof, and gives it back only when told to; whoever has one, or may
 * have it, keeps it. Method: a memory store with real IPAM records, observations by hand, a clock that the test moves.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import { IpAddress } from "@caracal/net";
import pino from "pino";
import { hostNameOf } from "../cni/attachment.ts";
import { Metrics } from "../observe/metrics.ts";
import { IpamAudit, type IpamAuditOptions } from "./ipam-audit.ts";

const graceSeconds = 60;

class Cluster {
  readonly store = new MemoryStore();
  readonly metrics = new Metrics();
  readonly interfaces = new Set<string>();
  seconds = 1_767_323_045;
  readonly ipam: Ipam;

  constructor() {
    this.ipam = new Ipam({ store: this.store, node: "n1", now: () => this.now() });
  }

  static async create(): Promise<Cluster> {
    const cluster = new Cluster();
    await cluster.put("IPPool", "ippools", "pool", { cidr: "10.0.0.0/24" });
    await cluster.put("Node", "nodes", "n1", {});
    return cluster;
  }

  now(): Nanos {
    return Nanos.fromSeconds(this.seconds);
  }

  async put(kind: string, plural: string, name: string, spec: object, namespace?: string): Promise<void> {
    const metadata = { name, ...(namespace !== undefined && { namespace }) };
    const value = JSON.stringify({ kind, apiVersion: "projectcalico.org/v3", metadata, spec });
    const key = keys.resource(plural, name, namespace);
    await this.store.delete(key);
    await this.store.create(key, value);
  }

  async assign(pod: string, attributes: Record<string, string> = {}): Promise<string> {
    const owner = { node: "n1", namespace: "default", pod, ...attributes };
    const result = await this.ipam.assign({ family: 4, handle: `net.${pod}`, attributes: owner });
    const [address] = result.kind === "assigned" ? result.addresses : [];
    assert.ok(address !== undefined);
    return IpAddress.format(address);
  }

  async endpoint(pod: string, address: string, interfaceName: string): Promise<void> {
    const spec = {
      orchestrator: "k8s",
      node: "n1",
      pod,
      endpoint: "eth0",
      interfaceName,
      ipNetworks: [`${address}/32`],
    };
    await this.put("WorkloadEndpoint", "workloadendpoints", `n1-k8s-${pod}-eth0`, spec, "default");
  }

  audit(options: Partial<IpamAuditOptions> = {}): IpamAudit {
    return new IpamAudit({
      node: "n1",
      store: this.store,
      ipam: this.ipam,
      mode: "report",
      graceSeconds,
      hasInterface: (name) => this.interfaces.has(name),
      mayWrite: () => true,
      now: () => this.now(),
      log: pino({ enabled: false }),
      metrics: this.metrics,
      ...options,
    });
  }

  /** Two observations, a grace time apart. */
  async observe(audit: IpamAudit): Promise<readonly string[]> {
    await audit.look();
    this.seconds += graceSeconds;
    await audit.look();
    return audit.troubles;
  }
}

test("a leaked address is named with its proof, and kept unless repair is asked for", async () => {
  const cluster = await Cluster.create();
  const address = await cluster.assign("gone");
  const audit = cluster.audit();
  await audit.look();
  assert.deepEqual(audit.troubles, []);
  const [line = "", ...others] = await cluster.observe(audit);
  assert.deepEqual(others, []);
  assert.match(
    line,
    new RegExp(
      `^${address} of block 10\\.0\\.0\\.[0-9]+/26 is leaked: handle net\\.gone has it for pod default/gone, `,
    ),
  );
  assert.equal((await cluster.ipam.addressesOf("net.gone")).length, 1);
  assert.match(await cluster.metrics.text(), /^caracal_ipam_leaked_addresses 1$/m);

  assert.deepEqual(await cluster.observe(cluster.audit({ mode: "repair" })), []);
  assert.deepEqual(await cluster.ipam.addressesOf("net.gone"), []);
  assert.match(await cluster.metrics.text(), /^ipam_allocations_gc_reclamations 1$/m);
});

test("whoever has an address, or may have it, keeps it", async () => {
  const cluster = await Cluster.create();
  const endpoint = await cluster.assign("alive");
  await cluster.endpoint("alive", endpoint, "cali1");
  await cluster.assign("unwritten");
  cluster.interfaces.add(hostNameOf({ namespace: "default", name: "unwritten" }, ""));
  await cluster.assign("tunnel", { type: "vxlanTunnelAddress" });
  await cluster.assign("bridge", { note: "assigned for another plugin" });
  await cluster.assign("elsewhere", { node: "n2" });
  await cluster.assign("nameless", { pod: "" });
  const ofNode = await cluster.assign("node");
  await cluster.put("Node", "nodes", "n1", { ipv4VXLANTunnelAddr: ofNode });
  assert.deepEqual(await cluster.observe(cluster.audit({ mode: "repair" })), []);
  assert.equal((await cluster.ipam.handlesOf("net.")).length, 7);
});

test("the interface of the pod's next container is no proof for the former one's address", async () => {
  const cluster = await Cluster.create();
  const former = await cluster.assign("pod");
  const name = hostNameOf({ namespace: "default", name: "pod" }, "");
  cluster.interfaces.add(name);
  await cluster.endpoint("pod", "10.0.0.99", name);
  const [line = ""] = await cluster.observe(cluster.audit());
  assert.ok(line.startsWith(`${former} of block`), line);
});

test("an owner who comes before the last look keeps the address, and so does the next one", async () => {
  const cluster = await Cluster.create();
  const address = await cluster.assign("late");
  const audit = cluster.audit({ mode: "repair" });
  await audit.look();
  cluster.seconds += graceSeconds;
  await cluster.endpoint("late", address, "cali1");
  await audit.look();
  assert.equal((await cluster.ipam.addressesOf("net.late")).length, 1);
});

test("a locked datastore is not written to", async () => {
  const cluster = await Cluster.create();
  await cluster.assign("gone");
  const audit = cluster.audit({ mode: "repair", mayWrite: () => false });
  assert.equal((await cluster.observe(audit)).length, 1);
  assert.equal((await cluster.ipam.addressesOf("net.gone")).length, 1);
});
