/**
 * Aim: what a container had whose runtime forgot it is named, and given back only when told to; whoever has its interface, comes
 * back, or is Kubernetes' keeps it. Method: the CNI engine over real IPAM records and a kernel in memory, observations by hand,
 * a clock that the test moves.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, readResource } from "@caracal/datastore";
import { Ipam, Nanos, readSnapshot } from "@caracal/ipam";
import { apiVersion } from "@caracal/resources";
import pino from "pino";
import { podCall, result } from "../../test/cni-suite.ts";
import { type FakeCniNode, fakeCniNode } from "../../test/fake-cni-node.ts";
import type { CniEngine } from "../cni/cni-engine.ts";
import { NodePodIpam } from "../endpoints/node-pod-ipam.ts";
import { Metrics } from "../observe/metrics.ts";
import { ForgottenContainers } from "./forgotten-containers.ts";

const graceSeconds = 60;
const node = "node-1";

class Host {
  readonly engine: CniEngine;
  readonly metrics = new Metrics();
  readonly #fake: FakeCniNode = fakeCniNode();
  #seconds = 1_767_323_045;

  private constructor() {
    const ipam = new Ipam({ store: this.#store, node, now: () => this.#now() });
    this.engine = this.#fake.node.engine({ ipam: new NodePodIpam(ipam, node) });
  }

  static async create(): Promise<Host> {
    const host = new Host();
    await host.#put("IPPool", "ippools", "pool", { cidr: "10.0.0.0/24" });
    await host.#put("Node", "nodes", node, {});
    return host;
  }

  async #put(kind: string, plural: string, name: string, spec: object): Promise<void> {
    const value = JSON.stringify({ kind, apiVersion, metadata: { name }, spec });
    await this.#store.create(keys.resource(plural, name), value);
  }

  get #store() {
    return this.#fake.node.store;
  }

  #now(): Nanos {
    return Nanos.fromSeconds(this.#seconds);
  }

  async add(containerId: string, args = ""): Promise<void> {
    const netns = `/run/netns/${containerId}`;
    this.#fake.kernel.namespaces.add(netns);
    result(await this.engine.answer(podCall(netns, { containerId, args })));
  }

  /** Its namespace goes, and nobody says so. */
  lose(containerId: string): void {
    this.#fake.kernel.removeNamespace(`/run/netns/${containerId}`);
  }

  audit(repairs: boolean): ForgottenContainers {
    return new ForgottenContainers({
      node,
      graceSeconds,
      hasInterface: (name) => this.#fake.kernel.pairs.has(name),
      repairs,
      mayWrite: () => true,
      forget: (container, isGone) => this.engine.forget(container, isGone),
      now: () => this.#now(),
      log: pino({ enabled: false }),
      metrics: this.metrics,
    });
  }

  async look(audit: ForgottenContainers): Promise<void> {
    const { entries } = await this.#store.list("");
    await audit.look({
      usedBlocks: readSnapshot(entries).blocks.map(({ record }) => record),
      endpoints: entries.flatMap((entry) => readResource("WorkloadEndpoint", entry) ?? []),
    });
  }

  /** Two observations, a grace time apart. */
  async observe(audit: ForgottenContainers): Promise<readonly string[]> {
    await this.look(audit);
    this.#seconds += graceSeconds;
    await this.look(audit);
    return audit.troubles;
  }

  /** The handles and endpoints that there are. */
  async held(): Promise<readonly string[]> {
    const { entries } = await this.#store.list("");
    const endpoints = entries.filter(({ key }) => key.startsWith(keys.resources("workloadendpoints")));
    return [...readSnapshot(entries).handles.map(({ id }) => id), ...endpoints.map(({ key }) => key)];
  }
}

test("what a container had that has gone without its DEL is named, and given back when told to", async () => {
  const host = await Host.create();
  await host.add("gone");
  const held = await host.held();
  assert.equal(held.length, 2);
  host.lose("gone");
  const audit = host.audit(false);
  await host.look(audit);
  assert.deepEqual(audit.troubles, []);
  const [line = "", ...others] = await host.observe(audit);
  assert.deepEqual(others, []);
  assert.match(line, /^10\.0\.0\.\d+ of container gone is leaked: its eth0 has gone without a DEL$/);
  assert.equal(audit.addressCount, 1);
  assert.deepEqual(await host.held(), held);

  assert.deepEqual(await host.observe(host.audit(true)), []);
  assert.deepEqual(await host.held(), []);
  assert.match(await host.metrics.text(), /^ipam_allocations_gc_reclamations 1$/m);
});

test("a container that is there keeps what it has, and so does a pod of Kubernetes", async () => {
  const host = await Host.create();
  await host.add("there");
  await host.add("pod", "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web");
  host.lose("pod");
  const held = await host.held();
  assert.deepEqual(await host.observe(host.audit(true)), []);
  assert.deepEqual(await host.held(), held);
});

test("a container whose name ends as another's handle does keeps what it has", async () => {
  const host = await Host.create();
  await host.add("web.1");
  const held = await host.held();
  await host.add("1");
  await host.add("shop.2");
  for (const containerId of ["1", "shop.2"]) host.lose(containerId);
  assert.deepEqual(await host.observe(host.audit(true)), []);
  assert.deepEqual(await host.held(), held);
});

test("a container that comes back before the last look keeps what it has", async () => {
  const host = await Host.create();
  await host.add("again");
  host.lose("again");
  const audit = host.audit(true);
  await host.look(audit);
  await host.add("again");
  const held = await host.held();
  assert.deepEqual(await host.observe(audit), []);
  assert.deepEqual(await host.held(), held);
  const container = { containerId: "again", ifname: "eth0", network: "k8s-pod-network" };
  assert.equal(await host.engine.forget(container, () => false), false);
  assert.deepEqual(await host.held(), held);
});

test("what cannot be given back now is left for the next look", async () => {
  const host = await Host.create();
  await host.add("gone");
  host.lose("gone");
  const failing = host.audit(true);
  const forget = host.engine.forget.bind(host.engine);
  host.engine.forget = () => Promise.reject(new Error("the kernel is busy"));
  assert.equal((await host.observe(failing)).length, 1);
  host.engine.forget = forget;
  await host.look(failing);
  assert.deepEqual(failing.troubles, []);
  assert.deepEqual(await host.held(), []);
});
