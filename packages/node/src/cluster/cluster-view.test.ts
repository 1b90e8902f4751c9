/** The cluster as the datastore tells it, through outages and races. Method: the store in memory; pauses end when told. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import {
  apply,
  bgpConfiguration,
  clientOf,
  deleteAffinity,
  endpoint,
  node,
  pool,
  prefix,
  putAffinity,
  settle,
} from "../../test/node-fixtures.ts";
import { ClusterView } from "./cluster-view.ts";

const block = "10.244.0.0/26";

interface Followed {
  readonly view: ClusterView;
  readonly changes: { count: number };
  readonly statuses: string[];
  /** Ends all pauses. */
  readonly retry: () => void;
}

function follow(t: TestContext, store: MemoryStore): Followed {
  const stop = new AbortController();
  const changes = { count: 0 };
  const statuses: string[] = [];
  let waiting: (() => void)[] = [];
  const view = new ClusterView({
    node: "n1",
    store,
    onChange: () => (changes.count += 1),
    onStatus: ({ kind }, part) => statuses.push(`${part} ${kind}`),
    sleep: () => new Promise((resolve) => waiting.push(resolve)),
  });
  const running = view.run(stop.signal);
  t.after(() => {
    stop.abort();
    return running;
  });
  const retry = (): void => {
    const ended = waiting;
    waiting = [];
    for (const end of ended) end();
  };
  return { view, changes, statuses, retry };
}

function states(view: ClusterView): readonly string[] {
  return view.affinities.map((affinity) => `${Prefix.format(affinity.block)} ${affinity.state}`);
}

test("a view is complete when every part was listed, and shows what was there and what came", async (t) => {
  const store = new MemoryStore();
  await apply(store, node("n1", "172.18.0.2/16"));
  const { view } = follow(t, store);
  assert.equal(view.isComplete, false);
  assert.equal(view.staleBecause, "the datastore is being listed");
  await settle();
  assert.equal(view.isComplete && view.isCurrent, true);
  assert.equal(view.staleBecause, undefined);
  await apply(store, node("n2", "172.18.0.3/16"), pool("10.244.0.0/16"));
  await settle();
  assert.deepEqual(
    view.resources.nodes.map(({ metadata }) => metadata.name),
    ["n1", "n2"],
  );
  assert.equal(view.resources.pools.length, 1);
});

test("only this node's endpoints are kept, and others' come and go without a change", async (t) => {
  const store = new MemoryStore();
  const { view, changes } = follow(t, store);
  await settle();
  const before = changes.count;
  await apply(store, endpoint("n2", "far", "10.244.9.1"));
  await clientOf(store).delete("WorkloadEndpoint", "n2-k8s-far-eth0", "default");
  await settle();
  assert.equal(changes.count, before);
  await apply(store, endpoint("n1", "near", "10.244.0.1"));
  await settle();
  assert.ok(changes.count > before);
  assert.deepEqual(
    view.endpoints.map(({ spec }) => spec.interfaceName),
    ["calinear"],
  );
});

test("what cannot be read is left out, and resources are told of until they are mended", async (t) => {
  const store = new MemoryStore();
  await store.create(keys.resource("nodes", "broken"), "{");
  const tooLarge = { ...bgpConfiguration({}), spec: { asNumber: 4294967296 } };
  await store.create(keys.resource("bgpconfigurations", "default"), JSON.stringify(tooLarge));
  await store.create(keys.affinity({ kind: "host", name: "n1" }, prefix(block)), "nonsense");
  const { view } = follow(t, store);
  await settle();
  assert.deepEqual([view.resources.nodes, view.affinities], [[], []]);
  const told = () => view.resources.unreadable?.map(({ about, message }) => `${about} ${message}`) ?? [];
  const [broken, large, ...others] = told();
  assert.match(broken ?? "", /^Node\(broken\) cannot be read and is left out: [^\n]+$/);
  assert.match(large ?? "", /^BGPConfiguration\(default\) cannot be read .*asNumber = '4294967296'[^\n]+$/);
  assert.deepEqual(others, []);
  await store.delete(keys.resource("nodes", "broken"));
  await settle();
  assert.deepEqual(told(), [large]);
});

test("services and their endpoints are read as Kubernetes writes them", async (t) => {
  const store = new MemoryStore();
  const { view, changes } = follow(t, store);
  await settle();
  const metadata = { name: "web", namespace: "default" };
  const labels = { "kubernetes.io/service-name": "web" };
  const service = { kind: "Service", metadata, spec: { clusterIP: "10.96.0.7" } };
  const slice = { kind: "EndpointSlice", metadata: { ...metadata, labels }, endpoints: [{ nodeName: "n1" }] };
  const before = changes.count;
  const serviceKey = keys.resource("kubernetesservices", "web", "default");
  await store.create(serviceKey, JSON.stringify(service));
  await store.create(keys.resource("kubernetesendpointslices", "web", "default"), JSON.stringify(slice));
  await settle();
  assert.ok(changes.count > before);
  assert.deepEqual(
    [view.resources.services?.map(({ clusterIps }) => clusterIps), view.resources.endpointSlices],
    [[["10.96.0.7"]], [{ namespace: "default", name: "web", service: "web", readyNodes: ["n1"] }]],
  );
  await store.delete(serviceKey);
  await settle();
  assert.deepEqual(view.resources.services, []);
});

test("while the datastore is away the last state holds; afterwards the difference is seen", async (t) => {
  const store = new MemoryStore();
  await apply(store, node("n1", "172.18.0.2/16"));
  const { view, statuses, retry } = follow(t, store);
  await settle();
  store.disconnect();
  await settle();
  assert.equal(view.isComplete, true);
  assert.equal(view.isCurrent, false);
  assert.equal(view.staleBecause, "the store does not answer");
  assert.equal(view.resources.nodes.length, 1);
  assert.ok(statuses.includes("Node away"));
  store.reconnect();
  await clientOf(store).delete("Node", "n1");
  retry();
  await settle();
  assert.equal(view.isCurrent, true);
  assert.deepEqual(view.resources.nodes, []);
});

test("the same resources are the same object until something changes", async (t) => {
  const store = new MemoryStore();
  await apply(store, node("n1", "172.18.0.2/16"));
  const { view } = follow(t, store);
  await settle();
  const first = view.resources;
  await apply(store, endpoint("n1", "pod", "10.244.0.1"));
  await settle();
  assert.equal(view.resources, first);
  await apply(store, node("n2", "172.18.0.3/16"));
  await settle();
  assert.notEqual(view.resources, first);
});

test("a claimed block counts before the watch tells, and while it tells of the claim's first phase", async (t) => {
  const store = new MemoryStore();
  const { view } = follow(t, store);
  await settle();
  view.claimed(prefix(block));
  assert.deepEqual(states(view), [`${block} confirmed`]);
  await putAffinity(store, "n1", block, "pending");
  await settle();
  assert.ok(states(view).includes(`${block} confirmed`));
  await putAffinity(store, "n1", block, "confirmed");
  await settle();
  assert.deepEqual(states(view), [`${block} confirmed`]);
  await deleteAffinity(store, "n1", block);
  await settle();
  assert.deepEqual(states(view), []);
});

test("a claimed block that is given up before the watch catches up is not kept", async (t) => {
  const store = new MemoryStore();
  const { view } = follow(t, store);
  await settle();
  await putAffinity(store, "n1", block, "pending");
  await putAffinity(store, "n1", block, "confirmed");
  view.claimed(prefix(block));
  await deleteAffinity(store, "n1", block);
  await settle();
  assert.deepEqual(states(view), []);
});

test("a claimed block that is given up while the watch is broken goes with the next list", async (t) => {
  const store = new MemoryStore();
  const { view, retry } = follow(t, store);
  await settle();
  view.claimed(prefix(block));
  store.disconnect();
  await settle();
  assert.deepEqual(states(view), [`${block} confirmed`]);
  store.reconnect();
  retry();
  await settle();
  assert.deepEqual(states(view), []);
});

test("the datastore is ready unless ClusterInformation says it is not", async (t) => {
  const store = new MemoryStore();
  const { view } = follow(t, store);
  await settle();
  assert.equal(view.isDatastoreReady, true);
  await apply(store, {
    kind: "ClusterInformation",
    apiVersion: "projectcalico.org/v3",
    metadata: { name: "default" },
    spec: { datastoreReady: false },
  });
  await settle();
  assert.equal(view.isDatastoreReady, false);
});
