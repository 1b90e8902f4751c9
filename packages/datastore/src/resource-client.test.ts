/**
 * The typed client keeps Calico's rules for metadata, conflicts and texts, and stores what Calico's own client would.
 * Method: a memory store, read behind the client's back; races by a store that lets others write in between.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  apiVersion,
  type BgpPeer,
  type IpPool,
  type Node,
  type Resource,
  type WorkloadEndpoint,
  workloadEndpointName,
} from "@caracal/resources";
import { Prefix } from "@caracal/net";
import { keys, MemoryStore, ResourceClient, type ResourceOutcome, type Store } from "./index.ts";

const at = "2026-01-02T03:04:05Z";
const poolKey = "/calico/resources/v3/projectcalico.org/ippools/pool";

/** A client whose unique identifiers count up, over a store that can be read behind its back. */
function open(store: Store = new MemoryStore()) {
  let count = 0;
  const uuid = (): string => `uid-${(count += 1)}`;
  return { store, client: new ResourceClient(store, { now: () => at, uuid }) };
}

function poolOf(cidr: string, more: Partial<IpPool["spec"]> = {}, metadata: object = {}): IpPool {
  return { kind: "IPPool", apiVersion, metadata: { name: "pool", ...metadata }, spec: { cidr, ...more } };
}

function nodeOf(name: string): Node {
  return { kind: "Node", apiVersion, metadata: { name }, spec: {} };
}

function endpointOf(node: string, pod: string, metadata: object = {}): WorkloadEndpoint {
  const spec = { orchestrator: "k8s", node, pod, endpoint: "eth0" };
  const name = workloadEndpointName(spec) ?? "";
  return {
    kind: "WorkloadEndpoint",
    apiVersion,
    metadata: { name, namespace: "web", ...metadata },
    spec,
  };
}

function peerOf(name: string, spec: BgpPeer["spec"]): BgpPeer {
  return { kind: "BGPPeer", apiVersion, metadata: { name }, spec };
}

function ok<R>(outcome: ResourceOutcome<R>): R {
  assert.ok(outcome.kind === "ok", outcome.kind === "failed" ? outcome.message : "");
  return outcome.resource;
}

function failure(outcome: ResourceOutcome): string {
  assert.ok(outcome.kind === "failed", "it was done");
  return `${outcome.reason}: ${outcome.message}`;
}

async function stored(store: Store, key: string): Promise<string> {
  const entry = await store.get(key);
  assert.ok(entry !== undefined, `${key} is not there`);
  return entry.value;
}

/** A memory store where `interfere` happens just before each write of the client. */
class BusyStore extends MemoryStore {
  interfere: (() => Promise<unknown>) | undefined;
  writeCount = 0;

  async #busy(): Promise<void> {
    this.writeCount += 1;
    const { interfere } = this;
    // What interferes writes through the same store.
    this.interfere = undefined;
    await interfere?.();
    this.interfere = interfere;
  }

  override async create(key: string, value: string) {
    if (this.interfere !== undefined) await this.#busy();
    return super.create(key, value);
  }

  override async update(...args: Parameters<MemoryStore["update"]>) {
    if (this.interfere !== undefined) await this.#busy();
    return super.update(...args);
  }
}

test("a value is stored byte for byte as Calico's client writes it", async () => {
  const { store, client } = open();
  const labels = { "projectcalico.org/zone": "b", app: "a" };
  const pool: IpPool = {
    spec: { ipipMode: "Always", natOutgoing: true, cidr: "10.244.0.0/16" },
    metadata: { annotations: { b: "2", a: "1" }, labels, name: "pool", selfLink: "/gone" },
    apiVersion,
    kind: "IPPool",
  };
  ok(await client.create(pool));
  assert.equal(
    await stored(store, poolKey),
    `{"kind":"IPPool","apiVersion":"projectcalico.org/v3","metadata":{"name":"pool","uid":"uid-1","creationTimestamp":"${at}",` +
      '"labels":{"app":"a","projectcalico.org/zone":"b"},"annotations":{"a":"1","b":"2"}},' +
      '"spec":{"cidr":"10.244.0.0/16","vxlanMode":"Never","ipipMode":"Always","natOutgoing":true,"blockSize":26,' +
      '"nodeSelector":"all()","allowedUses":["Workload","Tunnel"],"assignmentMode":"Automatic"}}',
  );
});

test("uid and creation time are set once and survive updates; the version is the store's and never stored", async () => {
  const { store, client } = open();
  const first = ok(await client.create(poolOf("10.0.0.0/16")));
  assert.deepEqual(first.metadata, {
    name: "pool",
    uid: "uid-1",
    creationTimestamp: at,
    resourceVersion: (await store.get(poolKey))?.revision,
  });
  const forged = { uid: "forged", creationTimestamp: "1999-01-01T00:00:00Z" };
  const second = ok(await client.update(poolOf("10.0.0.0/16", { disabled: true }, forged)));
  assert.notEqual(second.metadata.resourceVersion, first.metadata.resourceVersion);
  assert.deepEqual(
    { ...second.metadata, resourceVersion: "" },
    { name: "pool", uid: "uid-1", creationTimestamp: at, resourceVersion: "" },
  );
  assert.deepEqual(await client.get("IPPool", "pool"), { kind: "ok", resource: second });
  assert.ok(!(await stored(store, poolKey)).includes("resourceVersion"));
});

test("a create keeps a uid and creation time that are given, and takes empty ones for unset", async () => {
  const { client } = open();
  const given = { uid: "kept", creationTimestamp: "2020-01-01T00:00:00Z" };
  assert.deepEqual(
    { ...ok(await client.create(poolOf("10.0.0.0/16", {}, given))).metadata, resourceVersion: "" },
    { name: "pool", ...given, resourceVersion: "" },
  );
  const empty = { name: "other", uid: "", creationTimestamp: "", resourceVersion: "" };
  const { metadata } = ok(await client.create(poolOf("10.1.0.0/16", {}, empty)));
  assert.equal(metadata.uid, "uid-1");
  assert.equal(metadata.creationTimestamp, at);
});

test("an update gives old objects the uid and creation time that they lack", async () => {
  const { store, client } = open();
  const metadata = { name: "pool", creationTimestamp: null };
  await store.create(poolKey, JSON.stringify({ ...poolOf("10.0.0.0/16"), metadata }));
  const updated = ok(await client.update(poolOf("10.0.0.0/16")));
  assert.equal(updated.metadata.uid, "uid-1");
  assert.equal(updated.metadata.creationTimestamp, at);
});

test("a workload endpoint always carries its namespace and orchestrator as labels", async () => {
  const { client } = open();
  const forced = { "projectcalico.org/namespace": "web", "projectcalico.org/orchestrator": "k8s" };
  const created = ok(await client.create(endpointOf("n1", "a")));
  assert.deepEqual(created.metadata.labels, forced);
  const labels = { "projectcalico.org/namespace": "forged", app: "web" };
  const updated = ok(await client.update(endpointOf("n1", "a", { labels })));
  assert.deepEqual(updated.metadata.labels, { app: "web", ...forced });
});

test("failures are told in Calico's words", async () => {
  const { client } = open();
  const cases: readonly [Promise<ResourceOutcome>, string][] = [
    [client.get("IPPool", "x"), "missing: resource does not exist: IPPool(x) with error: <nil>"],
    [
      client.get("WorkloadEndpoint", "x", "web"),
      "missing: resource does not exist: WorkloadEndpoint(web/x) with error: <nil>",
    ],
    [client.update(nodeOf("x")), "missing: resource does not exist: Node(x) with error: <nil>"],
    [client.delete("Node", "x"), "missing: resource does not exist: Node(x) with error: <nil>"],
    [
      client.create(poolOf("10.0.0.0/16", {}, { resourceVersion: "7" })),
      "refused: error with field Metadata.ResourceVersion = '7' (field must not be set for a Create request)",
    ],
    [
      client.create(nodeOf("")),
      "refused: error with field Metadata.Name = '' (field must be set for a Create request)",
    ],
    [
      client.create({ ...nodeOf(""), metadata: { name: "", generateName: "n-" } }),
      "refused: error with field Metadata.Name = '' (field must be set for a Create request (GenerateName is not supported))",
    ],
    [
      client.update(nodeOf("")),
      "refused: error with field Metadata.Name = '' (field must be set for an Update request)",
    ],
  ];
  for (const [outcome, message] of cases) assert.equal(failure(await outcome), message);
  ok(await client.create(nodeOf("n1")));
  assert.equal(
    failure(await client.create(nodeOf("n1"))),
    "exists: resource already exists: Node(n1) with error: <nil>",
  );
});

test("a namespaced kind needs a namespace, a cluster-wide kind ignores it", async () => {
  const { client } = open();
  const message =
    "refused: error with field Metadata.Namespace (namespace is not specified on namespaced resource)";
  const nowhere = endpointOf("n1", "a", { namespace: "" });
  for (const outcome of [
    client.create(nowhere),
    client.update(nowhere),
    client.get("WorkloadEndpoint", "x"),
    client.delete("WorkloadEndpoint", "x", ""),
  ]) {
    assert.equal(failure(await outcome), message);
  }
  ok(await client.create(nodeOf("n1")));
  ok(await client.get("Node", "n1", "web"));
  assert.equal((await client.list("Node", "web")).items.length, 1);
  ok(await client.delete("Node", "n1", "web"));
});

test("a pool's CIDR and block size cannot change; a block size left out means the default", async () => {
  const { client } = open();
  ok(await client.create(poolOf("10.0.0.0/16")));
  ok(await client.update(poolOf("10.0.0.0/16", { natOutgoing: true })));
  assert.equal(
    failure(await client.update(poolOf("10.1.0.0/16"))),
    "refused: error with field IPPool.Spec.CIDR = '10.1.0.0/16' (IPPool CIDR cannot be modified)",
  );
  assert.equal(
    failure(await client.update(poolOf("10.1.0.0/16", { blockSize: 28 }))),
    "refused: error with the following fields:" +
      "\n-  IPPool.Spec.CIDR = '10.1.0.0/16' (IPPool CIDR cannot be modified)" +
      "\n-  IPPool.Spec.BlockSize = '28' (IPPool BlockSize cannot be modified)",
  );
});

test("pools may not overlap when created; those that do already can still be changed", async () => {
  const { store, client } = open();
  ok(await client.create(poolOf("10.0.0.0/16")));
  const inner = poolOf("10.0.1.0/24", {}, { name: "inner" });
  assert.equal(
    failure(await client.create(inner)),
    "refused: error with field IPPool.Spec.CIDR = '10.0.1.0/24' (IPPool(inner) CIDR overlaps with IPPool(pool) CIDR 10.0.0.0/16)",
  );
  assert.equal(failure(await client.create(poolOf("10.0.0.0/16"))).split(":")[0], "exists");
  await store.create(keys.resource("ippools", "inner"), JSON.stringify(inner));
  const disabled = await client.update({ ...inner, spec: { ...inner.spec, disabled: true } });
  assert.equal(ok(disabled).kind, "IPPool");
});

test("a pool is refused where blocks of another size are left", async () => {
  const { store, client } = open();
  const block = Prefix.parse("10.0.0.64/26");
  assert.ok(block !== undefined);
  await store.create(keys.block(block), "{}");
  assert.equal(
    failure(await client.create(poolOf("10.0.0.0/16", { blockSize: 28 }))),
    "refused: error with field IPPool.Spec.BlockSize = '28' (IPPool blocksSize conflicts with existing allocations that use a different blockSize)",
  );
  ok(await client.create(poolOf("10.0.0.0/16")));
  ok(await client.create(poolOf("10.1.0.0/16", { blockSize: 28 }, { name: "elsewhere" })));
});

test("what could not be read again is not stored", async () => {
  const { store, client } = open();
  assert.equal(failure(await client.create(poolOf("10.0.0.0/99"))).split(":")[0], "refused");
  ok(await client.create(nodeOf("n1")));
  const broken: Node = { ...nodeOf("n1"), spec: { bgp: { ipv4Address: "nonsense" } } };
  assert.equal(failure(await client.update(broken)).split(":")[0], "refused");
  assert.equal((await store.list(keys.resources("ippools"))).entries.length, 0);
  assert.ok(!(await stored(store, keys.resource("nodes", "n1"))).includes("nonsense"));
});

test("an update or delete that names a version does nothing at another one", async () => {
  const { store, client } = open();
  const { resourceVersion } = ok(await client.create(poolOf("10.0.0.0/16"))).metadata;
  ok(await client.update(poolOf("10.0.0.0/16", { natOutgoing: true }, { resourceVersion })));
  const before = await stored(store, poolKey);
  for (const stale of [resourceVersion, "no number"]) {
    const outcome = await client.update(poolOf("10.0.0.0/16", {}, { resourceVersion: stale }));
    assert.equal(failure(outcome), "conflict: update conflict: IPPool(pool)");
  }
  assert.equal(
    failure(await client.delete("IPPool", "pool", undefined, resourceVersion)),
    "conflict: update conflict: IPPool(pool)",
  );
  assert.equal(await stored(store, poolKey), before);
  const current = ok(await client.get("IPPool", "pool"));
  const removed = ok(await client.delete("IPPool", "pool", undefined, current.metadata.resourceVersion));
  assert.deepEqual(removed, current);
});

test("an update races others a bounded number of times, and wins when they stop", async () => {
  const store = new BusyStore();
  const { client } = open(store);
  const other = open(store).client;
  ok(await client.create(nodeOf("n1")));
  store.interfere = () => other.update(nodeOf("n1"));
  assert.equal(failure(await client.update(nodeOf("n1"))), "conflict: update conflict: Node(n1)");
  assert.equal(store.writeCount, 5);

  let rivals = 3;
  store.interfere = async () => ((rivals -= 1) < 0 ? undefined : other.update(nodeOf("n1")));
  const mine = { ...nodeOf("n1"), metadata: { name: "n1", labels: { mine: "yes" } } };
  assert.deepEqual(ok(await client.update(mine)).metadata.labels, { mine: "yes" });
  assert.equal(rivals, -1);
});

test("apply creates, or updates what exists", async () => {
  const { client } = open();
  const { uid } = ok(await client.apply(poolOf("10.0.0.0/16"))).metadata;
  const applied = ok(await client.apply(poolOf("10.0.0.0/16", { natOutgoing: true })));
  assert.equal(applied.metadata.uid, uid);
  assert.ok(applied.kind === "IPPool" && applied.spec.natOutgoing === true);
});

test("apply with a version creates what is missing and refuses to overwrite another version", async () => {
  const { client } = open();
  const versioned = { ...nodeOf("n1"), metadata: { name: "n1", resourceVersion: "7" } };
  const { resourceVersion } = ok(await client.apply(versioned)).metadata;
  assert.notEqual(resourceVersion, "7");
  assert.equal(failure(await client.apply(versioned)), "conflict: update conflict: Node(n1)");
});

test("apply creates again what others delete in between, a bounded number of times", async () => {
  const store = new BusyStore();
  const { client } = open(store);
  const key = keys.resource("nodes", "n1");
  let rivals = 0;
  // The node exists whenever apply tries to create it, and is gone whenever it then reads it.
  store.interfere = () => store.create(key, "{}");
  const get = store.get.bind(store);
  store.get = async (wanted) => {
    rivals += 1;
    await store.delete(wanted);
    return get(wanted);
  };
  assert.equal(
    failure(await client.apply(nodeOf("n1"))),
    "missing: resource does not exist: Node(n1) with error: <nil>",
  );
  assert.equal(rivals, 5);
  store.interfere = undefined;
  ok(await client.apply(nodeOf("n1")));
});

test("a value that is no resource is left out of lists, named when asked for, and can be deleted", async () => {
  const { store, client } = open();
  ok(await client.create(nodeOf("n1")));
  for (const [name, value] of [
    ["torn", '{"kind":"IPPool"'],
    ["other", '{"kind":"Node"}'],
    ["pool", JSON.stringify({ ...poolOf("10.0.0.0/16"), spec: { cidr: 7 } })],
  ] as const) {
    await store.create(keys.resource("ippools", name), value);
    const message = `refused: IPPool(${name}) is stored in a form that cannot be read`;
    assert.deepEqual((await client.list("IPPool")).items, []);
    assert.equal(failure(await client.get("IPPool", name)), message);
    assert.equal(failure(await client.delete("IPPool", name)), `${message}; it has been deleted`);
    assert.equal(await store.get(keys.resource("ippools", name)), undefined);
  }
});

test("a list is ordered by key, and of one namespace or all", async () => {
  const { store, client } = open();
  for (const namespace of ["web", "web-2", "db"])
    ok(await client.create(endpointOf("n1", "a", { namespace })));
  const of = async (namespace?: string) =>
    (await client.list("WorkloadEndpoint", namespace)).items.map(({ metadata }) => metadata.namespace);
  // `-` sorts before the `/` after a namespace.
  assert.deepEqual(await of(), ["db", "web-2", "web"]);
  assert.deepEqual(await of("web"), ["web"]);
  assert.equal((await client.list("WorkloadEndpoint")).revision, (await store.list("")).revision);
});

test("what belongs to a node goes with it, and nothing else", async () => {
  const { store, client } = open();
  const kept: readonly Resource[] = [
    nodeOf("n1-b"),
    endpointOf("n1-b", "a"),
    peerOf("all", { peerIP: "192.0.2.1", asNumber: 64512 }),
    peerOf("other", { node: "n1-b", peerIP: "192.0.2.1", asNumber: 64512 }),
    { kind: "BGPConfiguration", apiVersion, metadata: { name: "default" }, spec: {} },
  ];
  const gone: readonly Resource[] = [
    endpointOf("n1", "a"),
    endpointOf("n1", "a", { namespace: "db" }),
    peerOf("own", { node: "n1", peerIP: "192.0.2.1", asNumber: 64512 }),
    { kind: "BGPConfiguration", apiVersion, metadata: { name: "node.n1" }, spec: { listenPort: 1790 } },
  ];
  for (const resource of kept) ok(await client.create(resource));
  const before = (await store.list("")).entries;
  for (const resource of [...gone, nodeOf("n1")]) ok(await client.create(resource));
  assert.equal(failure(await client.delete("Node", "n1", undefined, "0")).split(":")[0], "conflict");
  assert.equal((await store.list("")).entries.length, before.length + gone.length + 1);
  assert.equal(ok(await client.delete("Node", "n1")).metadata.name, "n1");
  assert.deepEqual((await store.list("")).entries, before);

  for (const resource of gone) ok(await client.create(resource));
  assert.equal(failure(await client.delete("Node", "n1")).split(":")[0], "missing");
  assert.deepEqual((await store.list("")).entries, before);
});

test("a store that does not answer is the store's error, not an outcome", async () => {
  const store = new MemoryStore();
  const { client } = open(store);
  store.disconnect();
  for (const outcome of [
    client.get("Node", "n1"),
    client.list("Node"),
    client.create(nodeOf("n1")),
    client.update(nodeOf("n1")),
    client.delete("Node", "n1"),
  ]) {
    await assert.rejects(outcome, { name: "StoreError", code: "unavailable" });
  }
});
