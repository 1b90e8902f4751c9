/**
 * Aim: the audit names an address that nobody has, with proof, and gives it back only when told to; whoever has one, or may
 * have it, keeps it. Method: a memory store with real IPAM records, observations by hand, a clock that the test moves.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, MemoryStore, readResource, type Store, StoreError } from "@caracal/datastore";
import { Ipam, IpamError, Nanos, readSnapshot } from "@caracal/ipam";
import { IpAddress } from "@caracal/net";
import pino from "pino";
import { hostNameOf } from "../cni/attachment.ts";
import { Metrics } from "../observe/metrics.ts";
import { type AuditView, IpamAudit, type IpamAuditOptions } from "./ipam-audit.ts";

const graceSeconds = 60;

class Cluster {
  readonly store = new MemoryStore();
  /** How often the datastore was listed or asked. */
  reads = 0;
  /** What the daemon's watches would show; `refresh` brings it up to date. */
  readonly view: Writable<AuditView> = {
    isCurrent: true,
    usedBlocks: [],
    endpoints: [],
    resources: { nodes: [] },
  };
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

  async endpoint(
    pod: string,
    address: string | undefined,
    interfaceName: string,
    more: object = {},
  ): Promise<void> {
    const spec = {
      orchestrator: "k8s",
      node: "n1",
      pod,
      endpoint: "eth0",
      interfaceName,
      ...(address !== undefined && { ipNetworks: [`${address}/32`] }),
      ...more,
    };
    await this.put("WorkloadEndpoint", "workloadendpoints", `n1-k8s-${pod}-eth0`, spec, "default");
  }

  async refresh(): Promise<void> {
    const { blocks } = readSnapshot((await this.store.list(keys.blocks())).entries);
    this.view.usedBlocks = blocks.map(({ record }) => record);
    const { entries } = await this.store.list(keys.resources("workloadendpoints"));
    const endpoints = entries.flatMap((entry) => readResource("WorkloadEndpoint", entry) ?? []);
    this.view.endpoints = endpoints.filter(({ spec }) => spec.node === "n1");
  }

  /** The store as the audit asks it. */
  get counted(): Store {
    const count = <T>(answer: T): T => {
      this.reads += 1;
      return answer;
    };
    return {
      get: (key) => count(this.store.get(key)),
      list: (prefix) => count(this.store.list(prefix)),
      create: (key, value) => this.store.create(key, value),
      update: (key, value, revision) => this.store.update(key, value, revision),
      delete: (key, revision) => this.store.delete(key, revision),
      watch: (prefix, after, signal) => this.store.watch(prefix, after, signal),
      close: () => this.store.close(),
    };
  }

  audit(options: Partial<IpamAuditOptions> = {}): IpamAudit {
    return new IpamAudit({
      node: "n1",
      store: this.counted,
      view: this.view,
      inTurnOf: (_pod, work) => work(),
      forget: () => assert.fail("no container was forgotten"),
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
    await this.look(audit);
    this.seconds += graceSeconds;
    await this.look(audit);
    return audit.troubles;
  }

  async look(audit: IpamAudit): Promise<void> {
    await this.refresh();
    await audit.look();
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

test("a leaked address is named with its proof, and kept unless repair is asked for", async () => {
  const cluster = await Cluster.create();
  const address = await cluster.assign("gone");
  const audit = cluster.audit();
  await cluster.look(audit);
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
  await cluster.assign("machine", { "vmi-name": "vm", "vm-uid": "1" });
  await cluster.assign("waiting");
  await cluster.endpoint("waiting", undefined, hostNameOf({ namespace: "default", name: "waiting" }, ""));
  await cluster.assign("same");
  await cluster.endpoint("same", "10.0.0.98", "cali2", { containerID: "same" });
  const ofNode = await cluster.assign("node");
  await cluster.put("Node", "nodes", "n1", { ipv4VXLANTunnelAddr: ofNode });
  assert.deepEqual(await cluster.observe(cluster.audit({ mode: "repair" })), []);
  assert.equal((await cluster.ipam.handlesOf("net.")).length, 10);
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
  await cluster.look(audit);
  cluster.seconds += graceSeconds;
  await cluster.refresh();
  // The watch has yet to tell.
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

test("one address of a handle that somebody has keeps the others", async () => {
  const cluster = await Cluster.create();
  const first = await cluster.assign("pod");
  await cluster.assign("pod");
  await cluster.endpoint("other", first, "cali1");
  assert.deepEqual(await cluster.observe(cluster.audit({ mode: "repair" })), []);
  assert.equal((await cluster.ipam.addressesOf("net.pod")).length, 2);
});

test("looking asks the datastore only when something is due, and for what is proven once an hour", async () => {
  const cluster = await Cluster.create();
  await cluster.assign("gone");
  const audit = cluster.audit();
  await cluster.look(audit);
  assert.equal(cluster.reads, 0);
  cluster.seconds += graceSeconds;
  await cluster.look(audit);
  // The block, the endpoints and the nodes.
  assert.equal(cluster.reads, 3);
  cluster.seconds += 1800;
  await cluster.look(audit);
  assert.equal(cluster.reads, 3);
  cluster.seconds += 1800;
  await cluster.look(audit);
  assert.equal(cluster.reads, 6);
  assert.equal(audit.troubles.length, 1);
});

test("nothing is concluded from watches that are behind, nor while the datastore is away", async () => {
  const cluster = await Cluster.create();
  await cluster.assign("gone");
  cluster.view.isCurrent = false;
  const audit = cluster.audit({ mode: "repair" });
  assert.deepEqual(await cluster.observe(audit), []);
  cluster.view.isCurrent = true;
  const away: Store = {
    ...cluster.counted,
    list: () => Promise.reject(new StoreError("unavailable", "away")),
  };
  const blind = cluster.audit({ mode: "repair", store: away });
  await cluster.look(blind);
  cluster.seconds += graceSeconds;
  await assert.rejects(cluster.look(blind), StoreError);
  assert.equal((await cluster.ipam.addressesOf("net.gone")).length, 1);
});

test("what fails for a while does not end the audit", async () => {
  const cluster = await Cluster.create();
  await cluster.assign("gone");
  const stop = new AbortController();
  let looks = 0;
  const failures = [new IpamError("contention", "others"), new StoreError("unavailable", "away")];
  const audit = cluster.audit({
    mode: "repair",
    inTurnOf: async (_pod, work) => {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      return work();
    },
    sleep: async () => {
      looks += 1;
      cluster.seconds += graceSeconds;
      await cluster.refresh();
      if (looks > 4) stop.abort();
    },
  });
  await audit.run(stop.signal);
  assert.deepEqual(await cluster.ipam.addressesOf("net.gone"), []);
  assert.deepEqual(audit.troubles, []);
});

test("a call about the pod that comes before the release keeps what its handle holds", async () => {
  const cluster = await Cluster.create();
  const address = await cluster.assign("back");
  const audit = cluster.audit({
    mode: "repair",
    // An ADD of the same container had its turn first: it found what its handle holds and wrote its endpoint.
    inTurnOf: async (_pod, work) => {
      await cluster.endpoint("back", address, "cali1");
      return work();
    },
  });
  await cluster.observe(audit);
  assert.equal((await cluster.ipam.addressesOf("net.back")).length, 1);
  // Or it was given one address more and is about to write its endpoint.
  await cluster.store.delete(keys.resource("workloadendpoints", "n1-k8s-back-eth0", "default"));
  const more = cluster.audit({
    mode: "repair",
    inTurnOf: async (_pod, work) => {
      await cluster.assign("back");
      return work();
    },
  });
  await cluster.observe(more);
  assert.equal((await cluster.ipam.addressesOf("net.back")).length, 2);
});

test("an address that goes to another pod between the last look and the release is that pod's", async () => {
  const cluster = await Cluster.create();
  const address = IpAddress.parse(await cluster.assign("gone")) ?? assert.fail();
  const audit = cluster.audit({
    mode: "repair",
    ipam: {
      addressesOf: (handle) => cluster.ipam.addressesOf(handle),
      surplusHandles: () => cluster.ipam.surplusHandles(),
      surplusOf: (handle) => cluster.ipam.surplusOf(handle),
      correctHandle: (handle, revision) => cluster.ipam.correctHandle(handle, revision),
      // The slow way out of the former pod, and a new one, even under the same handle.
      release: async (release) => {
        await cluster.ipam.releaseHandle("net.gone");
        await cluster.ipam.assignAddress({ address, handle: "net.gone", attributes: { node: "n1" } });
        return cluster.ipam.release(release);
      },
    },
  });
  await cluster.observe(audit);
  assert.deepEqual(await cluster.ipam.addressesOf("net.gone"), [address]);
});
